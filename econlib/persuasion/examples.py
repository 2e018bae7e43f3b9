r"""Games that the chapter looks at: drawn at random, and made by hand.

In a *match* game the receiver wants to name the state, in a *uniform* one payoffs are
anything.  Two *prosecutors* want a conviction, or one of them does and the other does
not; the judge convicts where guilt is at least as likely as a threshold.  The *surface*
game has a safe third action, best where neither state is likely, and makes the surfaces
of the paper's first figure.
"""

from __future__ import annotations

import numpy as np

from econlib.persuasion.games import (
    PersuasionGame,
    check_integer,
    random_rules,
    utilities,
)

__all__ = ["is_degenerate", "match_game", "prosecutors", "surface_game", "uniform_game"]


def _check_sizes(n_senders: int, n_states: int, n_actions: int, seed: int) -> None:
    check_integer("n_senders", n_senders, 1, 20)
    check_integer("n_states", n_states, 2, 20)
    check_integer("n_actions", n_actions, 2, 20)
    check_integer("seed", seed, 0)


def uniform_game(
    n_senders: int, n_states: int, n_actions: int, seed: int
) -> PersuasionGame:
    """All utilities uniform on [0, 1], the prior uniform on the simplex."""
    _check_sizes(n_senders, n_states, n_actions, seed)
    rng = np.random.default_rng(seed)
    prior = rng.dirichlet(np.ones(n_states))
    receiver = rng.random((n_states, n_actions))
    return PersuasionGame(prior, receiver, rng.random((n_senders, n_states, n_actions)))


def match_game(
    n_senders: int, n_states: int, n_actions: int, seed: int
) -> PersuasionGame:
    """The receiver gains 1 by action ω in state ω, and up to 0.3 by any.

    With fewer actions than states action ω modulo their number counts.
    """
    _check_sizes(n_senders, n_states, n_actions, seed)
    rng = np.random.default_rng(seed)
    prior = rng.dirichlet(np.full(n_states, 5.0))
    receiver = 0.3 * rng.random((n_states, n_actions))
    state = np.arange(n_states)
    receiver[state, state % n_actions] += 1
    return PersuasionGame(prior, receiver, rng.random((n_senders, n_states, n_actions)))


def prosecutors(
    kind: str = "aligned", guilt: float = 0.3, threshold: float = 0.5
) -> PersuasionGame:
    """Two prosecutors before a judge; states innocent and guilty, convict first.

    Parameters
    ----------
    kind : {"aligned", "opposed"}
        Both gain 1 by a conviction, or the second by an acquittal.
    guilt, threshold : float
        Prior probability of guilt, and the posterior at which the judge convicts;
        both inside (0, 1).
    """
    if kind not in ("aligned", "opposed"):
        raise ValueError(f"kind = {kind!r}: expected 'aligned' or 'opposed'")
    for name, x in (("guilt", guilt), ("threshold", threshold)):
        if not 0 < x < 1:
            raise ValueError(f"{name} = {x}: expected a number inside (0, 1)")
    receiver = np.array([[-threshold, 0.0], [1 - threshold, 0.0]])
    convict = np.array([[1.0, 0.0], [1.0, 0.0]])
    second = convict if kind == "aligned" else 1 - convict
    return PersuasionGame(
        np.array([1 - guilt, guilt]), receiver, np.stack([convict, second])
    )


def surface_game() -> PersuasionGame:
    """Two equal senders; the third action is best where no state is above .65."""
    payoff = np.array([[1, 2, 4], [2, 3, 3.5]])
    return PersuasionGame(
        np.array([0.5, 0.5]),
        np.array([[1, 0, 0.65], [0, 1, 0.65]]),
        np.stack([payoff, payoff]),
    )


def is_degenerate(
    game: PersuasionGame, n_signals: int, seed: int = 0, n_profiles: int = 200
) -> bool:
    """Whether some sender's utility hardly depends on the rules.

    True where its standard deviation over random profiles is below 1e-3.

    Raises
    ------
    ValueError
        Fewer than one signal or two profiles, or a negative seed.
    """
    for name, n, least in (("n_signals", n_signals, 1), ("n_profiles", n_profiles, 2)):
        check_integer(name, n, least)
    check_integer("seed", seed, 0)
    rng = np.random.default_rng(seed)
    drawn = [
        utilities(game, random_rules(game, n_signals, rng)) for _ in range(n_profiles)
    ]
    return bool((np.std(drawn, axis=0) < 1e-3).any())
