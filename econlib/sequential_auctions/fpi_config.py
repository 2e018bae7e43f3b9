"""How fitted policy iteration trains: every hyperparameter of the recipe."""

from __future__ import annotations

from dataclasses import dataclass

from econlib.sequential_auctions.actors import OUTPUTS
from econlib.sequential_auctions.settings import Setting

__all__ = ["CRITICS", "FPIConfig", "check_sizes"]

#: What holds the values of states.
CRITICS = ("network", "table")


def check_sizes(setting: Setting, n_buyers: int) -> None:
    """Raise for an auction whose states do not fit a table.

    Raises
    ------
    ValueError
        Fewer than one buyer or more than 100, or more than 12 items.
    """
    if not 1 <= n_buyers <= 100:
        raise ValueError(f"n_buyers = {n_buyers}: expected an integer, 1 to 100")
    if setting.n_items > 12:
        raise ValueError(
            f"n_items = {setting.n_items}: a value for each of n_buyers * 2^n_items "
            "states; expected at most 12. Try entry fees, which need n_items + 1 prices"
        )


@dataclass(frozen=True)
class FPIConfig:
    """How to train; the defaults are one setting for A to D and both sizes.

    Attributes
    ----------
    n_iterations : int
        1 or more.
    actor_steps : int
        Adam steps an iteration, 1 or more.
    n_states : int
        States of a step, 4 or more.
    uniform : float
        Share of them drawn uniformly over buyer, size and set; the rest are visited.
    draws : int
        A step draws this many option values a state.
    least_draws, most_draws : int
        But no fewer and no more valuations than these, 2 or more.
    shared : bool
        Whether all states of a step share 32 valuations, which is the ablation that
        fails.
    beta : tuple of float
        Inverse temperature at first and from 60 % of the steps on.
    lr, lr_end : float
        Adam's step, after a warm-up and at the end; half a cosine between them.
    warm_up : int
        Steps over which it rises from 0.
    clip : float
        Largest norm of a gradient, 0 for any.
    output : str
        The actor's: ``structured``, ``flat`` or ``paper``.
    critic : str
        ``network``, or ``table`` for one number a state.
    one_step : bool
        Whether values are of one step by the model from the critic's, in place of a
        sweep over all buyers.
    sweep_draws : int
        Valuations that a policy is evaluated on, even.
    critic_steps : int
        Adam steps an iteration, three times as many in the first.
    n_rollouts : int
        Episodes that visit states.
    noise : float
        Standard deviation of prices there, falling to 0.
    extra : bool
        Whether networks see the two shares.
    width : int
        Of the actor's hidden layers.
    """

    n_iterations: int = 12
    actor_steps: int = 150
    n_states: int = 64
    uniform: float = 0.25
    draws: int = 2**15
    least_draws: int = 64
    most_draws: int = 128
    shared: bool = False
    beta: tuple[float | int, float | int] = (10.0, 150.0)
    lr: float = 1e-3
    lr_end: float = 5e-5
    warm_up: int = 100
    clip: float = 1.0
    output: str = "structured"
    critic: str = "network"
    one_step: bool = False
    sweep_draws: int = 256
    critic_steps: int = 400
    n_rollouts: int = 1024
    noise: float = 0.05
    extra: bool = True
    width: int = 256

    def __post_init__(self) -> None:
        for name, low, high in (
            ("n_iterations", 1, 10**5),
            ("actor_steps", 1, 10**5),
            ("n_states", 4, 10**5),
            ("uniform", 0, 1),
            ("draws", 64, 2**24),
            ("least_draws", 2, 2**16),
            ("most_draws", self.least_draws, 2**16),
            ("lr", 1e-9, 1),
            ("lr_end", 0, 1),
            ("warm_up", 0, 10**6),
            ("clip", 0, 1e9),
            ("sweep_draws", 2, 2**20),
            ("critic_steps", 1, 10**6),
            ("n_rollouts", 1, 10**6),
            ("noise", 0, 100),
            ("width", 1, 4096),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"{name} = {getattr(self, name)}: expected {low} to {high}"
                )
        if min(self.beta) <= 0:
            raise ValueError(f"beta = {self.beta}: expected numbers above 0")
        for name, known in (("output", OUTPUTS), ("critic", CRITICS)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} = {getattr(self, name)!r}: expected one of "
                    f"{', '.join(known)}"
                )
