r"""What methods found, in numbers: shares, scores, dominance, intervals.

A method's *score* in a game is the welfare of its best certified profile above full
revelation's, as a share of what the bound leaves; 0 where nothing is certified.
Intervals draw games with replacement first, then seeds within each, since seeds of one
game resemble each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from econlib.persuasion.comparison import Row, above
from econlib.persuasion.cones import gains_by_any_rule
from econlib.persuasion.games import PersuasionGame, full_revelation
from econlib.persuasion.pipeline import select

__all__ = ["Interval", "interval", "pareto", "tally"]


@dataclass(frozen=True)
class Interval:
    """A mean and a bootstrap interval.

    Attributes
    ----------
    mean, low, high : float
        Over games, and the 2.5 and 97.5 per cent points.
    """

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


def interval(
    values: Float[np.ndarray, "n_games n_seeds"], n_draws: int = 2000, seed: int = 0
) -> Interval:
    """Mean over games and seeds, and its 95 % hierarchical bootstrap interval.

    Parameters
    ----------
    values : ndarray, shape (n_games, n_seeds)
        Finite numbers.
    n_draws : int
        100 or more.
    seed : int
        Of the draws.

    Examples
    --------
    >>> interval(np.ones((4, 3)))
    Interval(mean=1.0, low=1.0, high=1.0)
    """
    values = np.asarray(values, float)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(
            f"values: shape {values.shape}, expected finite numbers, (games, seeds)"
        )
    if n_draws < 100:
        raise ValueError(f"n_draws = {n_draws}: expected an integer, 100 or more")
    rng = np.random.default_rng(seed)
    n_games, n_seeds = values.shape
    game = rng.integers(n_games, size=(n_draws, n_games, 1))
    of = rng.integers(n_seeds, size=(n_draws, n_games, n_seeds))
    means = values[game, of].mean(axis=(1, 2))
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def pareto(
    ours: Float[np.ndarray, " n_senders"],
    theirs: Float[np.ndarray, " n_senders"],
    least: float = 1e-3,
) -> str:
    """How utilities compare: better, worse, equal or incomparable.

    Differences of at most ``least`` count as none.

    Examples
    --------
    >>> pareto(np.array([0.5, 0.6]), np.array([0.5, 0.4]))
    'better'
    """
    more = np.asarray(ours, float) - np.asarray(theirs, float)
    gained, lost = bool((more > least).any()), bool((more < -least).any())
    if gained and lost:
        return "incomparable"
    return "better" if gained else "worse" if lost else "equal"


def tally(game: PersuasionGame, row: Row, tolerance: float) -> dict:
    """A method's row of the tables.

    Parameters
    ----------
    game : PersuasionGame
        In which it was found.
    row : Row
        What was found.
    tolerance : float
        Largest gain of a local equilibrium, 0 or more.

    Returns
    -------
    dict
        ``gain``, the median over the climb's end points of the largest exact local gain
        of a sender; ``verified`` and ``searched``, shares certified after the climb and
        after the search; ``points`` and ``above``, how many are certified in all and
        how many of them dominate full revelation; ``utilities``, ``score``, ``local``
        and ``everywhere`` of the selected profile, the last two its largest exact gains
        in the box and by any rule; ``error``, ``sign``, ``capture``, ``near`` (the
        error near the climb's end points), ``weights`` and ``fits`` of a network, None
        for others; CPU ``seconds``.
    """
    points = row.points
    held = points.verified(tolerance)
    best = select(game, points, tolerance)
    dominates = above(full_revelation(game), points.utilities) & held
    # full revelation is an equilibrium where it is selected
    local = everywhere = float(0 * best.utilities.sum())
    if best.found:
        local = max(0.0, float(points.gains[best.index].max()))
        rules = list(points.rules[best.index])
        everywhere = max(0.0, float(gains_by_any_rule(game, rules).max()))
    known = row.local
    searched = row.searched and float(row.searched.verified(tolerance).mean())
    return {
        "gain": float(np.median(row.climbed.gains.max(axis=1))),
        "verified": float(row.climbed.verified(tolerance).mean()),
        "searched": searched,
        "points": int(held.sum()),
        "above": int(dominates.sum()),
        "utilities": best.utilities.tolist(),
        "score": best.score,
        "local": local,
        "everywhere": everywhere,
        "error": row.error if known else None,
        "sign": known.sign if known else None,
        "capture": known.capture if known else None,
        "near": known.error if known else None,
        "weights": row.n_weights if known else None,
        "fits": row.n_fits if known else None,
        "seconds": row.seconds,
    }
