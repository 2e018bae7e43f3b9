r"""Iterating denoisers: fixed points, their stability and basins, annealing, sampling.

*Flow*: :math:`x\leftarrow f(x,\sigma)` until the step is below a tolerance.
*Annealed flow*: the same while :math:`\sigma` falls.
*Sampler* of Kadkhodaie and Simoncelli: with step :math:`h` and :math:`\beta\in(0,1]`,

.. math::

   x\leftarrow x+h\,(f(x)-x)+\gamma z,\qquad
   \gamma^2=\big((1-\beta h)^2-(1-h)^2\big)\,\|f(x)-x\|^2/d ,

where :math:`\sigma` is known to the denoiser as the size of :math:`f(x)-x`; here it
falls along a schedule.  A fixed point is *stable* if the spectral radius of the
Jacobian there is below 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from econlib.decpomdp_diffusion.denoisers import Denoiser, check_sigma

__all__ = [
    "Census",
    "Flow",
    "anneal",
    "fixed_points",
    "flow",
    "langevin",
    "nearest",
    "schedule",
    "stays",
]


@dataclass(frozen=True)
class Flow:
    """Where points end.

    Attributes
    ----------
    x : ndarray, shape (..., n_starts, d)
        Last points.
    n_steps : int
        Steps taken.
    residual : ndarray, shape (..., n_starts)
        Length of the last step.
    converged : ndarray of bool, shape (..., n_starts)
        Whether it is below the tolerance.
    """

    x: Float[np.ndarray, "... n_starts d"]
    n_steps: int
    residual: Float[np.ndarray, "... n_starts"]
    converged: Bool[np.ndarray, "... n_starts"]


def flow(
    f: Denoiser,
    x: Float[np.ndarray, "... n_starts d"],
    sigma: float,
    *,
    tol: float = 1e-8,
    max_steps: int = 2000,
    damping: float = 1.0,
) -> Flow:
    r"""Iterate :math:`x\leftarrow(1-\eta)x+\eta f(x,\sigma)`.

    Parameters
    ----------
    f : denoiser
        Of one agent, or a composite.
    x : ndarray, shape (..., n_starts, d)
        Starts.
    sigma : float
        Noise level, [0.001, 1000].
    tol : float
        Length of a step below which a point has converged; stops when all have.
    max_steps : int
        1 or more.
    damping : float
        :math:`\eta`, (0, 1].

    Raises
    ------
    ValueError
        A parameter out of range.
    """
    sigma = check_sigma(sigma)
    if not 0 < damping <= 1:
        raise ValueError(f"damping = {damping}: expected a number in (0, 1]")
    if max_steps < 1:
        raise ValueError(f"max_steps = {max_steps}: expected an integer, 1 or more")
    step = 0
    while True:
        step += 1
        new = (1 - damping) * x + damping * f(x, sigma)
        residual = np.linalg.norm(new - x, axis=-1)
        x = new
        if step == max_steps or (residual < tol).all():
            return Flow(x, step, residual, residual < tol)


@dataclass(frozen=True)
class Census:
    """Attractors that were found from many starts.

    Attributes
    ----------
    flow : Flow
        Ends of all starts.
    label : ndarray of int, shape (..., n_starts)
        First start that ends at the same point.
    count : ndarray of int, shape (...)
        Number of different stable ends.
    radius : ndarray, shape (..., n_starts)
        Spectral radius of the Jacobian at each end.
    """

    flow: Flow
    label: Int[np.ndarray, "... n_starts"]
    count: Int[np.ndarray, "..."]
    radius: Float[np.ndarray, "... n_starts"]


def fixed_points(
    f: Denoiser,
    starts: Float[np.ndarray, "... n_starts d"],
    sigma: float,
    *,
    merge: float = 0.05,
    tol: float = 1e-8,
    max_steps: int = 2000,
) -> Census:
    """Run all starts and count the stable points where they end.

    Parameters
    ----------
    f : denoiser
        With a ``jacobian``.
    starts : ndarray, shape (..., n_starts, d)
        Better many, and not near the truth only.
    sigma : float
        Noise level.
    merge : float
        Ends closer than this are one point, above 0.
    tol, max_steps : float, int
        As in :func:`flow`.
    """
    if merge <= 0:
        raise ValueError(f"merge = {merge}: expected a number above 0")
    found = flow(f, starts, sigma, tol=tol, max_steps=max_steps)
    gap = np.linalg.norm(found.x[..., :, None, :] - found.x[..., None, :, :], axis=-1)
    label = (gap < merge).argmax(axis=-1)
    radius = np.abs(np.linalg.eigvals(f.jacobian(found.x, sigma))).max(axis=-1)
    first = label == np.arange(starts.shape[-2])
    count = (first & (radius < 1.0) & found.converged).sum(axis=-1)
    return Census(found, label, count, radius)


def nearest(
    states: Float[np.ndarray, "n_states d"], x: Float[np.ndarray, "... d"]
) -> tuple[Int[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Nearest state of each point, and how far it is."""
    square = (x**2).sum(axis=-1)[..., None] - 2 * x @ states.T + (states**2).sum(axis=1)
    k = square.argmin(axis=-1)
    return k, np.linalg.norm(x - states[k], axis=-1)


def stays(
    f: Denoiser,
    states: Float[np.ndarray, "n_states d"],
    shape: tuple[int, ...],
    sigma: float,
    *,
    n_steps: int = 300,
    within: float = 1.0,
) -> Bool[np.ndarray, "... n_states"]:
    """Which states are fixed: started there, a point stays nearest to it and close.

    Parameters
    ----------
    f : denoiser
        Of one agent.
    states : ndarray, shape (n_states, d)
        All states; each is a start.
    shape : tuple of int
        Leading axes of the denoiser's posteriors.
    sigma, n_steps, within : float, int, float
        Noise level, largest number of steps, largest distance that counts.
    """
    starts = np.broadcast_to(states, (*shape, *states.shape))
    end = flow(f, starts, sigma, tol=1e-7, max_steps=n_steps).x
    k, away = nearest(states, end)
    return (k == np.arange(len(states))) & (away < within)


def schedule(
    first: float = 2.0, last: float = 0.3, n_steps: int = 12, n_last: int = 8
) -> Float[np.ndarray, " n_levels"]:
    """Noise levels that fall geometrically and then stay, all above 0."""
    check_sigma(first, "first")
    check_sigma(last, "last")
    if n_steps < 1 or n_last < 0:
        raise ValueError(
            f"n_steps = {n_steps}, n_last = {n_last}: expected 1 or more, 0 or more"
        )
    return np.concatenate([np.geomspace(first, last, n_steps), np.full(n_last, last)])


def anneal(
    f: Denoiser,
    x: Float[np.ndarray, "... d"],
    levels: Float[np.ndarray, " n_levels"],
) -> Float[np.ndarray, "... d"]:
    """One application of ``f`` at each noise level in turn."""
    for sigma in levels:
        x = f(x, float(sigma))
    return x


def langevin(
    f: Denoiser,
    x: Float[np.ndarray, "... d"],
    levels: Float[np.ndarray, " n_levels"],
    rng: np.random.Generator,
    *,
    h: float = 0.1,
    beta: float = 0.5,
    repeats: int = 1,
) -> Float[np.ndarray, "... d"]:
    """Sample by noisy steps towards the denoised point at falling noise levels.

    Parameters
    ----------
    f : denoiser
        Whatever maps noisy points to cleaner ones.
    x : ndarray, shape (..., d)
        Starts, noise of the first level's size.
    levels : ndarray, shape (n_levels,)
        Falling noise levels.
    rng : Generator
        Source of the noise.
    h, beta : float
        Step, (0, 1], and share of it without noise, (0, 1]; 1 adds none.
    repeats : int
        Steps at each level, 1 or more.
    """
    if not (0 < h <= 1 and 0 < beta <= 1):
        raise ValueError(f"h = {h}, beta = {beta}: expected numbers in (0, 1]")
    scale = np.sqrt(((1 - beta * h) ** 2 - (1 - h) ** 2) / x.shape[-1])
    for sigma in np.repeat(levels, repeats):
        push = f(x, float(sigma)) - x
        size = np.linalg.norm(push, axis=-1, keepdims=True)
        x = x + h * push + scale * size * rng.standard_normal(x.shape)
    return x
