r"""What each of several agents can know of the state: exact posteriors.

A Dec-POMDP under a fixed behaviour policy is a hidden Markov chain with several
observers.  The hidden state :math:`h_t` starts from :math:`b_0` and moves by
:math:`P=P_1P_2\cdots P_m`, a product of sparse factors; agent :math:`i` sees
:math:`o^i_t\sim O_i(\cdot\mid h_t)`, independently of the others given :math:`h_t`.
The state that is to be recovered is a vector :math:`s(h_t)\in\mathbb R^d`, which may
forget a part of :math:`h_t`.  With :math:`\tau_i=(o^i_0,\dots,o^i_t)`, the filter

.. math::

   \alpha_0=b_0\odot O(o_0\mid\cdot),\qquad
   \alpha_t=(\alpha_{t-1}P)\odot O(o_t\mid\cdot)

gives :math:`p(s\mid\tau_i)` where :math:`O` is one agent's law of observations, and
:math:`p(s\mid\tau)` where it is the product over all agents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

__all__ = [
    "MAX_HIDDEN",
    "MAX_HISTORIES",
    "DecPOMDP",
    "Histories",
    "local_histories",
    "product_of_experts",
]

#: Largest number of hidden states: one row of the filter then stays below 1 MB.
MAX_HIDDEN = 50_000
#: Largest number of entries (histories times hidden states) that are enumerated.
MAX_HISTORIES = 20_000_000

_TOL = 1e-9


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
class DecPOMDP:
    r"""A hidden Markov chain with several observers.

    Attributes
    ----------
    states : ndarray, shape (n_states, d)
        Vectors of the states.
    lump : ndarray of int, shape (n_hidden,)
        State of each hidden state.
    b0 : ndarray, shape (n_hidden,)
        First law; sums to 1.
    P : tuple of csr_matrix, each of shape (n_hidden, n_hidden)
        Factors of the law of motion, applied from the left; rows sum to 1.  Empty
        where nothing moves.
    O : tuple of ndarray, each of shape (n_hidden, n_symbols)
        Law of each agent's observation; rows sum to 1.

    Raises
    ------
    ValueError
        All that is wrong, in one message.

    Examples
    --------
    >>> from econlib.decpomdp_diffusion.examples import hypercube
    >>> hypercube(3).posterior(np.array([[[1, 0, 1]]])).argmax()
    np.int64(5)
    """

    states: Float[np.ndarray, "n_states d"]
    lump: Int[np.ndarray, " n_hidden"]
    b0: Float[np.ndarray, " n_hidden"]
    P: tuple[sp.csr_matrix, ...]
    O: tuple[np.ndarray, ...]  # noqa: E741

    def __post_init__(self) -> None:
        n, faults = len(self.b0), []
        if not 1 <= n <= MAX_HIDDEN:
            raise ValueError(f"n_hidden = {n}: expected 1 to {MAX_HIDDEN}")
        if self.lump.shape != (n,) or not (
            0 <= self.lump.min() and self.lump.max() < len(self.states)
        ):
            faults.append(f"lump: expected {n} states, 0 to {len(self.states) - 1}")
        faults += _law("b0", self.b0[None])
        for k, factor in enumerate(self.P):
            if factor.shape != (n, n):
                faults.append(f"P[{k}]: shape {factor.shape}, expected {(n, n)}")
            elif (factor.data < 0).any() or (
                np.abs(np.asarray(factor.sum(axis=1)) - 1) > _TOL
            ).any():
                faults.append(f"P[{k}]: expected rows of probabilities that sum to 1")
        if not self.O:
            faults.append("O: expected at least one agent")
        for i, law in enumerate(self.O):
            if law.ndim != 2 or len(law) != n:
                faults.append(f"O[{i}]: shape {law.shape}, expected {n} rows")
            else:
                faults += _law(f"O[{i}]", law)
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def n_agents(self) -> int:
        """Number of agents."""
        return len(self.O)

    @property
    def n_states(self) -> int:
        """Number of states."""
        return len(self.states)

    @cached_property
    def deterministic(self) -> bool:
        """Whether every observation is a function of the hidden state."""
        return all(((law == 0) | (law == 1)).all() for law in self.O)

    def push(
        self, b: Float[np.ndarray, "n n_hidden"]
    ) -> Float[np.ndarray, "n n_hidden"]:
        """Laws of the hidden state one step later."""
        for factor in self.P:
            b = b @ factor
        return b

    def merge(
        self, b: Float[np.ndarray, "n n_hidden"]
    ) -> Float[np.ndarray, "n n_states"]:
        """Laws of the state from laws of the hidden state."""
        onto = sp.csr_matrix(
            (np.ones(len(self.lump)), (np.arange(len(self.lump)), self.lump)),
            shape=(len(self.lump), self.n_states),
        )
        return b @ onto

    def prior(self, length: int = 1) -> Float[np.ndarray, " n_states"]:
        """Law of the state at the last of ``length`` steps, before any observation."""
        b = self.b0[None]
        for _ in range(length - 1):
            b = self.push(b)
        return self.merge(b)[0]

    def simulate(
        self, n_samples: int, length: int, rng: np.random.Generator
    ) -> tuple[
        Int[np.ndarray, "n_samples length"],
        Int[np.ndarray, "n_samples length n_agents"],
    ]:
        """Hidden states and observations of independent episodes.

        Parameters
        ----------
        n_samples, length : int
            Number of episodes and their steps, 1 or more each.
        rng : Generator
            Source of randomness.
        """
        _positive(n_samples=n_samples, length=length)
        h = np.searchsorted(self.b0.cumsum(), rng.random(n_samples), side="right")
        h = np.minimum(h, len(self.b0) - 1)
        hidden = np.empty((n_samples, length), np.int64)
        for t in range(length):
            if t:
                for factor in self.P:
                    h = _step(factor, h, rng)
            hidden[:, t] = h
        obs = np.empty((n_samples, length, self.n_agents), np.int64)
        for i, law in enumerate(self.O):
            edges = law.cumsum(axis=1)[hidden]
            obs[..., i] = (rng.random((n_samples, length, 1)) > edges).sum(axis=-1)
        return hidden, obs

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
        _positive(length=length)
        joint = self._joint_symbols()
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
        joint, emitted = self._joint_symbols(), []
        for row in joint:
            law = np.ones(len(self.b0))
            for i, symbol in enumerate(row):
                law = law * self.O[i][:, symbol]
            emitted.append(len(np.unique(self.lump[law > 0])))
        return max(emitted) == 1

    def _joint_symbols(self) -> Int[np.ndarray, "n_joint n_agents"]:
        """Joint observations that some hidden state emits."""
        if self.deterministic:
            codes = np.stack([law.argmax(axis=1) for law in self.O], axis=1)
            return np.unique(codes, axis=0)
        found, law = np.empty((1, 0), np.int64), np.ones((1, len(self.b0)))
        for own in self.O:
            both = law[:, None] * own.T[None]
            old, new = np.nonzero(both.sum(axis=2) > 0)
            found = np.concatenate([found[old], new[:, None]], axis=1)
            law = both[old, new]
        return found

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


def _step(factor: sp.csr_matrix, h: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the next hidden state by the rows of a sparse factor."""
    total = np.concatenate([[0.0], factor.data.cumsum()])
    low, high = total[factor.indptr[h]], total[factor.indptr[h + 1]]
    at = np.searchsorted(total, low + rng.random(len(h)) * (high - low), side="right")
    return factor.indices[np.clip(at - 1, factor.indptr[h], factor.indptr[h + 1] - 1)]


def _law(name: str, rows: np.ndarray) -> list[str]:
    if not np.isfinite(rows).all() or (rows < 0).any():
        return [f"{name}: expected probabilities, 0 or more"]
    if (np.abs(rows.sum(axis=-1) - 1) > _TOL).any():
        return [f"{name}: expected probabilities that sum to 1"]
    return []


def _positive(**named: int) -> None:
    for name, value in named.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise ValueError(f"{name} = {value!r}: expected an integer, 1 or more")
        if value < 1:
            raise ValueError(f"{name} = {value}: expected an integer, 1 or more")


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
