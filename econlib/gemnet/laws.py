r"""Laws of one item's value whose distribution function is piecewise quadratic.

On :math:`[b_k,b_{k+1}]`

.. math:: F(x)=c_{k0}+c_{k1}x+c_{k2}x^2 ,

which holds uniform values, Beta(1, 2) and mixtures of uniforms exactly, so that
integrals of revenue over such values are sums of finitely many Gauss points.  Values
are between 0 and 1; a market's unit is its largest value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

__all__ = ["LAWS", "Law", "Market", "market"]

#: Markets of two bidders by name: largest value, and each bidder's law of each item.
LAWS = ("u01", "beta12", "irregular", "asymmetric")


@dataclass(frozen=True)
class Law:
    """A law on an interval from 0, with a piecewise quadratic distribution function.

    Attributes
    ----------
    breaks : ndarray, shape (n_pieces + 1,)
        Increasing, from 0.
    coefficients : ndarray, shape (n_pieces, 3)
        Of 1, x and x squared.

    Raises
    ------
    ValueError
        Shapes or breaks that do not fit, or a function that does not rise from 0 to 1.
    """

    breaks: Float[np.ndarray, " n_breaks"]
    coefficients: Float[np.ndarray, "n_pieces 3"]

    def __post_init__(self) -> None:
        b, c = self.breaks, self.coefficients
        if len(b) != len(c) + 1 or b[0] != 0 or not (np.diff(b) > 0).all():
            raise ValueError(
                f"breaks: {len(b)} of them for {len(c)} pieces, expected one more than "
                "pieces, increasing from 0"
            )
        powers = b[:, None] ** np.arange(3)
        left = (powers[:-1] * c).sum(axis=1)
        right = (powers[1:] * c).sum(axis=1)
        slopes = [c[:, 1] + 2 * c[:, 2] * x for x in (b[:-1], b[1:])]
        # each piece ends where the next begins, the last at 1
        gaps = np.append(left, 1.0) - np.insert(right, 0, 0.0)
        if np.abs(gaps).max() > 1e-12 or np.min(slopes) < -1e-12:
            raise ValueError("coefficients: expected a function that rises from 0 to 1")

    @property
    def top(self) -> float:
        """Largest value."""
        return float(self.breaks[-1])

    def _piece(self, x: np.ndarray | np.float64) -> np.ndarray | np.int64:
        at = np.searchsorted(self.breaks, x, side="right") - 1
        return np.clip(at, 0, len(self.coefficients) - 1)

    def cdf(self, x: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        """Probability of a value of at most ``x``."""
        x = np.clip(np.asarray(x, dtype=float), 0.0, self.top)
        c = self.coefficients[self._piece(x)]
        return np.asarray(c[..., 0] + x * (c[..., 1] + x * c[..., 2]))

    def pdf(self, x: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        """Density; 0 outside the support."""
        x = np.asarray(x, dtype=float)
        c = self.coefficients[self._piece(x)]
        inside = (x >= 0) & (x <= self.top)
        return np.asarray(np.where(inside, c[..., 1] + 2 * x * c[..., 2], 0.0))

    def ppf(self, q: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        """Value at a level in [0, 1]."""
        q = np.asarray(q, dtype=float)
        levels = self.cdf(self.breaks)
        k = np.clip(np.searchsorted(levels, q, "right") - 1, 0, len(levels) - 2)
        c = self.coefficients[k]
        rest = c[..., 0] - q
        # the root 2c/(-b - sqrt(b^2 - 4ac)) is stable for a = 0
        disc = np.sqrt(np.maximum(c[..., 1] ** 2 - 4 * c[..., 2] * rest, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            x = np.where(rest == 0, 0.0, -2 * rest / (c[..., 1] + disc))
        return np.asarray(np.clip(x, self.breaks[k], self.breaks[k + 1]))


def _uniform(top: float) -> Law:
    return Law(np.array([0.0, top]), np.array([[0.0, 1 / top, 0.0]]))


@dataclass(frozen=True)
class Market:
    """Two bidders with independent values for two exchangeable items.

    Attributes
    ----------
    name : str
    unit : float
        Money of value 1 here.
    first, second : Law
        Of the first and the second bidder, for either item; the larger top is 1.
    unit_demand : bool
        Whether a bidder has a use for one item only.
    """

    name: str
    unit: float
    first: Law
    second: Law
    unit_demand: bool = False

    def swapped(self) -> Market:
        """The same with the bidders' names exchanged."""
        return replace(self, first=self.second, second=self.first)


def market(name: str, *, unit_demand: bool = False) -> Market:
    """One of the markets of this chapter.

    Parameters
    ----------
    name : {"u01", "beta12", "irregular", "asymmetric"}
        Uniform on [0, 1]; density 2(1 - v); three in four uniform on [0, 3] and one in
        four on [3, 8]; uniform on [0, 1] for the first bidder, [0, 2] for the second.
    unit_demand : bool
        Whether a bidder has a use for one item only.

    Raises
    ------
    ValueError
        Another name.
    """
    if name not in LAWS:
        raise ValueError(f"name = {name!r}: expected one of {', '.join(LAWS)}")
    whole = _uniform(1.0)
    unit, first, second = 1.0, whole, whole
    if name == "beta12":
        first = second = Law(np.array([0.0, 1.0]), np.array([[0.0, 2.0, -1.0]]))
    elif name == "irregular":
        slope = 0.25 / (5 / 8)
        pieces = np.array([[0.0, 2.0, 0.0], [1 - slope, slope, 0.0]])
        first = second = Law(np.array([0.0, 3 / 8, 1.0]), pieces)
        unit = 8.0
    elif name == "asymmetric":
        unit, first = 2.0, _uniform(0.5)
    return Market(name, unit, first, second, unit_demand)
