r"""Distributions of what traders, bidders and buyers value: sampled, and as densities.

Every law lives on an affine image of the unit cube,

.. math::

   x = o + M s,\qquad s\in[0,1]^d\ \text{with density}\ f_s,\qquad
   f(x) = f_s\big(M^{-1}(x-o)\big)\,/\,|\det M| ,

with :math:`o` the ``origin`` and :math:`M` the ``axes``.  That keeps uniform laws on
shifted, scaled or sheared boxes exactly uniform for polygons and grids.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor

__all__ = ["DISTRIBUTIONS", "Marginal", "Valuation", "make"]

#: Each law's parameters with their defaults and ranges.
DISTRIBUTIONS: dict[str, dict[str, tuple[float, float, float]]] = {
    "uniform": {},
    "beta": {"a": (2.0, 1.0, 50.0), "b": (2.0, 1.0, 50.0)},
    "truncnorm": {"mean": (0.5, 0.0, 1.0), "sd": (0.125, 0.05, 10.0)},
    "linear_correlation": {"weight": (0.5, 0.0, 0.95)},
    "gaussian_copula": {"correlation": (0.5, -0.95, 0.95)},
    "small_box": {},
}


@dataclass(frozen=True)
class Marginal:
    """Law of one item's value, on an interval.

    Attributes
    ----------
    law : scipy.stats frozen distribution
        With ``pdf``, ``cdf``, ``ppf``.
    low, high : float
        Ends of its support.
    """

    law: object
    low: float
    high: float

    def pdf(self, x: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        """Density at ``x``; 0 outside the support."""
        return np.asarray(self.law.pdf(x))

    def cdf(self, x: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        """Probability of a value of at most ``x``."""
        return np.asarray(self.law.cdf(x))

    def ppf(self, q: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        """Quantile function, for ``q`` in [0, 1]."""
        return np.asarray(self.law.ppf(q))

    def virtual_value(
        self, x: Float[np.ndarray, " n"], *, ironed: bool = False, n_grid: int = 4001
    ) -> Float[np.ndarray, " n"]:
        r"""Myerson's virtual value :math:`x-(1-F(x))/f(x)`.

        Parameters
        ----------
        x : ndarray, shape (n,)
            Values inside the support.
        ironed : bool
            Whether to take the slope of the concave hull of the revenue curve in
            quantiles instead, which is monotone.
        n_grid : int
            Quantiles that the hull is taken over, 100 or more.

        Returns
        -------
        ndarray, shape (n,)
            Virtual values.
        """
        x = np.asarray(x, dtype=float)
        if not ironed:
            with np.errstate(divide="ignore"):
                return x - (1 - self.cdf(x)) / self.pdf(x)
        sold = np.linspace(0.0, 1.0, n_grid)
        revenue = sold * self.ppf(1 - sold)
        hull = _upper_hull(sold, revenue)
        slopes = np.diff(revenue[hull]) / np.diff(sold[hull])
        at = np.searchsorted(sold[hull], 1 - self.cdf(x), side="left")
        return slopes[np.clip(at - 1, 0, len(slopes) - 1)]


def _upper_hull(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Indices of the upper concave hull of points sorted by ``x``."""
    hull: list[int] = []
    for i in range(len(x)):
        while len(hull) > 1:
            p, q = hull[-2], hull[-1]
            if (y[q] - y[p]) * (x[i] - x[p]) > (y[i] - y[p]) * (x[q] - x[p]):
                break
            hull.pop()
        hull.append(i)
    return np.array(hull)


@dataclass(frozen=True)
class Valuation:
    r"""A law of values for several items.

    Attributes
    ----------
    name : str
        One of ``DISTRIBUTIONS``.
    parameters : dict
        The law's parameters.
    origin : ndarray, shape (n_items,)
        :math:`o`.
    axes : ndarray, shape (n_items, n_items)
        :math:`M`, columns the edges of the support.
    """

    name: str
    parameters: dict
    origin: Float[np.ndarray, " n_items"]
    axes: Float[np.ndarray, "n_items n_items"]

    @property
    def n_items(self) -> int:
        """Number of items, 1 or more."""
        return len(self.origin)

    @property
    def is_uniform(self) -> bool:
        """Whether the density is constant on the support."""
        return self.name in ("uniform", "small_box", "linear_correlation")

    @cached_property
    def inverse_axes(self) -> Float[np.ndarray, "n_items n_items"]:
        """Inverse of ``axes``."""
        return np.linalg.inv(self.axes)

    @cached_property
    def volume(self) -> float:
        """Volume of the support."""
        return abs(float(np.linalg.det(self.axes)))

    @property
    def support(self) -> Float[np.ndarray, "n_items 2"]:
        """Smallest box that holds the support: low and high of each item."""
        low = self.origin + np.minimum(self.axes, 0).sum(axis=1)
        high = self.origin + np.maximum(self.axes, 0).sum(axis=1)
        return np.stack([low, high], axis=1)

    def to_unit(
        self, x: Float[np.ndarray, "*batch n_items"]
    ) -> Float[np.ndarray, "*batch n_items"]:
        """Coordinates :math:`s` of points :math:`x`."""
        return (x - self.origin) @ self.inverse_axes.T

    def from_unit(
        self, s: Float[np.ndarray, "*batch n_items"]
    ) -> Float[np.ndarray, "*batch n_items"]:
        """Points :math:`x` of coordinates :math:`s`."""
        return self.origin + s @ self.axes.T

    def unit_pdf(
        self, s: Float[np.ndarray, "n_points n_items"]
    ) -> Float[np.ndarray, " n_points"]:
        """Density of :math:`s`, at points of the open unit cube."""
        if self.is_uniform:
            return np.ones(len(s))
        if self.name == "gaussian_copula":
            return np.exp(self._log_copula(s))
        return np.prod(self.marginals[0].law.pdf(s), axis=1)

    def unit_score(
        self, s: Float[np.ndarray, "n_points n_items"]
    ) -> Float[np.ndarray, "n_points n_items"]:
        r"""Gradient :math:`\nabla\log f_s`, at points of the open unit cube."""
        if self.is_uniform:
            return np.zeros_like(s)
        if self.name == "beta":
            a, b = self.parameters["a"], self.parameters["b"]
            return (a - 1) / s - (b - 1) / (1 - s)
        if self.name == "truncnorm":
            return (self.parameters["mean"] - s) / self.parameters["sd"] ** 2
        rho, z = self.parameters["correlation"], stats.norm.ppf(s)
        by_z = -(rho**2 * z - rho * z[:, ::-1]) / (1 - rho**2)
        return by_z / stats.norm.pdf(z)

    def _log_copula(self, s: np.ndarray) -> np.ndarray:
        rho, z = self.parameters["correlation"], stats.norm.ppf(s)
        a, b = z[:, 0], z[:, 1]
        quadratic = rho**2 * (a**2 + b**2) - 2 * rho * a * b
        return -quadratic / (2 * (1 - rho**2)) - math.log(1 - rho**2) / 2

    def pdf(
        self, x: Float[np.ndarray, "n_points n_items"]
    ) -> Float[np.ndarray, " n_points"]:
        """Density at ``x``; 0 outside the support."""
        s = self.to_unit(np.asarray(x, dtype=float))
        inside = ((s >= 0) & (s <= 1)).all(axis=1)
        density = np.zeros(len(s))
        tiny = 1e-15  # the copula's density is not finite at the corners
        density[inside] = self.unit_pdf(np.clip(s[inside], tiny, 1 - tiny))
        return density / self.volume

    @cached_property
    def marginals(self) -> tuple[Marginal, ...]:
        """Law of each item's value by itself."""
        if self.name == "linear_correlation":
            w = self.parameters["weight"]
            low, high = min(w, 1 - w), max(w, 1 - w)
            second = stats.trapezoid(c=low, d=high) if 0 < w < 1 else stats.uniform()
            laws = [stats.uniform(), second]
        elif self.name == "beta":
            laws = [stats.beta(self.parameters["a"], self.parameters["b"])]
        elif self.name == "truncnorm":
            mean, sd = self.parameters["mean"], self.parameters["sd"]
            laws = [stats.truncnorm(-mean / sd, (1 - mean) / sd, loc=mean, scale=sd)]
        else:
            widths = np.diag(self.axes)
            laws = [
                stats.uniform(o, w) for o, w in zip(self.origin, widths, strict=True)
            ]
        if len(laws) == 1:
            laws = laws * self.n_items
        ends = self.support
        return tuple(
            Marginal(law, *map(float, e)) for law, e in zip(laws, ends, strict=True)
        )

    def sample(
        self,
        n_samples: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
        *,
        even: bool = False,
    ) -> Float[Tensor, "n_samples n_items"]:
        r"""Draw values.

        Parameters
        ----------
        n_samples : int
            1 or more.
        generator : torch.Generator, optional
            On the device where the sample shall be.
        dtype : torch.dtype
            float32 for learners, float64 for checks.
        even : bool
            Whether to spread the draws evenly: a lattice with a random shift, whose
            means have the same expectation and far less variance.

        Returns
        -------
        Tensor, shape (n_samples, n_items)
            Independent draws; where ``even``, each follows the law, but together they
            depend on each other.

        Notes
        -----
        The lattice is :math:`s_i=i\,(g^{-1},\dots,g^{-d})+\text{shift}` modulo 1, with
        :math:`g` the root above 1 of :math:`g^{d+1}=g+1`.
        """
        if n_samples < 1:
            raise ValueError(f"n_samples = {n_samples}: expected an integer, 1 or more")
        device = generator.device if generator is not None else torch.device("cpu")
        shape = (n_samples, self.n_items)
        kw = {"generator": generator, "device": device, "dtype": dtype}
        s = self._lattice(shape, kw) if even else torch.rand(shape, **kw)
        if self.name == "gaussian_copula":
            tiny = torch.finfo(dtype).eps
            z = torch.special.ndtri(s.clamp(tiny, 1 - tiny))
            rho = self.parameters["correlation"]
            mixed = rho * z[:, 0] + math.sqrt(1 - rho**2) * z[:, 1]
            return torch.special.ndtr(torch.stack([z[:, 0], mixed], dim=1))
        if self.name == "truncnorm":
            mean, sd = self.parameters["mean"], self.parameters["sd"]
            low, high = stats.norm.cdf([-mean / sd, (1 - mean) / sd])
            return mean + sd * torch.special.ndtri(low + (high - low) * s)
        if self.name == "beta":
            knots = torch.as_tensor(self._quantiles, dtype=dtype, device=device)
            place = s * (len(knots) - 1)
            left = place.long().clamp(max=len(knots) - 2)
            return torch.lerp(knots[left], knots[left + 1], place - left)
        origin = torch.as_tensor(self.origin, dtype=dtype, device=device)
        axes = torch.as_tensor(self.axes, dtype=dtype, device=device)
        return origin + s @ axes.T

    @staticmethod
    def _lattice(shape: tuple[int, int], kw: dict) -> Tensor:
        n, d = shape
        g = 2.0
        for _ in range(60):
            g = (1 + g) ** (1 / (d + 1))
        steps = g ** -np.arange(1.0, d + 1)
        points = torch.as_tensor(np.outer(np.arange(n), steps) % 1.0)
        shift = torch.rand((1, d), **kw)
        return (points.to(shift) + shift) % 1.0

    @cached_property
    def _quantiles(self) -> np.ndarray:
        """Quantile table: its linear interpolation is within 1e-4 of the law."""
        return self.marginals[0].ppf(np.linspace(0.0, 1.0, 20_001))


def make(
    name: str,
    n_items: int = 2,
    *,
    base: tuple[float, ...] | list[float] | None = None,
    size: tuple[float, ...] | list[float] | float | None = None,
    **parameters: float,
) -> Valuation:
    r"""Make a law by name.

    Parameters
    ----------
    name : str
        ``uniform`` on :math:`[0,1]^d`; ``beta`` (``a``, ``b``) and ``truncnorm``
        (``mean``, ``sd``; the normal law cut to [0, 1]), independent across items;
        ``linear_correlation`` (``weight`` :math:`w`), :math:`x_2=wx_1+(1-w)u` with
        :math:`x_1,u` uniform; ``gaussian_copula`` (``correlation``), uniform marginals;
        ``small_box``, uniform on the box from ``base`` with sides ``size``.
    n_items : int
        1 to 10; 2 for the two correlated laws.
    base, size : sequence of float
        Lowest corner and sides (positive) of a ``small_box``.
    **parameters : float
        As listed, within ``DISTRIBUTIONS``.

    Returns
    -------
    Valuation
        The law.

    Raises
    ------
    ValueError
        Unknown name or parameter, or one out of range.

    Examples
    --------
    >>> make("beta", 2).pdf(np.array([[0.5, 0.5]])).round(6).tolist()
    [2.25]
    """
    if name not in DISTRIBUTIONS:
        close = difflib.get_close_matches(str(name), DISTRIBUTIONS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"name = {name!r}: expected one of {', '.join(DISTRIBUTIONS)}.{hint}"
        )
    if (
        isinstance(n_items, bool)
        or not isinstance(n_items, int)
        or not 1 <= n_items <= 10
    ):
        raise ValueError(f"n_items = {n_items!r}: expected an integer, 1 to 10")
    if name in ("linear_correlation", "gaussian_copula") and n_items != 2:
        raise ValueError(f"n_items = {n_items}: {name} is a law of 2 items")
    known = DISTRIBUTIONS[name]
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ValueError(
            f"{unknown[0]}: not a parameter of {name}, which has "
            f"{', '.join(known) or 'none'}"
        )
    values = {}
    for key, (default, low, high) in known.items():
        value = parameters.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{key} = {value!r}: expected a number, {low} to {high}")
        if not low <= value <= high:
            raise ValueError(f"{key} = {value}: expected {low} to {high}")
        values[key] = float(value)
    origin, axes = np.zeros(n_items), np.eye(n_items)
    if name == "linear_correlation":
        w = values["weight"]
        axes = np.array([[1.0, 0.0], [w, 1.0 - w]])
    if name == "small_box":
        origin, sides = _box(base, size, n_items)
        axes = np.diag(sides)
    elif base is not None or size is not None:
        raise ValueError(f"base, size: not parameters of {name}, but of small_box")
    return Valuation(name, values, origin, axes)


def _box(base: object, size: object, n_items: int) -> tuple[np.ndarray, np.ndarray]:
    low = np.asarray(0.0 if base is None else base, dtype=float)
    sides = np.asarray(1.0 if size is None else size, dtype=float)
    for key, value in (("base", low), ("size", sides)):
        if value.ndim > 1 or value.size not in (1, n_items):
            raise ValueError(f"{key} = {value.tolist()}: expected {n_items} numbers")
        if not np.isfinite(value).all():
            raise ValueError(f"{key} = {value.tolist()}: expected finite numbers")
    if (sides <= 0).any():
        raise ValueError(f"size = {sides.tolist()}: expected positive sides")
    return np.broadcast_to(low, n_items).copy(), np.broadcast_to(sides, n_items).copy()
