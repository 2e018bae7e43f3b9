r"""Exact denoisers of finite posteriors, and the composite of several.

A state :math:`s_k` with probability :math:`p_k=p(s_k\mid\tau_i)` is seen through noise,
:math:`x=s+\sigma z`.  The denoiser with the least squared error is the posterior mean

.. math::

   D(x;\sigma)=\sum_kw_k(x)\,s_k,\qquad
   w_k(x)\propto p_k\exp\!\big(-\|x-s_k\|^2/2\sigma^2\big),

and its Jacobian a covariance, :math:`\nabla D=\operatorname{Cov}_{w(x)}(s)/\sigma^2`.
Points come as an array ``(..., n_starts, d)``; its leading axes are those of the
posteriors, ``(..., n_states)``.  The composite :math:`F=D_n\circ\dots\circ D_1`
passes a point from agent to agent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

__all__ = [
    "Composite",
    "Denoiser",
    "ExactDenoiser",
    "ExpertsDenoiser",
    "ParallelDenoiser",
    "check_sigma",
    "team",
]

#: A map of points at a noise level, with a ``jacobian`` of the same arguments.
Denoiser = Callable[[np.ndarray, float], np.ndarray]


def check_sigma(sigma: object, name: str = "sigma") -> float:
    """A noise level as a float.

    Raises
    ------
    ValueError
        Not a finite number above 0, at least :math:`10^{-3}` and at most 1000.
    """
    good = isinstance(sigma, int | float | np.number) and not isinstance(sigma, bool)
    if not good or not 1e-3 <= float(sigma) <= 1e3:
        raise ValueError(f"{name} = {sigma!r}: expected a number in [0.001, 1000]")
    return float(sigma)


@dataclass(frozen=True)
class ExactDenoiser:
    """The best denoiser of a posterior on finitely many states.

    Attributes
    ----------
    states : ndarray, shape (n_states, d)
        Vectors.
    probs : ndarray, shape (..., n_states)
        Posteriors; rows sum to 1.

    Examples
    --------
    >>> bit = ExactDenoiser(np.array([[-1.0], [1.0]]), np.array([0.5, 0.5]))
    >>> float(bit(np.array([[0.25]]), 0.5).round(6)[0, 0])
    0.761594
    """

    states: Float[np.ndarray, "n_states d"]
    probs: Float[np.ndarray, "... n_weights"]

    def __post_init__(self) -> None:
        if self.probs.shape[-1] != len(self.states):
            raise ValueError(
                f"probs: {self.probs.shape[-1]} numbers a row, expected one for each "
                f"of the {len(self.states)} states"
            )
        if (self.probs < 0).any() or np.abs(self.probs.sum(axis=-1) - 1).max() > 1e-8:
            raise ValueError("probs: expected probabilities that sum to 1")

    def weights(
        self, x: Float[np.ndarray, "... n_starts d"], sigma: float
    ) -> Float[np.ndarray, "... n_starts n_states"]:
        r"""Posterior weights :math:`w_k(x)` given the noisy point too."""
        sigma = check_sigma(sigma)
        with np.errstate(divide="ignore"):
            prior = np.log(self.probs)[..., None, :]
        # |x - s|² without |x|², which is the same for every state
        far = (self.states**2).sum(axis=1) - 2.0 * (x @ self.states.T)
        log = prior - far / (2.0 * sigma**2)
        weight = np.exp(log - log.max(axis=-1, keepdims=True))
        return weight / weight.sum(axis=-1, keepdims=True)

    def __call__(
        self, x: Float[np.ndarray, "... n_starts d"], sigma: float
    ) -> Float[np.ndarray, "... n_starts d"]:
        """Posterior means of the state given noisy points."""
        return self.weights(x, sigma) @ self.states

    def jacobian(
        self, x: Float[np.ndarray, "... n_starts d"], sigma: float
    ) -> Float[np.ndarray, "... n_starts d d"]:
        """Posterior covariances over the variance of the noise."""
        weight = self.weights(x, sigma)
        mean = weight @ self.states
        second = np.einsum("...k,ki,kj->...ij", weight, self.states, self.states)
        return (second - mean[..., :, None] * mean[..., None, :]) / sigma**2


@dataclass(frozen=True)
class Composite:
    """Agents' denoisers one after the other, first to last.

    Attributes
    ----------
    parts : sequence of denoisers
        In the order in which they act.
    """

    parts: Sequence[Denoiser]

    def __post_init__(self) -> None:
        if not len(self.parts):
            raise ValueError("parts: expected at least one denoiser")

    def __call__(
        self, x: Float[np.ndarray, "... d"], sigma: float
    ) -> Float[np.ndarray, "... d"]:
        """One sweep over the agents."""
        for part in self.parts:
            x = part(x, sigma)
        return x

    def jacobian(
        self, x: Float[np.ndarray, "... d"], sigma: float
    ) -> Float[np.ndarray, "... d d"]:
        """Product of the parts' Jacobians along the way."""
        total = np.eye(x.shape[-1])
        for part in self.parts:
            total = part.jacobian(x, sigma) @ total
            x = part(x, sigma)
        return total


@dataclass(frozen=True)
class ParallelDenoiser:
    """All agents at once: the mean of what they say."""

    parts: Sequence[Denoiser]

    def __call__(
        self, x: Float[np.ndarray, "... d"], sigma: float
    ) -> Float[np.ndarray, "... d"]:
        """Mean over the agents."""
        return sum(part(x, sigma) for part in self.parts) / len(self.parts)

    def jacobian(
        self, x: Float[np.ndarray, "... d"], sigma: float
    ) -> Float[np.ndarray, "... d d"]:
        """Mean of the Jacobians."""
        return sum(part.jacobian(x, sigma) for part in self.parts) / len(self.parts)


@dataclass(frozen=True)
class ExpertsDenoiser:
    r"""Scores of a product of experts added: :math:`x+\sum_i(D_i-x)-(n-1)(D_0-x)`.

    Exact as :math:`\sigma\to0` only: the noisy law of a product is not the product of
    noisy laws.  Steps are damped by ``1 / n``, which moves no fixed point.

    Attributes
    ----------
    parts : sequence of denoisers
        The agents'.
    prior : denoiser
        :math:`D_0`, of the law of the state without any observation.
    """

    parts: Sequence[Denoiser]
    prior: Denoiser

    def __call__(
        self, x: Float[np.ndarray, "... d"], sigma: float
    ) -> Float[np.ndarray, "... d"]:
        """One damped step of the summed scores."""
        n = len(self.parts)
        push = sum(part(x, sigma) - x for part in self.parts)
        return x + (push - (n - 1) * (self.prior(x, sigma) - x)) / n


def team(
    states: Float[np.ndarray, "n_states d"],
    local: Float[np.ndarray, "n_agents ... n_states"],
) -> list[ExactDenoiser]:
    """Exact denoisers of each agent's local posteriors, in the agents' order."""
    return [ExactDenoiser(states, own) for own in local]
