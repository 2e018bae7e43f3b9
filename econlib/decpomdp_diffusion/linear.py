r"""Gaussian states seen through matrices: every rate in closed form.

:math:`s\sim\mathcal N(0,I_d)`; agent :math:`i` sees :math:`C_is`, and :math:`P_i`
projects on what it cannot see, :math:`\ker C_i`.  Then

.. math::

   D_i(x)=(I-P_i)s+\frac{P_ix}{1+\sigma^2},\qquad
   A_i=\frac{P_i}{1+\sigma^2},\qquad b_i=-\frac{\sigma^2}{1+\sigma^2}P_is ,

so that one agent's fixed point is its posterior mean, :math:`\|P_is\|` from the truth
at every noise level.  Errors of the composite follow :math:`e\leftarrow Me+c`,
:math:`M=A_n\cdots A_1`, :math:`c=\sum_jA_n\cdots A_{j+1}b_j`.  :math:`\|M\|<1` with a
limit of order :math:`\sigma^2` exactly if no direction is unseen by all.

*Wiener shrinkage of rank r*: a Gaussian with variances :math:`\lambda_k`, of which the
model keeps the first :math:`r` directions, has the expected squared one-step deviation
:math:`\sum_{k\le r}\lambda_k(\sigma^2/(\lambda_k+\sigma^2))^2+\sum_{k>r}\lambda_k`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from econlib.decpomdp_diffusion.denoisers import check_sigma

__all__ = ["LinearGaussian", "blind_lines", "random_linear", "wiener_deviation"]


@dataclass(frozen=True)
class LinearGaussian:
    """A Gaussian state, the truth, and what each agent cannot see.

    Attributes
    ----------
    truth : ndarray, shape (d,)
        The state.
    unseen : ndarray, shape (n_agents, d, d)
        Orthogonal projectors on what each agent cannot see.
    """

    truth: Float[np.ndarray, " d"]
    unseen: Float[np.ndarray, "n_agents d d"]

    def __post_init__(self) -> None:
        if self.unseen.shape[1:] != (len(self.truth),) * 2:
            raise ValueError(
                f"unseen: shape {self.unseen.shape}, expected (n, d, d) with "
                f"d = {len(self.truth)}"
            )
        square = self.unseen @ self.unseen
        if (
            max(
                np.abs(square - self.unseen).max(),
                np.abs(self.unseen - self.unseen.transpose(0, 2, 1)).max(),
            )
            > 1e-8
        ):
            raise ValueError("unseen: expected orthogonal projectors")

    @property
    def observable(self) -> bool:
        """Whether the agents together see every direction."""
        seen = len(self.unseen) * np.eye(len(self.truth)) - self.unseen.sum(axis=0)
        return bool(np.linalg.eigvalsh(seen)[0] > 1e-10)

    def agent(
        self, i: int, x: Float[np.ndarray, "... d"], sigma: float
    ) -> Float[np.ndarray, "... d"]:
        """Agent ``i``'s exact denoiser."""
        P = self.unseen[i]
        return self.truth - P @ self.truth + x @ P / (1 + check_sigma(sigma) ** 2)

    def individual(self) -> Float[np.ndarray, " n_agents"]:
        """Each agent's deviation, the same at every noise level."""
        return np.linalg.norm(self.unseen @ self.truth, axis=1)

    def map(
        self, sigma: float
    ) -> tuple[Float[np.ndarray, "d d"], Float[np.ndarray, " d"]]:
        """Matrix and constant of the composite's error, one sweep."""
        v = check_sigma(sigma) ** 2
        M, c = np.eye(len(self.truth)), np.zeros(len(self.truth))
        for P in self.unseen:
            M, c = P @ M / (1 + v), P @ (c - v * self.truth) / (1 + v)
        return M, c

    def rate(self, sigma: float) -> float:
        """Spectral radius of one sweep of the composite."""
        return float(np.abs(np.linalg.eigvals(self.map(sigma)[0])).max())

    def composite(self, sigma: float) -> float:
        """Deviation of the composite's fixed point."""
        M, c = self.map(sigma)
        return float(np.linalg.norm(np.linalg.solve(np.eye(len(M)) - M, c)))


def blind_lines(
    angle: float, truth: tuple[float, float] = (1.0, 2.0)
) -> LinearGaussian:
    """Two agents in the plane, blind along unit vectors at angles 0 and ``angle``.

    Parameters
    ----------
    angle : float
        Radians, (0, pi).
    truth : (float, float)
        The state.
    """
    if not 0 < angle < np.pi:
        raise ValueError(f"angle = {angle}: expected a number in (0, pi)")
    u = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
    return LinearGaussian(np.array(truth, float), u[:, :, None] * u[:, None, :])


def random_linear(d: int, rows: Sequence[int], seed: int = 0) -> LinearGaussian:
    """Agents that see ``rows[i]`` random combinations of ``d`` coordinates each."""
    if d < 1 or not len(rows) or min(rows) < 1 or max(rows) > d:
        raise ValueError(f"rows = {list(rows)}: expected numbers 1 to d = {d}")
    rng = np.random.default_rng(seed)
    truth, unseen = rng.standard_normal(d), []
    for k in rows:
        Q, _ = np.linalg.qr(rng.standard_normal((k, d)).T)
        unseen.append(np.eye(d) - Q @ Q.T)
    return LinearGaussian(truth, np.array(unseen))


def wiener_deviation(
    variances: Float[np.ndarray, " d"], sigma: float, rank: int
) -> float:
    """Expected squared one-step deviation of a shrinkage of rank ``rank``.

    Parameters
    ----------
    variances : ndarray, shape (d,)
        Of the state along each direction, above 0, largest first.
    sigma : float
        Noise level.
    rank : int
        0 to d.
    """
    if not 0 <= rank <= len(variances):
        raise ValueError(f"rank = {rank}: expected an integer, 0 to {len(variances)}")
    v = check_sigma(sigma) ** 2
    kept, lost = variances[:rank], variances[rank:]
    return float((kept * (v / (kept + v)) ** 2).sum() + lost.sum())
