r"""How far fixed points may lie from the states, with certificates.

*Exact denoisers.*  Let :math:`\Delta_k=\|s_k-s_j\|`.  For every :math:`x` in the ball
:math:`B(s_j,R)`, :math:`\|x-s_k\|^2-\|x-s_j\|^2\ge\Delta_k^2-2R\Delta_k`, hence

.. math::

   \|D(x)-s_j\|\le g(R)=\sum_{k\ne j}r_k\Delta_k,\quad
   \|\nabla D(x)\|\le L(R)=\frac1{\sigma^2}\sum_{k\ne j}r_k\Delta_k^2,\quad
   r_k=\frac{p_k}{p_j}e^{-(\Delta_k^2-2R\Delta_k)/2\sigma^2}.

Where :math:`g_i(R)\le R` for every agent the composite maps the ball into itself, and
where :math:`\prod_iL_i(R)<1` too it has one fixed point there, to which every start in
the ball converges at that rate.  At :math:`R=0` the same sums bound the one-step
deviation.

*Any map, by a surrogate.*  On :math:`x=s+\rho z` fit :math:`f(x)\approx s+b+A(x-s)` by
least squares.  If the residual is at most :math:`\epsilon` on :math:`B(s,R)`,
:math:`L=\|A\|_2<1` and :math:`(\|b\|+\epsilon)/(1-L)\le R`, a continuous :math:`f` maps
the ball into itself, so that it has a fixed point there with
:math:`\|x_\infty-s\|\le(\|b\|+\epsilon)/(1-L)`.  To first order
:math:`x_\infty-s\approx(I-A)^{-1}b`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from econlib.decpomdp_diffusion.denoisers import Denoiser, check_sigma

__all__ = [
    "Certificate",
    "Surrogate",
    "certify",
    "deviation_bound",
    "exact_bounds",
    "surrogate",
]


def exact_bounds(
    states: Float[np.ndarray, "n_states d"],
    probs: Float[np.ndarray, "... n_states"],
    k: Int[np.ndarray, "..."],
    sigma: float,
    radius: float = 0.0,
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Bounds ``g`` and ``L`` of an exact denoiser on a ball around a state.

    Parameters
    ----------
    states : ndarray, shape (n_states, d)
        Vectors.
    probs : ndarray, shape (..., n_states)
        Posteriors.
    k : ndarray of int, shape (...)
        The state in the middle, possible under each posterior.
    sigma, radius : float
        Noise level, and radius of the ball, 0 or more.

    Raises
    ------
    ValueError
        A middle that is impossible, or a radius below 0.
    """
    sigma = check_sigma(sigma)
    if radius < 0:
        raise ValueError(f"radius = {radius}: expected a number, 0 or more")
    own = np.take_along_axis(probs, k[..., None], axis=-1)
    if (own <= 0).any():
        raise ValueError("k: expected states of positive probability")
    far = np.linalg.norm(states[:, None] - states[None], axis=-1)[k]
    ratio = probs / own * np.exp(-(far**2 - 2 * radius * far) / (2 * sigma**2))
    return (ratio * far).sum(axis=-1), (ratio * far**2).sum(axis=-1) / sigma**2


@dataclass(frozen=True)
class Certificate:
    """Balls around a state that the composite of exact denoisers provably contracts.

    Attributes
    ----------
    radius : ndarray, shape (...)
        Largest certified radius, 0 where there is none.
    rate : ndarray, shape (...)
        Bound on the composite's Lipschitz constant there.
    deviation : ndarray, shape (...)
        Smallest certified radius: a bound on how far the fixed point is; infinite where
        there is none.
    """

    radius: Float[np.ndarray, "..."]
    rate: Float[np.ndarray, "..."]
    deviation: Float[np.ndarray, "..."]

    @property
    def holds(self) -> Bool[np.ndarray, "..."]:
        """Where a ball was certified."""
        return self.radius > 0


def certify(
    states: Float[np.ndarray, "n_states d"],
    local: Float[np.ndarray, "n_agents ... n_states"],
    k: Int[np.ndarray, "..."],
    sigma: float,
    radii: Float[np.ndarray, " n_radii"] | None = None,
) -> Certificate:
    """Certify balls around a state for the composite of the agents' exact denoisers.

    Parameters
    ----------
    states, local : ndarray, shapes (n_states, d) and (n_agents, ..., n_states)
        Vectors, and local posteriors.
    k : ndarray of int, shape (...)
        The state, shared by all agents.
    sigma : float
        Noise level.
    radii : ndarray, optional
        Candidates, ascending; by default 400 from 1e-6 to half of the largest distance.
    """
    if radii is None:
        span = np.linalg.norm(states - states.mean(axis=0), axis=1).max()
        radii = np.geomspace(1e-6, span, 400)
    best, rate = np.zeros(k.shape), np.ones(k.shape)
    least = np.full(k.shape, np.inf)
    middle = np.broadcast_to(k, local.shape[:-1])
    for radius in radii:
        g, slope = exact_bounds(states, local, middle, sigma, float(radius))
        good = (g <= radius).all(axis=0) & (slope.prod(axis=0) < 1)
        best = np.where(good, radius, best)
        rate = np.where(good, slope.prod(axis=0), rate)
        least = np.where(good & ~np.isfinite(least), radius, least)
    return Certificate(best, rate, least)


@dataclass(frozen=True)
class Surrogate:
    """Linear models of a map around points.

    Attributes
    ----------
    middle : ndarray, shape (n, d)
        The points ``s``.
    A : ndarray, shape (n, d, d)
        Slopes.
    b : ndarray, shape (n, d)
        Offsets.
    """

    middle: Float[np.ndarray, "n d"]
    A: Float[np.ndarray, "n d d"]
    b: Float[np.ndarray, "n d"]

    @property
    def norm(self) -> Float[np.ndarray, " n"]:
        """Spectral norms of the slopes."""
        return np.linalg.norm(self.A, ord=2, axis=(1, 2))

    def shift(self) -> Float[np.ndarray, "n d"]:
        """Predicted place of the fixed point less the point."""
        return np.linalg.solve(np.eye(self.A.shape[-1]) - self.A, self.b[..., None])[
            ..., 0
        ]

    def residual(
        self, f: Denoiser, x: Float[np.ndarray, "n n_points d"], sigma: float
    ) -> Float[np.ndarray, "n n_points"]:
        """Distance between the map and its model at points."""
        step = x - self.middle[:, None]
        model = self.middle[:, None] + self.b[:, None] + step @ self.A.swapaxes(1, 2)
        return np.linalg.norm(f(x, sigma) - model, axis=-1)


def surrogate(
    f: Denoiser,
    s: Float[np.ndarray, "n d"],
    sigma: float,
    *,
    rho: float = 0.05,
    n_samples: int = 512,
    rng: np.random.Generator,
) -> Surrogate:
    """Fit the linear model of a map around each of several points.

    Parameters
    ----------
    f : denoiser
        Takes points of shape (n, n_samples, d).
    s : ndarray, shape (n, d)
        Middles.
    sigma : float
        Noise level.
    rho : float
        Spread of the sample around each, above 0.
    n_samples : int
        More than ``d + 1``.
    rng : Generator
        Source of the sample, the same around each point.
    """
    d = s.shape[1]
    if rho <= 0 or n_samples <= d + 1:
        raise ValueError(
            f"rho = {rho}, n_samples = {n_samples}: expected above 0, above {d + 1}"
        )
    z = rng.standard_normal((n_samples, d))
    value = f(s[:, None] + rho * z, sigma) - s[:, None]
    design = np.concatenate([np.ones((n_samples, 1)), rho * z], axis=1)
    line = np.linalg.pinv(design) @ value
    return Surrogate(s, line[:, 1:].swapaxes(1, 2), line[:, 0])


def deviation_bound(
    fit: Surrogate,
    f: Denoiser,
    sigma: float,
    *,
    radii: Float[np.ndarray, " n_radii"],
    n_points: int = 128,
    rng: np.random.Generator,
) -> Float[np.ndarray, " n"]:
    r"""Bound on the deviation around each point, infinite where none is certified.

    On a ball the residual is at most its value in the middle plus the radius times its
    Lipschitz constant; the latter is the largest :math:`\|\nabla f-A\|_2` at points
    drawn in the ball, half of them on its surface, so that the bound is an estimate, a
    certificate only as far as those points cover the ball.

    Parameters
    ----------
    fit : Surrogate
        Linear models.
    f : denoiser
        With a ``jacobian``.
    sigma : float
        Noise level.
    radii : ndarray, shape (n_radii,)
        Candidates, ascending; the first that certifies gives the bound.
    n_points : int
        Points a ball.
    rng : Generator
        Source of the points.
    """
    n, d = fit.middle.shape
    z = rng.standard_normal((n_points, d))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    z[::2] *= rng.random((len(z[::2]), 1)) ** (1 / d)
    start = fit.residual(f, fit.middle[:, None], sigma)[:, 0]
    size, found = np.linalg.norm(fit.b, axis=1), np.full(n, np.inf)
    for radius in radii:
        slope = f.jacobian(fit.middle[:, None] + radius * z, sigma) - fit.A[:, None]
        square = np.linalg.eigvalsh(slope.swapaxes(2, 3) @ slope)[..., -1]
        lipschitz = np.sqrt(np.maximum(square, 0.0)).max(axis=1)
        room = 1 - fit.norm
        with np.errstate(divide="ignore", invalid="ignore"):
            bound = (size + start + lipschitz * radius) / room
        good = (room > 0) & (bound <= radius) & ~np.isfinite(found)
        found = np.where(good, bound, found)
        if np.isfinite(found).all():
            break
    return found
