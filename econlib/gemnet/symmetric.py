r"""Affine maximisers whose boosts depend only on how many items go to how many bidders.

With bidders and items alike, an allocation counts by its *shape*: how many items the
bidders get, in decreasing order.  With :math:`W_s(v)` the largest welfare among
allocations of shape s, and boosts :math:`\lambda_s` (0 where nothing is sold), all
bidders together pay

.. math::

   \sum_i\max_s\big(W_s(v_{-i})+\lambda_s\big)-(n-1)\,W_{s^*}(v)-n\,\lambda_{s^*},
   \qquad s^*=\arg\max_sW_s(v)+\lambda_s ,

so that the :math:`(n+1)^m` allocations are looked at once, and boosts are tuned on
:math:`W` alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import stats
from scipy.optimize import minimize

from econlib.gemnet.laws import Law
from econlib.gemnet.lottery import AllocationList, deterministic_allocations

__all__ = ["SymmetricBoosts", "tune_symmetric"]


@dataclass(frozen=True)
class SymmetricBoosts:
    """A deterministic affine maximiser that treats bidders and items alike.

    Attributes
    ----------
    n_bidders, n_items : int
    shapes : tuple of tuple of int
        How many items the bidders get, in decreasing order; nothing first.
    boosts : ndarray, shape (n_shapes,)
        0 for the first.
    unit_demand : bool
        Whether nobody gets more than one item.
    """

    n_bidders: int
    n_items: int
    shapes: tuple[tuple[int, ...], ...]
    boosts: Float[np.ndarray, " n_shapes"]
    unit_demand: bool = False

    def payments(
        self, values: Float[np.ndarray, "n_profiles n m"]
    ) -> Float[np.ndarray, " n_profiles"]:
        """All payments together at some profiles."""
        n, m = self.n_bidders, self.n_items
        best = _best(values, *_grouped(n, m, self.unit_demand), len(self.shapes))
        return _paid(best, self.boosts)

    def as_list(self) -> AllocationList:
        """The same, allocation by allocation."""
        a, at = _grouped(self.n_bidders, self.n_items, self.unit_demand)
        return AllocationList(a, self.boosts[at], np.ones(self.n_bidders))


def tune_symmetric(
    law: Law,
    n_bidders: int,
    n_items: int,
    *,
    unit_demand: bool = False,
    log2_n: int = 13,
    seed: int = 0,
    evaluations: int = 1500,
) -> SymmetricBoosts:
    """Boosts of most revenue, by Nelder and Mead on a fixed set of points.

    Parameters
    ----------
    law : Law
        Of every bidder's value of every item.
    n_bidders, n_items : int
        1 or more, with at most 50,000 allocations.
    unit_demand : bool
        Whether nobody gets more than one item.
    log2_n : int
        Points of a scrambled Sobol sequence, 6 to 18.
    seed : int
    evaluations : int
        At most this many of each of two searches, 10 or more.

    Raises
    ------
    ValueError
        Sizes, points or evaluations out of range.

    Notes
    -----
    Revenue on these points is biased upwards: evaluate on others.
    """
    if not 6 <= log2_n <= 18 or evaluations < 10:
        raise ValueError(
            f"log2_n = {log2_n}, evaluations = {evaluations}: expected 6 to 18, and "
            "10 or more"
        )
    a, at = _grouped(n_bidders, n_items, unit_demand)
    shapes = _shapes(a)
    u = stats.qmc.Sobol(n_bidders * n_items, rng=seed).random_base2(log2_n)
    best = _best(law.ppf(u).reshape(-1, n_bidders, n_items), a, at, len(shapes))

    def loss(z: np.ndarray) -> float:
        return -float(_paid(best, np.append(0.0, z)).mean())

    # from items sold apart at the median; restarted once, where the simplex is small
    first = -float(law.ppf(0.5)) * np.array([float(sum(s)) for s in shapes[1:]])
    for scale in (0.2, 0.05):
        corners = np.vstack([first, first + scale * np.diag(np.abs(first))])
        options = {
            "initial_simplex": corners,
            "maxfev": evaluations,
            "xatol": 1e-5,
            "fatol": 1e-9,
        }
        first = minimize(loss, first, method="Nelder-Mead", options=options).x
    boosts = np.append(0.0, first)
    return SymmetricBoosts(n_bidders, n_items, shapes, boosts, unit_demand)


def _shapes(a: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Shapes in order, by items sold and then by the largest share."""
    counts = {tuple(-np.sort(-row).astype(int)) for row in a.sum(axis=2)}
    return tuple(tuple(map(int, s)) for s in sorted(counts, key=lambda s: (sum(s), s)))


def _grouped(n: int, m: int, unit_demand: bool) -> tuple[np.ndarray, np.ndarray]:
    """All allocations, the empty one first, and the number of the shape of each."""
    a = deterministic_allocations(n, m, unit_demand=unit_demand)
    place = {s: k for k, s in enumerate(_shapes(a))}
    rows = [tuple(map(int, -np.sort(-row))) for row in a.sum(axis=2)]
    return a, np.array([place[s] for s in rows])


def _best(
    values: Float[np.ndarray, "b n m"],
    a: Float[np.ndarray, "t n m"],
    at: Int[np.ndarray, " t"],
    n_shapes: int,
) -> np.ndarray:
    """Largest welfare by shape, shape (n_profiles, n + 1, n_shapes).

    The first of everybody, the others without a bidder: with her values at zero, which
    leaves her items with nobody at the boost of the shape.
    """
    n = values.shape[1]
    out = np.empty((len(values), n + 1, n_shapes))
    step = max(1, 2**22 // len(a))
    for begin in range(0, len(values), step):
        part = slice(begin, begin + step)
        worth = np.einsum("bim,tim->bit", values[part], a)
        total = worth.sum(axis=1, keepdims=True)
        each = np.concatenate([total, total - worth], axis=1)
        for s in range(n_shapes):
            out[part, :, s] = each[:, :, at == s].max(axis=2)
    return out


def _paid(best: np.ndarray, boosts: np.ndarray) -> np.ndarray:
    n = best.shape[1] - 1
    total = best + boosts
    s = total[:, 0].argmax(axis=1)
    welfare = best[np.arange(len(best)), 0, s]
    alone = total[:, 1:].max(axis=2).sum(axis=1)
    return alone - (n - 1) * welfare - n * boosts[s]
