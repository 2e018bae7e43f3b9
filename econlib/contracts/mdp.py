r"""Principal-agent decision processes with hidden actions.

In state :math:`s` the principal offers payments :math:`b(o)\ge0`, the agent takes an
action :math:`a` that the principal does not see, and the outcome :math:`o` is public:

.. math::

   o\sim F(\cdot\mid s,a),\qquad s'\sim T(\cdot\mid s,o),\qquad
   \text{agent: } r(s,a)+b(o),\qquad \text{principal: } r^p(s,o)-b(o).

Only the outcome moves the state.  With a horizon every state has a *layer*, the number
of decisions before it, and play moves to a later layer or ends; without one the
discount :math:`\gamma` is below 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

__all__ = [
    "MAX_STATES",
    "PAMDP",
    "disjoint_union",
    "observe_actions",
    "unroll",
]

#: Largest number of states of a process; a table of one number a state and action
#: then stays below about 100 MB.
MAX_STATES = 2**20

_TOL = 1e-9


@dataclass(frozen=True)
class PAMDP:
    r"""A principal-agent decision process.

    Attributes
    ----------
    F : ndarray, shape (n_states, n_actions, n_outcomes)
        Probability of each outcome; rows sum to 1.
    r : ndarray, shape (n_states, n_actions)
        The agent's reward, minus its cost.
    rp : ndarray, shape (n_states, n_outcomes)
        The principal's reward.
    T : csr_matrix, shape (n_states * n_outcomes, n_states)
        Law of the next state, row ``s * n_outcomes + o``; a row of zeros ends play.
        May be given as an array (n_states, n_outcomes, n_states), or as whole numbers
        (n_states, n_outcomes) that name the next state, -1 for the end.
    gamma : float
        Discount, [0, 1]; below 1 where there is no horizon.
    layers : ndarray of int, shape (n_states,), or None
        Decisions before each state; None for an infinite horizon.
    start : int
        Initial state.

    Raises
    ------
    ValueError
        All that is wrong in one message: shapes, probabilities that are negative or
        do not sum to 1, rewards that are not finite, a discount out of range, or a
        transition to a layer that is not later.

    Examples
    --------
    >>> from econlib.contracts.examples import figure1_mdp
    >>> figure1_mdp().n_states
    3
    """

    F: Float[np.ndarray, "n_states n_actions n_outcomes"]
    r: Float[np.ndarray, "n_states n_actions"]
    rp: Float[np.ndarray, "n_states n_outcomes"]
    T: np.ndarray | sp.csr_matrix
    gamma: float = 1.0
    layers: Int[np.ndarray, " n_states"] | None = None
    start: int = 0

    def __post_init__(self) -> None:
        F = np.asarray(self.F, dtype=float)
        if F.ndim != 3 or 0 in F.shape:
            raise ValueError(
                f"F: shape {F.shape}, expected (n_states, n_actions, n_outcomes)"
            )
        n_states, n_actions, n_outcomes = F.shape
        r, rp = np.asarray(self.r, dtype=float), np.asarray(self.rp, dtype=float)
        faults = []
        if n_states > MAX_STATES:
            faults.append(f"n_states = {n_states}: expected at most {MAX_STATES}")
        if r.shape != (n_states, n_actions):
            faults.append(f"r: shape {r.shape}, expected {(n_states, n_actions)}")
        elif not np.isfinite(r).all():
            faults.append("r: expected finite rewards")
        if rp.shape != (n_states, n_outcomes):
            faults.append(f"rp: shape {rp.shape}, expected {(n_states, n_outcomes)}")
        elif not np.isfinite(rp).all():
            faults.append("rp: expected finite rewards")
        faults += _law_faults("F", F, ends=False)
        T, more = _as_matrix(self.T, n_states, n_outcomes)
        faults += more
        layers = None if self.layers is None else np.asarray(self.layers)
        faults += _time_faults(self.gamma, layers, T, n_states, n_outcomes)
        if not 0 <= self.start < n_states:
            faults.append(f"start = {self.start}: expected 0 to {n_states - 1}")
        if faults:
            raise ValueError("; ".join(faults))
        for name, value in {
            "F": F,
            "r": r,
            "rp": rp,
            "T": T,
            "gamma": float(self.gamma),
            "layers": None if layers is None else layers.astype(np.int64),
        }.items():
            object.__setattr__(self, name, value)

    @property
    def n_states(self) -> int:
        """Number of states."""
        return self.F.shape[0]

    @property
    def n_actions(self) -> int:
        """Number of the agent's actions."""
        return self.F.shape[1]

    @property
    def n_outcomes(self) -> int:
        """Number of outcomes, so of payments of a contract."""
        return self.F.shape[2]

    @property
    def horizon(self) -> int | None:
        """Number of decisions of the longest play; None where it never ends."""
        return None if self.layers is None else int(self.layers.max()) + 1

    @cached_property
    def kernel(self) -> sp.csr_matrix:
        """Law of the next state by state and action, row ``s * n_actions + a``."""
        n_states, n_actions, n_outcomes = self.F.shape
        rows = np.repeat(np.arange(n_states * n_actions), n_outcomes)
        first = np.repeat(np.arange(n_states) * n_outcomes, n_actions)
        columns = (first[:, None] + np.arange(n_outcomes)).ravel()
        mix = sp.csr_matrix(
            (self.F.ravel(), (rows, columns)),
            shape=(n_states * n_actions, n_states * n_outcomes),
        )
        return (mix @ self.T).tocsr()

    @cached_property
    def sweeps(self) -> tuple[tuple[np.ndarray, sp.csr_matrix], ...]:
        """States of each layer, last first, with their rows of :attr:`kernel`."""
        if self.layers is None:
            raise ValueError("layers is None: an infinite horizon has no last layer")
        found = []
        for layer in np.unique(self.layers)[::-1]:
            states = np.flatnonzero(self.layers == layer)
            rows = states[:, None] * self.n_actions + np.arange(self.n_actions)
            found.append((states, self.kernel[rows.ravel()]))
        return tuple(found)

    @cached_property
    def expected_rp(self) -> Float[np.ndarray, "n_states n_actions"]:
        """The principal's expected reward of each action, before payments."""
        return np.einsum("sao,so->sa", self.F, self.rp)

    def expected(
        self, b: Float[np.ndarray, "n_states n_outcomes"]
    ) -> Float[np.ndarray, "n_states n_actions"]:
        """Expected payment of each action under one contract a state."""
        return np.einsum("sao,so->sa", self.F, b)

    def with_gamma(self, gamma: float) -> PAMDP:
        """The same process under another discount."""
        return replace(self, gamma=gamma)


def _law_faults(name: str, law: np.ndarray, *, ends: bool) -> list[str]:
    if not np.isfinite(law).all() or (law < 0).any():
        return [f"{name}: expected probabilities, 0 or more"]
    total = law.sum(axis=-1)
    wrong = np.abs(total - 1) > _TOL
    if ends:
        wrong &= np.abs(total) > _TOL
    if not wrong.any():
        return []
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    rule = "1, or to 0 where play ends" if ends else "1"
    return [f"{name}{list(at)} sums to {total[at]:.6g}: expected a sum of {rule}"]


def _as_matrix(
    T: np.ndarray | sp.spmatrix, n_states: int, n_outcomes: int
) -> tuple[sp.csr_matrix, list[str]]:
    shape = (n_states * n_outcomes, n_states)
    empty = sp.csr_matrix(shape)
    if sp.issparse(T):
        matrix = sp.csr_matrix(T, dtype=float)
        if matrix.shape != shape:
            return empty, [f"T: shape {matrix.shape}, expected {shape}"]
    else:
        T = np.asarray(T)
        if T.shape == (n_states, n_outcomes) and np.issubdtype(T.dtype, np.integer):
            if T.min() < -1 or T.max() >= n_states:
                return empty, [f"T: expected states 0 to {n_states - 1}, or -1"]
            rows = np.flatnonzero(T.ravel() >= 0)
            entries = (np.ones(len(rows)), (rows, T.ravel()[rows]))
            return sp.csr_matrix(entries, shape=shape), []
        if T.shape != (n_states, n_outcomes, n_states):
            return empty, [
                f"T: shape {T.shape}, expected {(n_states, n_outcomes, n_states)}, or "
                f"whole numbers of shape {(n_states, n_outcomes)}"
            ]
        matrix = sp.csr_matrix(T.reshape(shape).astype(float))
    if not np.isfinite(matrix.data).all() or (matrix.data < 0).any():
        return empty, ["T: expected probabilities, 0 or more"]
    total = np.asarray(matrix.sum(axis=1)).ravel()
    wrong = np.flatnonzero((np.abs(total - 1) > _TOL) & (np.abs(total) > _TOL))
    if len(wrong):
        s, o = divmod(int(wrong[0]), n_outcomes)
        return empty, [
            f"T[{s}, {o}] sums to {total[wrong[0]]:.6g}: "
            "expected a sum of 1, or of 0 where play ends"
        ]
    matrix.eliminate_zeros()
    return matrix, []


def _time_faults(
    gamma: float,
    layers: np.ndarray | None,
    T: sp.csr_matrix,
    n_states: int,
    n_outcomes: int,
) -> list[str]:
    faults = []
    if not (np.isfinite(gamma) and 0 <= gamma <= 1):
        faults.append(f"gamma = {gamma}: expected a number in [0, 1]")
    if layers is None:
        if gamma == 1:
            faults.append("gamma = 1: expected below 1 without a horizon; give layers")
        return faults
    if layers.shape != (n_states,) or not np.issubdtype(layers.dtype, np.integer):
        return [*faults, f"layers: expected whole numbers, shape {(n_states,)}"]
    if (layers < 0).any():
        return [*faults, "layers: expected 0 or more"]
    rows, columns = T.nonzero()
    back = np.flatnonzero(layers[columns] <= layers[rows // n_outcomes])
    if len(back):
        s, to = int(rows[back[0]] // n_outcomes), int(columns[back[0]])
        faults.append(
            f"T: state {s} in layer {layers[s]} leads to state {to} in layer "
            f"{layers[to]}: expected a later layer"
        )
    return faults


def unroll(mdp: PAMDP, horizon: int, gamma: float = 1.0) -> PAMDP:
    """Copy each state once a step, so that every play ends after ``horizon`` decisions.

    Parameters
    ----------
    mdp : PAMDP
        Without layers; state s of step t becomes state ``t * n_states + s``.
    horizon : int
        Number of decisions, 1 or more.
    gamma : float
        Discount of the new process, [0, 1].

    Raises
    ------
    ValueError
        A horizon below 1, or too many states for memory.
    """
    if horizon < 1:
        raise ValueError(f"horizon = {horizon}: expected an integer, 1 or more")
    n = mdp.n_states
    if horizon * n > MAX_STATES:
        raise ValueError(
            f"horizon = {horizon} with {n} states makes {horizon * n} copies: "
            f"expected at most {MAX_STATES}"
        )
    shift = sp.eye_array(horizon, k=1)
    return PAMDP(
        F=np.tile(mdp.F, (horizon, 1, 1)),
        r=np.tile(mdp.r, (horizon, 1)),
        rp=np.tile(mdp.rp, (horizon, 1)),
        T=sp.csr_matrix(sp.kron(shift, mdp.T)),
        gamma=gamma,
        layers=np.repeat(np.arange(horizon), n),
        start=mdp.start,
    )


def disjoint_union(mdps: Sequence[PAMDP]) -> PAMDP:
    """Processes side by side in one, so that one solver call solves them all.

    Parameters
    ----------
    mdps : sequence of PAMDP
        With one discount and the same numbers of actions and outcomes, all with
        layers or none; states keep their order, one process after the other.
    """
    if not mdps:
        raise ValueError("mdps: expected at least one process")
    first = mdps[0]
    for i, other in enumerate(mdps):
        same = (
            other.F.shape[1:] == first.F.shape[1:]
            and other.gamma == first.gamma
            and (other.layers is None) == (first.layers is None)
        )
        if not same:
            raise ValueError(
                f"mdps[{i}]: expected actions, outcomes, discount and kind of horizon "
                "of the first"
            )
    layers = None
    if first.layers is not None:
        layers = np.concatenate([m.layers for m in mdps])
    return PAMDP(
        F=np.concatenate([m.F for m in mdps]),
        r=np.concatenate([m.r for m in mdps]),
        rp=np.concatenate([m.rp for m in mdps]),
        T=sp.csr_matrix(sp.block_diag([m.T for m in mdps])),
        gamma=first.gamma,
        layers=layers,
    )


def observe_actions(mdp: PAMDP) -> PAMDP:
    """The same process when the principal sees the action: the outcome *is* the action.

    Transitions stay as random as they were, and the principal's reward is the expected
    one.
    """
    n_states, n_actions, _ = mdp.F.shape
    return PAMDP(
        F=np.tile(np.eye(n_actions), (n_states, 1, 1)),
        r=mdp.r,
        rp=mdp.expected_rp,
        T=mdp.kernel,
        gamma=mdp.gamma,
        layers=mdp.layers,
        start=mdp.start,
    )
