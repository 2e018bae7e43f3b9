r"""The buyers of the six settings: what a bundle is worth, sampled.

=====  =======================================================================
A      additive, :math:`t_j\sim U[0,1]`
B      additive, :math:`t_j\sim U[0,j/m]` for :math:`j=1..m`
C      unit demand, :math:`v(T)=\max_{j\in T}t_j`, :math:`t_j\sim U[0,1]`
D      :math:`k`-demand: the sum of the three largest :math:`t_j` in :math:`T`
E      every bundle by itself, :math:`v(T)\sim U[0,\sqrt{|T|}]`, no free disposal
F      :math:`v(T)=\sum_{j\in T}t_j+c_T`, :math:`t_j\sim U[1,2]`,
       :math:`c_T\sim U[-|T|,|T|]` for each bundle
=====  =======================================================================

Bundles are bit masks: bit j is item j, 0 the empty bundle, worth nothing.  Where a
seller prices by size only, all that matters of a buyer is the best bundle of each size,
which :meth:`Setting.best_by_size` draws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.special import comb

from econlib.sequential_auctions.posted_prices import check_laws

__all__ = ["MOST_ITEMS", "SETTINGS", "Setting", "popcount"]

SETTINGS = ("A", "B", "C", "D", "E", "F")
#: Largest number of items for which a table of all bundles is made.
MOST_ITEMS = 14
_MOST_BEST = 200


def popcount(n_items: int) -> np.ndarray:
    """Number of items of each bundle, shape (2 ** n_items,)."""
    return np.array([bin(k).count("1") for k in range(2**n_items)])


@dataclass(frozen=True)
class Setting:
    """Buyers of one of the settings.

    Parameters
    ----------
    name : str
        ``A`` to ``F``.
    n_items : int
        1 to 200; a table of all bundles needs 14 or fewer.
    demand : int
        Items that a buyer of setting D wants at most, 1 or more.
    spread : tuple of float
        Ends of :math:`c_T/|T|` in setting F.  The stated law is (-1, 1); the official
        code trains on (0, 1) and tests on (-1, 1).
    law : scipy.stats frozen distribution, optional
        Of :math:`t_j` in place of the stated one, with nonnegative bounded values; in
        setting B of :math:`t_jm/j`.  Setting E has none.

    Raises
    ------
    ValueError
        An unknown name, a size out of range, reversed ends, or a law that cannot be
        drawn from.

    Examples
    --------
    >>> Setting("C", 5).values(3, np.random.default_rng(0)).shape
    (3, 32)
    """

    name: str
    n_items: int
    demand: int = 3
    spread: tuple[float | int, float | int] = (-1.0, 1.0)
    law: object | None = None

    def __post_init__(self) -> None:
        if self.name not in SETTINGS:
            raise ValueError(
                f"name = {self.name!r}: expected one of {', '.join(SETTINGS)}"
            )
        for name, low, high in (
            ("n_items", 1, _MOST_BEST),
            ("demand", 1, _MOST_BEST),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"{name} = {getattr(self, name)}: expected an integer, "
                    f"{low} to {high}"
                )
        if not -np.inf < self.spread[0] < self.spread[1] < np.inf:
            raise ValueError(f"spread = {self.spread}: expected low < high")
        if self.name in "EF" and self.n_items > MOST_ITEMS:
            raise ValueError(self._too_many())
        if self.law is not None:
            if self.name == "E":
                raise ValueError("law: setting E draws bundles, not items")
            check_laws([self.law])

    def _too_many(self) -> str:
        return (
            f"n_items = {self.n_items}: a table of 2^{self.n_items} bundles; expected "
            f"at most {MOST_ITEMS} items. Try entry fees, which need n_items + 1 prices"
        )

    @property
    def symmetric(self) -> bool:
        """Whether items are exchangeable, so that prices by size suffice as a class."""
        return self.name != "B"

    @property
    def most(self) -> int:
        """Largest bundle that a buyer has a use for."""
        return {"C": 1, "D": min(self.demand, self.n_items)}.get(
            self.name, self.n_items
        )

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and largest value of an item; in setting B of the last one."""
        if self.law is None:
            return (1.0, 2.0) if self.name == "F" else (0.0, 1.0)
        low, high = np.asarray(self.law.ppf([0.0, 1.0]), float).tolist()
        return low, high

    @cached_property
    def tops(self) -> Float[np.ndarray, " n_items"]:
        """Largest value of each item; not for setting E."""
        top = np.full(self.n_items, self.bounds[1])
        if self.name == "B":
            top = top * np.arange(1, self.n_items + 1) / self.n_items
        return top

    def _draw(self, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        """Values of items before setting B scales them."""
        t = rng.random(shape)
        if self.law is not None:
            return np.asarray(self.law.ppf(t), float)
        return t + 1 if self.name == "F" else t

    @cached_property
    def sizes(self) -> np.ndarray:
        """Number of items of each bundle, shape (2 ** n_items,)."""
        if self.n_items > MOST_ITEMS:
            raise ValueError(self._too_many())
        return popcount(self.n_items)

    @cached_property
    def _holds(self) -> np.ndarray:
        """Whether bundle k holds item j, shape (2 ** n_items, n_items)."""
        return (np.arange(len(self.sizes))[:, None] >> np.arange(self.n_items)) & 1

    def items(
        self, n_samples: int, rng: np.random.Generator
    ) -> Float[np.ndarray, "n_samples n_items"]:
        """Values :math:`t_j` of single items, for the settings that have them."""
        if self.name == "E":
            raise ValueError("name = 'E': bundles have values of their own, items none")
        t = self._draw((n_samples, self.n_items), rng)
        if self.name == "B":
            return t * np.arange(1, self.n_items + 1) / self.n_items
        return t

    def values(
        self, n_samples: int, rng: np.random.Generator
    ) -> Float[np.ndarray, "n_samples n_bundles"]:
        """Values of every bundle, the empty one's 0.

        Parameters
        ----------
        n_samples : int
            Buyers.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray, shape (n_samples, 2 ** n_items)

        Raises
        ------
        ValueError
            More than 14 items.
        """
        k = self.sizes
        if self.name == "E":
            return rng.random((n_samples, len(k))) * np.sqrt(k)
        t = self.items(n_samples, rng)
        if self.name in "AB":
            return t @ self._holds.T
        if self.name == "F":
            low, high = self.spread
            c = rng.uniform(low, high, (n_samples, len(k))) * k
            return t @ self._holds.T + c
        most = self.most
        held = t[:, None, :] * self._holds
        if self.n_items <= most:
            return held.sum(axis=2)
        return np.partition(held, -most, axis=2)[:, :, -most:].sum(axis=2)

    def best_by_size(
        self, n_samples: int, n_left: int, rng: np.random.Generator
    ) -> Float[np.ndarray, "n_samples n_sizes"]:
        """Value of a buyer's best bundle of each size, of some items left.

        Parameters
        ----------
        n_samples : int
            Buyers.
        n_left : int
            Items left, 1 to ``n_items``.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray, shape (n_samples, min(n_left, most) + 1)
            First the empty bundle's 0.

        Raises
        ------
        ValueError
            Items that are not exchangeable, or more left than there are.
        """
        if not self.symmetric:
            raise ValueError("name = 'B': items differ, so that size is not enough")
        if not 1 <= n_left <= self.n_items:
            raise ValueError(
                f"n_left = {n_left}: expected an integer, 1 to {self.n_items}"
            )
        most = min(self.most, n_left)
        if self.name in "ACD":
            t = self._draw((n_samples, n_left), rng)
            t = np.sort(t, axis=1)[:, ::-1][:, :most].cumsum(axis=1)
            return np.concatenate([np.zeros((n_samples, 1)), t], axis=1)
        if self.name == "E":  # independent: the best of c values is u^(1/c)
            k = np.arange(n_left + 1)
            u = rng.random((n_samples, n_left + 1)) ** (1 / comb(n_left, k))
            return u * np.sqrt(k)
        few = replace(self, n_items=n_left)
        best = np.zeros((n_samples, n_left + 1))
        chunk = max(1, 2**22 >> n_left)
        for start in range(0, n_samples, chunk):
            v = few.values(min(chunk, n_samples - start), rng)
            for k in range(1, n_left + 1):
                best[start : start + len(v), k] = v[:, few.sizes == k].max(axis=1)
        return best
