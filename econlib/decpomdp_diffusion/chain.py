r"""A hidden Markov chain that several observers watch.

The hidden state :math:`h_t` starts from :math:`b_0` and moves by
:math:`P=P_1P_2\cdots P_m`, a product of sparse factors; agent :math:`i` sees
:math:`o^i_t\sim O_i(\cdot\mid h_t)`, independently of the others given :math:`h_t`.
The state that is to be recovered is a vector :math:`s(h_t)\in\mathbb R^d`, which may
forget a part of :math:`h_t`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

__all__ = ["MAX_HIDDEN", "ObservedChain", "whole"]

#: Largest number of hidden states: one row of the filter then stays below 1 MB.
MAX_HIDDEN = 50_000

_TOL = 1e-9


@dataclass(frozen=True)
class ObservedChain:
    """A hidden Markov chain with several observers.

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
        whole(n_samples=n_samples, length=length)
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

    def joint_symbols(self) -> Int[np.ndarray, "n_joint n_agents"]:
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


def whole(**named: int) -> None:
    """Refuse what is no whole number, 1 or more; the message names it.

    Raises
    ------
    ValueError
        Another value.
    """
    for name, value in named.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise ValueError(f"{name} = {value!r}: expected an integer, 1 or more")
        if value < 1:
            raise ValueError(f"{name} = {value}: expected an integer, 1 or more")


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
