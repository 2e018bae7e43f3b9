"""Rules that read ballots: arrays of shape (..., n, m), one ranking a voter.

Each row lists the m alternatives 0 to m - 1, best first.  Every tie goes to the lowest
index.  All rules work over any leading dimensions, such as all profiles at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Int

__all__ = [
    "ORDINAL",
    "borda",
    "check_ballots",
    "copeland",
    "dictatorship",
    "irv",
    "majority_margins",
    "plurality",
]

_Winner = int | np.integer | Int[np.ndarray, "*n_samples"]


def check_ballots(ballots: object) -> Int[np.ndarray, "*n_samples n m"]:
    """Ballots as an array, best alternative first; ValueError where one is no ranking.

    Every row must hold each of 0 to m - 1 once.
    """
    try:
        array = np.asarray(ballots)
        whole = array.astype(np.int64)
    except (TypeError, ValueError):
        raise ValueError(
            "ballots: expected an array of shape (..., n, m); every ballot must rank "
            "the same number of alternatives"
        ) from None
    if array.ndim < 2 or 0 in array.shape[-2:]:
        raise ValueError(
            f"ballots: shape {array.shape}, expected (..., n, m), n and m of 1 or more"
        )
    m = array.shape[-1]
    rows = (np.sort(whole, axis=-1) == np.arange(m)).all(axis=-1)
    rows &= (array == whole).all(axis=-1)
    if not rows.all():
        wrong = array[~rows][0].tolist()
        raise ValueError(
            f"ballots holds {wrong}: expected each of 0 to {m - 1} once, best first"
        )
    return whole


def _places(ballots: np.ndarray) -> np.ndarray:
    """Place of each alternative on each ballot, 0 for the best."""
    return np.argsort(ballots, axis=-1)


def plurality(ballots: object) -> _Winner:
    """Alternative that most voters put first.

    Parameters
    ----------
    ballots : array_like of int, shape (..., n, m)
        Rankings, best first.

    Returns
    -------
    int or ndarray of int, shape (...)
        The winner; ties go to the lowest index.

    Raises
    ------
    ValueError
        A row that does not rank all alternatives.

    Examples
    --------
    >>> int(plurality([[0, 1, 2], [1, 2, 0], [1, 0, 2]]))
    1
    """
    ballots = check_ballots(ballots)
    first = ballots[..., :1] == np.arange(ballots.shape[-1])
    return first.sum(axis=-2).argmax(axis=-1)


def borda(ballots: object) -> _Winner:
    """Alternative with most points, m - 1 for a first place down to 0 for a last.

    Arguments, result and errors as for :func:`plurality`.
    """
    return (-_places(check_ballots(ballots)).sum(axis=-2)).argmax(axis=-1)


def majority_margins(ballots: object) -> Int[np.ndarray, "*n_samples m m"]:
    """Voters who put the row's alternative above the column's, less the others.

    Parameters
    ----------
    ballots : array_like of int, shape (..., n, m)
        Rankings, best first.

    Returns
    -------
    ndarray of int, shape (..., m, m)
        Antisymmetric; the row's alternative wins the pair where it is positive.
    """
    places = _places(check_ballots(ballots))
    m = places.shape[-1]
    margins = np.zeros((*places.shape[:-2], m, m), dtype=np.int64)
    for a in range(m):
        for b in range(a + 1, m):
            wins = np.sign(places[..., b] - places[..., a]).sum(axis=-1)
            margins[..., a, b], margins[..., b, a] = wins, -wins
    return margins


def copeland(ballots: object) -> _Winner:
    """Alternative with most pairwise wins less losses; a drawn pair counts for neither.

    Arguments, result and errors as for :func:`plurality`.
    """
    return np.sign(majority_margins(ballots)).sum(axis=-1).argmax(axis=-1)


def irv(ballots: object) -> _Winner:
    """Winner of instant run-off: drop the fewest first places until one is left.

    Of several with the fewest, the highest index is dropped.  Arguments, result and
    errors as for :func:`plurality`.
    """
    ballots = check_ballots(ballots)
    m = ballots.shape[-1]
    flat = ballots.reshape(-1, *ballots.shape[-2:])
    left = np.ones((len(flat), m), dtype=bool)
    rows = np.arange(len(flat))
    for _ in range(m - 1):
        standing = left[rows[:, None, None], flat]
        top = np.take_along_axis(flat, standing.argmax(axis=-1)[..., None], axis=-1)
        counts = (top == np.arange(m)).sum(axis=1)
        counts = np.where(left, counts, flat.shape[1] + 1)
        worst = m - 1 - counts[:, ::-1].argmin(axis=-1)
        left[rows, worst] = False
    return left.argmax(axis=-1).reshape(ballots.shape[:-2])[()]


def dictatorship(ballots: object, voter: int = 0) -> _Winner:
    """First place of one voter, 0 to n - 1; otherwise as :func:`plurality`."""
    ballots = check_ballots(ballots)
    n = ballots.shape[-2]
    if isinstance(voter, bool) or not 0 <= voter < n:
        raise ValueError(f"voter = {voter}: expected an integer, 0 to {n - 1}")
    return ballots[..., voter, 0][()]


#: Ordinal rules by name.
ORDINAL: dict[str, Callable] = {
    "plurality": plurality,
    "borda": borda,
    "copeland": copeland,
    "irv": irv,
    "dictatorship": dictatorship,
}
