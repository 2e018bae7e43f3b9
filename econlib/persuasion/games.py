r"""Several senders, one receiver: rules, joint signals, actions, utilities.

A state :math:`\omega` is drawn from a prior :math:`\mu`.  Sender :math:`i` has
committed to a rule :math:`\pi_i(s_i\mid\omega)` and draws a signal from it,
independently of the others.  The receiver sees all signals and all rules and takes the
best action for herself,

.. math::

   x_s(\omega)=\mu(\omega)\prod_i\pi_i(s_i\mid\omega),\qquad
   a^*(s)\in\arg\max_a\sum_\omega x_s(\omega)\,r(\omega,a),\qquad
   u_i(\pi)=\sum_s\sum_\omega x_s(\omega)\,v_i(\omega,a^*(s)).

Masses :math:`x_s` are not divided by their sum, so that a joint signal that never comes
needs no case of its own.  Among actions that are equally good to 1e-10 the first is
taken, or, where a sender's deviation is judged, the one that this sender likes best.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

__all__ = [
    "PersuasionGame",
    "check_rules",
    "full_revelation",
    "joint_masses",
    "random_rules",
    "receiver_actions",
    "utilities",
    "utilities_batch",
]

#: Actions whose values differ by less are tied.
TIE = 1e-10
#: Joint signals of a profile at most: their masses are all held at once.
MOST_JOINT = 1_000_000


def check_integer(
    name: str, value: object, least: int = 1, most: int | None = None
) -> None:
    """ValueError, with the range, where a value is not an integer in it."""
    integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not integer or value < least or (most is not None and value > most):
        asked = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"{name} = {value!r}: expected an integer, {asked}")


def check_table(name: str, value: object, axes: str) -> np.ndarray:
    """A value as finite numbers with an axis, not empty, for each word of ``axes``."""
    words = axes.split()
    shape = f"({', '.join(words)}{',' * (len(words) == 1)})"
    try:
        table = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: rows differ in length, expected {shape}") from None
    if table.dtype.kind not in "biuf":
        raise ValueError(f"{name}: expected numbers, shape {shape}")
    if table.ndim != len(words) or 0 in table.shape:
        raise ValueError(f"{name}: shape {table.shape}, expected {shape}, none of 0")
    if not np.isfinite(table).all():
        raise ValueError(f"{name}: expected finite numbers, not NaN or infinite ones")
    return table.astype(float, copy=False)


def check_distribution(name: str, value: object) -> np.ndarray:
    """A value as numbers of 0 or more that add up to 1."""
    p = check_table(name, value, "n")
    if (p < -1e-9).any() or abs(p.sum() - 1) > 1e-6:
        raise ValueError(
            f"{name} = {p.tolist()}: expected numbers of 0 or more that add up to 1"
        )
    return p


def check_joint(n_signals: Sequence[int]) -> None:
    """ValueError where senders have too many joint signals."""
    n_joint = math.prod(n_signals)
    if n_joint > MOST_JOINT:
        raise ValueError(
            f"rules: {n_joint:,} joint signals, expected at most {MOST_JOINT:,}; "
            "fewer senders or signals"
        )


@dataclass(frozen=True)
class PersuasionGame:
    """Prior and payoffs, which everybody knows; lists become arrays.

    Attributes
    ----------
    prior : ndarray, shape (n_states,)
        Positive, adding up to 1.
    receiver : ndarray, shape (n_states, n_actions)
        The receiver's utility.
    senders : ndarray, shape (n_senders, n_states, n_actions)
        The senders' utilities.

    Raises
    ------
    ValueError
        A prior that is no distribution of full support, or utilities of another shape
        or not finite.
    """

    prior: Float[np.ndarray, " n_states"]
    receiver: Float[np.ndarray, "n_states n_actions"]
    senders: Float[np.ndarray, "n_senders _ _"]

    def __post_init__(self) -> None:
        for name, axes in (
            ("prior", "n_states"),
            ("receiver", "n_states n_actions"),
            ("senders", "n_senders n_states n_actions"),
        ):
            table = check_table(name, getattr(self, name), axes)
            object.__setattr__(self, name, table)  # the instance is frozen
        mu, r, v = self.prior, self.receiver, self.senders
        if len(mu) < 2 or not (mu > 0).all() or abs(mu.sum() - 1) > 1e-9:
            raise ValueError(
                f"prior = {mu.tolist()}: expected two or more positive numbers that "
                f"add up to 1, not to {mu.sum():g}"
            )
        for name, table, shape in (
            ("receiver", r, (len(mu), r.shape[1])),
            ("senders", v, (len(v), *r.shape)),
        ):
            if table.shape != shape:
                raise ValueError(f"{name}: shape {table.shape}, expected {shape}")

    @property
    def n_senders(self) -> int:
        """Number of senders."""
        return len(self.senders)

    @property
    def n_states(self) -> int:
        """Number of states."""
        return len(self.prior)

    @property
    def n_actions(self) -> int:
        """Number of the receiver's actions."""
        return self.receiver.shape[1]


def check_rules(
    game: PersuasionGame, rules: Sequence[Float[np.ndarray, "n_states _"]]
) -> list[np.ndarray]:
    """The rules as arrays; ValueError where they are not one stochastic matrix each."""
    rules = [np.asarray(rule, float) for rule in rules]
    if len(rules) != game.n_senders:
        raise ValueError(
            f"rules: {len(rules)} of them, expected one for each of the "
            f"{game.n_senders} senders"
        )
    for i, rule in enumerate(rules):
        if rule.ndim != 2 or len(rule) != game.n_states or rule.shape[1] < 1:
            raise ValueError(
                f"rules[{i}]: shape {rule.shape}, expected ({game.n_states}, signals)"
            )
        sums = np.abs(rule.sum(axis=1) - 1)
        if not (rule >= -1e-9).all() or not (sums <= 1e-7).all():  # NaN is neither
            raise ValueError(f"rules[{i}]: expected rows that are distributions")
    return rules


def joint_masses(
    prior: Float[np.ndarray, " n_states"],
    rules: Sequence[Float[np.ndarray, "n_states _"]],
) -> Float[np.ndarray, "n_joint n_states"]:
    """Probability of each joint signal together with each state.

    Parameters
    ----------
    prior : ndarray, shape (n_states,)
        Of the states, or any other weights.
    rules : sequence of ndarray, shape (n_states, n_signals)
        One for each sender; the last sender's signal changes fastest.

    Returns
    -------
    ndarray, shape (n_joint, n_states)
        Adds up to the prior over joint signals.

    Raises
    ------
    ValueError
        More than 1,000,000 joint signals, with their number.
    """
    x = np.asarray(prior, float)[None]
    rules = [np.asarray(rule, float) for rule in rules]
    check_joint([rule.shape[1] for rule in rules])
    for rule in rules:
        x = (x[:, None] * rule.T).reshape(-1, x.shape[1])
    return x


def receiver_actions(
    game: PersuasionGame,
    masses: Float[np.ndarray, "n_joint n_states"],
    favour: int | None = None,
) -> Int[np.ndarray, " n_joint"]:
    """The receiver's best action after each joint signal.

    Parameters
    ----------
    game : PersuasionGame
        Prior and payoffs.
    masses : ndarray, shape (n_joint, n_states)
        Of states, for each joint signal.
    favour : int, optional
        Sender who breaks ties; by default the first of equally good actions is taken.

    Returns
    -------
    ndarray of int, shape (n_joint,)
        Actions.

    Raises
    ------
    ValueError
        No such sender.
    """
    if favour is not None:
        check_integer("favour", favour, 0, game.n_senders - 1)
    worth = masses @ game.receiver
    tied = worth >= worth.max(axis=1, keepdims=True) - TIE
    if favour is None:
        return tied.argmax(axis=1)
    liked = masses @ game.senders[favour]
    return np.where(tied, liked, -np.inf).argmax(axis=1)


def utilities(
    game: PersuasionGame,
    rules: Sequence[Float[np.ndarray, "n_states _"]],
    favour: int | None = None,
) -> Float[np.ndarray, " n_senders"]:
    """What the senders expect.

    Parameters
    ----------
    game : PersuasionGame
        Prior and payoffs.
    rules : sequence of ndarray, shape (n_states, n_signals)
        One for each sender; numbers of signals may differ.
    favour : int, optional
        Sender who breaks the receiver's ties.

    Returns
    -------
    ndarray, shape (n_senders,)
        Utilities.

    Raises
    ------
    ValueError
        Rules that are not one stochastic matrix for each sender, no such sender, or
        more than 1,000,000 joint signals.

    Examples
    --------
    >>> game = PersuasionGame(np.array([0.7, 0.3]), np.eye(2), np.ones((1, 2, 2)))
    >>> utilities(game, [np.eye(2)]).tolist()
    [1.0]
    """
    masses = joint_masses(game.prior, check_rules(game, rules))
    action = receiver_actions(game, masses, favour)
    return np.einsum("sw,iws->i", masses, game.senders[:, :, action])


def utilities_batch(
    game: PersuasionGame, rules: Float[torch.Tensor, "n_profiles n_senders n_states k"]
) -> Float[torch.Tensor, "n_profiles n_senders"]:
    """Utilities of many profiles at once, with the gradient inside each piece.

    The receiver's actions are held fixed where a gradient is taken: between jumps
    utilities are multilinear in the rules.

    Parameters
    ----------
    game : PersuasionGame
        Prior and payoffs.
    rules : Tensor, shape (n_profiles, n_senders, n_states, n_signals)
        Senders have equally many signals.

    Returns
    -------
    Tensor, shape (n_profiles, n_senders)
        Utilities, of the rules' type and on their device.

    Raises
    ------
    ValueError
        Rules of another shape, of integers, or with more than 1,000,000 joint signals.
        Whether rows add up to 1 is not looked at.
    """
    check_batch(game, rules)
    like = {"dtype": rules.dtype, "device": rules.device}
    receiver = torch.as_tensor(game.receiver, **like)
    senders = torch.as_tensor(game.senders, **like)
    x = torch.as_tensor(game.prior, **like).expand(len(rules), 1, -1)
    for i in range(game.n_senders):
        x = (x[:, :, None] * rules[:, i].mT[:, None]).flatten(1, 2)
    worth = x.detach() @ receiver
    tied = worth >= worth.amax(dim=2, keepdim=True) - TIE
    action = tied.to(torch.uint8).argmax(dim=2)
    each = torch.einsum("bsw,iwa->bisa", x, senders)
    index = action[:, None, :, None].expand(-1, game.n_senders, -1, 1)
    return each.gather(3, index).sum(dim=(2, 3))


def check_batch(game: PersuasionGame, rules: torch.Tensor) -> None:
    """ValueError where profiles do not fit a game by shape or type."""
    shape, n = tuple(rules.shape), game.n_senders
    if len(shape) != 4 or shape[1:3] != (n, game.n_states) or shape[3] < 1:
        raise ValueError(
            f"rules: shape {shape}, expected (profiles, {n}, {game.n_states}, signals)"
        )
    if not rules.is_floating_point():
        raise ValueError(f"rules: {rules.dtype}, expected a floating-point type")
    check_joint([shape[3]] * n)


def full_revelation(
    game: PersuasionGame, n_signals: int | Sequence[int] | None = None
) -> Float[np.ndarray, " n_senders"]:
    """What the senders have where the receiver knows the state.

    Parameters
    ----------
    game : PersuasionGame
        Prior and payoffs.
    n_signals : int or sequence of int, optional
        Of all senders, or of each: full revelation can be played only with as many
        signals as states.  By default the senders have them.

    Returns
    -------
    ndarray, shape (n_senders,)
        Utilities.

    Raises
    ------
    ValueError
        A sender with fewer signals than states.
    """
    if n_signals is not None:
        same = not isinstance(n_signals, Sequence)
        each = [n_signals] * game.n_senders if same else n_signals
        if len(each) != game.n_senders:
            raise ValueError(
                f"n_signals: {len(each)} of them, expected one for each of the "
                f"{game.n_senders} senders"
            )
        for k in each:
            check_integer("n_signals", k)
            if k < game.n_states:
                raise ValueError(
                    f"n_signals = {k}: expected {game.n_states} or more, one for each "
                    "state"
                )
    return utilities(game, [np.eye(game.n_states)] * game.n_senders)


def random_rules(
    game: PersuasionGame, n_signals: int, rng: np.random.Generator
) -> list[Float[np.ndarray, "n_states n_signals"]]:
    """A rule for each sender, rows uniform on the simplex."""
    check_integer("n_signals", n_signals)
    return [
        rng.dirichlet(np.ones(n_signals), size=game.n_states)
        for _ in range(game.n_senders)
    ]
