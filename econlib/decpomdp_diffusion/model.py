r"""What each of several agents can know of the state: exact posteriors.

A Dec-POMDP under a fixed behaviour policy is a hidden Markov chain with several
observers (:class:`~econlib.decpomdp_diffusion.chain.ObservedChain`).  With
:math:`\tau_i=(o^i_0,\dots,o^i_t)`, the filter

.. math::

   \alpha_0=b_0\odot O(o_0\mid\cdot),\qquad
   \alpha_t=(\alpha_{t-1}P)\odot O(o_t\mid\cdot)

gives :math:`p(s\mid\tau_i)` where :math:`O` is one agent's law of observations, and
:math:`p(s\mid\tau)` where it is the product over all agents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from econlib.decpomdp_diffusion.chain import ObservedChain, whole

__all__ = [
    "MAX_HISTORIES",
    "DecPOMDP",
    "Histories",
    "local_histories",
    "product_of_experts",
]

#: Largest number of entries (histories times hidden states) that are enumerated.
MAX_HISTORIES = 20_000_000


@dataclass(frozen=True)
class Histories:
    """All joint histories of a length, with what they are worth.

    Attributes
    ----------
    obs : ndarray of int, shape (n_histories, length, n_agents)
        Observations.
    prob : ndarray, shape (n_histories,)
        Probability of each; sums to 1.
    """

    obs: Int[np.ndarray, "n_histories length n_agents"]
    prob: Float[np.ndarray, " n_histories"]


@dataclass(frozen=True)
class DecPOMDP(ObservedChain):
    """A watched chain whose posteriors are exact, by enumeration.

    Examples
    --------
    >>> from econlib.decpomdp_diffusion.examples import hypercube
    >>> hypercube(3).posterior(np.array([[[1, 0, 1]]])).argmax()
    np.int64(5)
    """

    def posterior(
        self,
        obs: Int[np.ndarray, "n length n_agents"],
        agents: Sequence[int] | None = None,
    ) -> Float[np.ndarray, "n n_states"]:
        r"""Law of the current state given what some agents have seen.

        Parameters
        ----------
        obs : ndarray of int, shape (n, length, n_agents)
            Joint histories; columns of other agents are ignored.
        agents : sequence of int, optional
            Whose observations are known, by default everybody's.

        Raises
        ------
        ValueError
            A history that cannot happen, an unknown agent or symbol.
        """
        agents = range(self.n_agents) if agents is None else list(agents)
        self._check(obs, agents)
        n, length = obs.shape[:2]
        b = np.broadcast_to(self.b0, (n, len(self.b0)))
        for t in range(length):
            b = self.push(b) if t else b
            for i in agents:
                b = b * self.O[i].T[obs[:, t, i]]
            mass = b.sum(axis=1, keepdims=True)
            if (mass <= 0).any():
                k = int(np.flatnonzero(mass[:, 0] <= 0)[0])
                raise ValueError(
                    f"obs[{k}]: no state explains what agents {list(agents)} saw up "
                    f"to step {t}; expected a history of positive probability"
                )
            b = b / mass
        return self.merge(b)

    def local_posteriors(
        self, obs: Int[np.ndarray, "n length n_agents"]
    ) -> Float[np.ndarray, "n_agents n n_states"]:
        r"""Laws :math:`p(s\mid\tau_i)` of every agent; each local history once."""
        self._check(obs, range(self.n_agents))
        found = np.empty((self.n_agents, len(obs), self.n_states))
        for i in range(self.n_agents):
            _, first, back = np.unique(
                obs[:, :, i], axis=0, return_index=True, return_inverse=True
            )
            found[i] = self.posterior(obs[first], [i])[back.ravel()]
        return found

    def shared_support(
        self, obs: Int[np.ndarray, "n length n_agents"]
    ) -> Bool[np.ndarray, "n n_states"]:
        r"""States that every agent holds possible, :math:`\mathcal S_\cap(\tau)`."""
        return (self.local_posteriors(obs) > 0).all(axis=0)

    def histories(self, length: int) -> Histories:
        """Every joint history of positive probability.

        Raises
        ------
        ValueError
            More of them than :data:`MAX_HISTORIES` allows.
        """
        whole(length=length)
        joint = self.joint_symbols()
        obs, b = np.empty((1, 0, self.n_agents), np.int64), self.b0[None]
        for t in range(length):
            b = self.push(b) if t else b
            if len(b) * len(joint) * len(self.b0) > MAX_HISTORIES:
                raise ValueError(
                    f"length = {length}: step {t} has up to {len(b) * len(joint)} "
                    f"histories of {len(self.b0)} hidden states; expected at most "
                    f"{MAX_HISTORIES} numbers. Try a smaller length, or simulate"
                )
            law = np.ones((len(joint), len(self.b0)))
            for i in range(self.n_agents):
                law = law * self.O[i].T[joint[:, i]]
            b = b[:, None] * law
            old, new = np.nonzero(b.sum(axis=2) > 0)
            obs = np.concatenate([obs[old], joint[new][:, None]], axis=1)
            b = b[old, new]
        return Histories(obs, b.sum(axis=1))

    def collectively_observable(self, length: int | None = None) -> bool:
        r"""Whether the agents together know the state.

        Parameters
        ----------
        length : int, optional
            With it, whether every joint history of that length leaves one state
            (CO-hist); without it, whether every joint observation is emitted by one
            state alone (CO-obs).
        """
        if length is not None:
            post = self.posterior(self.histories(length).obs)
            return bool(((post > 0).sum(axis=1) == 1).all())
        joint, emitted = self.joint_symbols(), []
        for row in joint:
            law = np.ones(len(self.b0))
            for i, symbol in enumerate(row):
                law = law * self.O[i][:, symbol]
            emitted.append(len(np.unique(self.lump[law > 0])))
        return max(emitted) == 1

    def _check(self, obs: np.ndarray, agents: Sequence[int]) -> None:
        if obs.ndim != 3 or obs.shape[2] != self.n_agents or obs.shape[1] < 1:
            raise ValueError(
                f"obs: shape {obs.shape}, expected (n, length, {self.n_agents}) with "
                "a length of 1 or more"
            )
        for i in agents:
            if not 0 <= i < self.n_agents:
                raise ValueError(f"agents: {i}, expected 0 to {self.n_agents - 1}")
            top = self.O[i].shape[1]
            if obs[..., i].size and not (
                0 <= obs[..., i].min() and obs[..., i].max() < top
            ):
                raise ValueError(f"obs of agent {i}: expected symbols 0 to {top - 1}")


def local_histories(
    env: DecPOMDP, every: Histories, agent: int
) -> tuple[Float[np.ndarray, "n n_states"], Float[np.ndarray, " n"]]:
    """One agent's different local histories: posteriors and probabilities.

    Parameters
    ----------
    env : DecPOMDP
        The process.
    every : Histories
        Its joint histories.
    agent : int
        Whose.
    """
    _, first, back = np.unique(
        every.obs[:, :, agent], axis=0, return_index=True, return_inverse=True
    )
    prob = np.bincount(back.ravel(), weights=every.prob)
    return env.posterior(every.obs[first], [agent]), prob


def product_of_experts(
    local: Float[np.ndarray, "n_agents n n_states"],
    prior: Float[np.ndarray, " n_states"],
) -> Float[np.ndarray, "n n_states"]:
    r"""Fuse local posteriors, :math:`\propto p(s)^{1-n}\prod_ip(s\mid\tau_i)`.

    Exact where the local histories are independent given the current state.

    Raises
    ------
    ValueError
        No state is possible for every agent.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(local).sum(axis=0)
        log = np.where(
            np.isneginf(log), -np.inf, log - (len(local) - 1) * np.log(prior)
        )
    top = log.max(axis=1, keepdims=True)
    if np.isneginf(top).any():
        raise ValueError("local: no state is possible for every agent")
    weight = np.exp(log - top)
    return weight / weight.sum(axis=1, keepdims=True)
