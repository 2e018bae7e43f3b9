r"""Affine maximisers for any number of bidders and two items.

The allocation maximises values plus boosts: :math:`\lambda_i` where bidder i gets one
item and nobody the other, :math:`\mu_i` where she gets both, :math:`\nu_{il}` where i
gets one and l the other, 0 where nothing is sold.  Given the others' values the
welfare, as a function of a bidder's own, is the largest of nine linear *pieces*, by
what she gets and by what the others hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

__all__ = ["PIECES", "Boosts"]

#: What a bidder and what the others take in each piece of her values, as bits of items.
PIECES = ((0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 2), (2, 0), (2, 1), (3, 0))


@dataclass(frozen=True)
class Boosts:
    """Boosts of an affine maximiser for several bidders and two exchangeable items.

    Attributes
    ----------
    one, both : ndarray, shape (n_bidders,)
        Where a bidder gets one item and nobody the other, and where she gets both.
    split : ndarray, shape (n_bidders, n_bidders)
        Where one bidder gets the first item and another the second; symmetric.
    """

    one: Float[np.ndarray, " n"]
    both: Float[np.ndarray, " n"]
    split: Float[np.ndarray, "n n"]

    def __post_init__(self) -> None:
        n = len(self.one)
        if n < 2 or self.both.shape != (n,) or self.split.shape != (n, n):
            raise ValueError(
                f"boosts: shapes {self.one.shape}, {self.both.shape} and "
                f"{self.split.shape}, expected (n,), (n,) and (n, n), n at least 2"
            )
        if not all(np.isfinite(z).all() for z in (self.one, self.both, self.split)):
            raise ValueError("boosts: expected finite numbers")
        if (self.split != self.split.T).any():
            raise ValueError("split: expected a symmetric matrix")

    @classmethod
    def alike(
        cls, n: int, boosts: Float[np.ndarray, " 3"], first: np.ndarray | None = None
    ) -> Boosts:
        """All bidders alike, or all but the first.

        Parameters
        ----------
        n : int
            Bidders, 2 or more.
        boosts : ndarray, shape (3,)
            One item, both items, and one for each of two bidders.
        first : ndarray, shape (3,), optional
            The same wherever the first bidder gets something.
        """
        if n < 2:
            raise ValueError(f"n = {n}: expected an integer, 2 or more")
        rest = np.asarray(boosts, float)
        first = rest if first is None else np.asarray(first, float)
        one, both = np.full(n, rest[0]), np.full(n, rest[1])
        split = np.full((n, n), rest[2])
        one[0], both[0] = first[0], first[1]
        split[0, :] = split[:, 0] = first[2]
        return cls(one, both, split)

    @property
    def n_bidders(self) -> int:
        """Bidders."""
        return len(self.one)

    def pieces(
        self, bidder: int, others: Float[np.ndarray, "b k 2"]
    ) -> Float[np.ndarray, "b 9"]:
        """Largest welfare of the others with boosts in each of ``PIECES``.

        Parameters
        ----------
        bidder : int
        others : ndarray, shape (n_values, n_bidders - 1, 2)
            Values of the others, in order.
        """
        n = self.n_bidders
        if not 0 <= bidder < n or others.shape[1] != n - 1:
            raise ValueError(
                f"bidder {bidder}, {others.shape[1]} others: expected 0 to {n - 1}, "
                f"{n - 1} others"
            )
        who = np.delete(np.arange(n), bidder)
        out = np.zeros((len(others), 9))
        single = others + self.one[who][:, None]
        out[:, 1:3] = single.max(axis=1)
        out[:, 3] = (others.sum(axis=2) + self.both[who]).max(axis=1)
        split = others[:, :, None, 0] + others[:, None, :, 1]
        split = split + self.split[np.ix_(who, who)]
        if len(who) > 1:
            apart = ~np.eye(len(who), dtype=bool)
            out[:, 3] = np.maximum(out[:, 3], split[:, apart].max(axis=1))
        out[:, [4, 6]] = self.one[bidder]
        shared = (others + self.split[bidder, who][:, None]).max(axis=1)
        out[:, 5], out[:, 7] = shared[:, 1], shared[:, 0]
        out[:, 8] = self.both[bidder]
        return out

    def prices(
        self, bidder: int, others: Float[np.ndarray, "b k 2"]
    ) -> Float[np.ndarray, "b 3"]:
        """The affine maximiser's prices of item 1, item 2 and both for a bidder."""
        return _own_prices(self.pieces(bidder, others))


def _own_prices(pieces: np.ndarray) -> np.ndarray:
    best = pieces[:, :4].max(axis=1)
    least = [pieces[:, 4:6].max(axis=1), pieces[:, 6:8].max(axis=1), pieces[:, 8]]
    return best[:, None] - np.stack(least, axis=1)
