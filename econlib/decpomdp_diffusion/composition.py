r"""Composing denoisers at positive noise: summed scores, sampled with corrections.

With :math:`D_i` the denoiser of agent :math:`i` and :math:`D_0` that of the prior, the
scores :math:`(D_i(x;\sigma)-x)/\sigma^2` add up to the score of

.. math::

   q_\sigma(x)\propto p_\sigma(x)^{1-n}\prod_ip_\sigma(x\mid\tau_i),

which is not the noisy law of the product of experts
:math:`p(s)^{1-n}\prod_ip(s\mid\tau_i)`, but has the same weights on the states as
:math:`\sigma\to0`.  A flow along the scores ends by basins; Langevin steps

.. math::

   x\leftarrow x+h\nabla\log q_\sigma(x)+\sqrt{2h}\,z,\qquad h=c\,\sigma^2,

at every level of a falling noise move weight between states while they are still close.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from econlib.decpomdp_diffusion.denoisers import Denoiser, check_sigma

__all__ = ["experts_langevin", "experts_score", "quantise", "state_frequencies"]


def experts_score(
    parts: Sequence[Denoiser],
    prior: Denoiser,
    x: Float[np.ndarray, "... d"],
    sigma: float,
) -> Float[np.ndarray, "... d"]:
    r"""Gradient of :math:`\log q_\sigma` from the agents' denoisers and the prior's.

    Parameters
    ----------
    parts : sequence of denoisers
        One an agent.
    prior : denoiser
        With no history.
    x : ndarray, shape (..., d)
        Points.
    sigma : float
        Noise level, [0.001, 1000].
    """
    sigma = check_sigma(sigma)
    push = sum(part(x, sigma) - x for part in parts)
    return (push - (len(parts) - 1) * (prior(x, sigma) - x)) / sigma**2


def experts_langevin(
    parts: Sequence[Denoiser],
    prior: Denoiser,
    x: Float[np.ndarray, "... d"],
    levels: Float[np.ndarray, " n_levels"],
    rng: np.random.Generator,
    *,
    step: float = 0.3,
    repeats: int = 5,
) -> Float[np.ndarray, "... d"]:
    r"""Langevin steps on the summed scores at falling noise levels.

    Parameters
    ----------
    parts, prior : denoisers
        As in :func:`experts_score`.
    x : ndarray, shape (..., d)
        Starts, noise of the first level's size.
    levels : ndarray, shape (n_levels,)
        Falling noise levels.
    rng : Generator
        Source of the noise.
    step : float
        :math:`c`, (0, 1].
    repeats : int
        Steps at each level, 1 or more.

    Raises
    ------
    ValueError
        A step or a number of steps out of range.
    """
    if not 0 < step <= 1 or repeats < 1:
        raise ValueError(
            f"step = {step}, repeats = {repeats}: expected a number in (0, 1], 1 or "
            "more"
        )
    for sigma in np.repeat(levels, repeats):
        h = step * float(sigma) ** 2
        x = x + h * experts_score(parts, prior, x, float(sigma))
        x = x + np.sqrt(2 * h) * rng.standard_normal(x.shape)
    return x


def state_frequencies(
    index: Int[np.ndarray, "... n_starts"], n_states: int
) -> Float[np.ndarray, "... n_states"]:
    """How often each state is named among the starts."""
    flat = index.reshape(-1, index.shape[-1])
    rows = np.repeat(np.arange(len(flat)), flat.shape[1])
    count = np.zeros((len(flat), n_states))
    np.add.at(count, (rows, flat.ravel()), 1.0)
    return (count / flat.shape[1]).reshape(*index.shape[:-1], n_states)


def quantise(
    x: Float[np.ndarray, "... d"], n_bits: int, limit: float = 1.5
) -> Float[np.ndarray, "... d"]:
    """Points as they arrive when each coordinate is sent with some bits.

    Parameters
    ----------
    x : ndarray, shape (..., d)
        Points; what is beyond the limit is cut off.
    n_bits : int
        Bits a coordinate, 1 to 30; a coordinate becomes the middle of its cell.
    limit : float
        Half of the range, above 0.

    Examples
    --------
    >>> quantise(np.array([-0.2, 0.1, 9.0]), 1)
    array([-0.75,  0.75,  0.75])
    """
    if not 1 <= n_bits <= 30 or limit <= 0:
        raise ValueError(
            f"n_bits = {n_bits}, limit = {limit}: expected 1 to 30, above 0"
        )
    n = 2**n_bits
    cell = np.floor((np.clip(x, -limit, limit) + limit) / (2 * limit) * n)
    return (np.minimum(cell, n - 1) + 0.5) / n * 2 * limit - limit
