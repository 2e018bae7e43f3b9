r"""Many learners of tree contracts side by side, and how they are watched.

A run is an instance (tree), a trial (its own random numbers) and a margin :math:`\xi`.
All runs of a comparison are trained in lockstep, one row a run, and judged now and then
in the three modes of :mod:`econlib.contracts.tree_modes`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from econlib.contracts.tree_modes import Modes, judge
from econlib.contracts.trees import Equilibrium, Trees, contracts, solve

__all__ = ["Learned", "Runs", "Watch", "check_room", "lay_out"]

_MOST_SAMPLES = 2**29

_MEASURES = ("strict", "implemented", "tolerant", "agent", "follow", "accuracy", "seen")


@dataclass(frozen=True)
class Runs:
    """Which tree, trial and margin each row is.

    Attributes
    ----------
    trees : Trees
        One row a run; the instance is repeated for its trials and margins.
    xi : ndarray, shape (n_runs, n_nodes)
        Margin in every contract.
    instance, trial, level : ndarray of int, shape (n_runs,)
        Index of the instance, of the trial, and of the margin in the list.
    """

    trees: Trees
    xi: Float[np.ndarray, "n_runs n_nodes"]
    instance: Int[np.ndarray, " n_runs"]
    trial: Int[np.ndarray, " n_runs"]
    level: Int[np.ndarray, " n_runs"]

    def __len__(self) -> int:
        return len(self.instance)

    def seeds(self, seed: int) -> list[np.random.SeedSequence]:
        """One source of randomness a run: equal for the same instance and trial."""
        pairs = zip(self.instance, self.trial, strict=True)
        return [np.random.SeedSequence((seed, int(i), int(j))) for i, j in pairs]


def lay_out(
    trees: Trees,
    n_trials: int,
    margins: Sequence[float | Float[np.ndarray, "*shape"]],
) -> Runs:
    """Every instance with every margin, ``n_trials`` times.

    Parameters
    ----------
    trees : Trees
        The instances.
    n_trials : int
        Trials of each, at least 1.
    margins : sequence
        Each a number, or an array that broadcasts to (n_trees, n_nodes); at least 0.

    Examples
    --------
    >>> from econlib.contracts.trees import tree_batch
    >>> runs = lay_out(tree_batch(3, [0, 1]), 2, [0.0, 0.02])
    >>> len(runs), runs.level.tolist(), runs.instance.tolist()
    (8, [0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0, 1, 1])
    """
    if n_trials < 1 or len(margins) < 1:
        raise ValueError(
            f"n_trials = {n_trials}, {len(margins)} margins: expected 1 or more of each"
        )
    n = trees.n_trees
    grid = np.indices((len(margins), n, n_trials)).reshape(3, -1)
    level, instance, trial = grid
    table = np.stack([np.broadcast_to(m, trees.cost.shape) for m in margins])
    if not (np.isfinite(table).all() and table.min() >= 0):
        raise ValueError(f"margins: expected finite numbers, 0 or more, got {margins}")
    xi = table[level, instance].astype(float)
    return Runs(trees.take(instance), xi, instance, trial, level)


def check_room(runs: Runs, iterations: int, interactions: int) -> None:
    """Refuse a training whose memory of play would not fit.

    Raises
    ------
    ValueError
        More samples in all than 2**29, which take 2 GiB.
    """
    samples = len(runs) * iterations * interactions
    if samples > _MOST_SAMPLES:
        raise ValueError(
            f"{len(runs)} runs x {iterations} iterations x {interactions} interactions "
            f"= {samples} samples: expected at most {_MOST_SAMPLES} (memory). "
            "Try fewer of one of them."
        )


@dataclass(frozen=True)
class Learned:
    """What the runs learnt.

    Attributes
    ----------
    steps : ndarray of int, shape (n_evals,)
        Iterations (rounds) after which the principals were judged.
    strict, implemented, tolerant : ndarray, shape (n_runs, n_evals)
        The principal's value at the root in the three modes.
    agent : ndarray, shape (n_runs, n_evals)
        The agent's value at the root in the strict mode.
    follow : ndarray, shape (n_runs, n_evals)
        Share of all nodes at which the strict agent obeys.
    accuracy : ndarray, shape (n_runs, n_evals)
        Share of all nodes whose recommendation is that of the exact equilibrium without
        a margin.
    seen : ndarray, shape (n_runs, n_evals)
        Share of the pairs of node and action that were ever played.
    q, qbar : ndarray, shape (n_runs, n_nodes, 2)
        Learnt values at the end: contractual, and the agent's truncated ones.
    modes : Modes
        Judgement of the contracts at the end, node by node.
    seconds : float
        Wall-clock time, judging included.
    """

    steps: Int[np.ndarray, " n_evals"]
    strict: Float[np.ndarray, "n_runs n_evals"]
    implemented: Float[np.ndarray, "n_runs n_evals"]
    tolerant: Float[np.ndarray, "n_runs n_evals"]
    agent: Float[np.ndarray, "n_runs n_evals"]
    follow: Float[np.ndarray, "n_runs n_evals"]
    accuracy: Float[np.ndarray, "n_runs n_evals"]
    seen: Float[np.ndarray, "n_runs n_evals"]
    q: Float[np.ndarray, "n_runs n_nodes 2"]
    qbar: Float[np.ndarray, "n_runs n_nodes 2"]
    modes: Modes
    seconds: float

    @property
    def act(self) -> Int[np.ndarray, "n_runs n_nodes"]:
        """Recommended actions at the end."""
        return self.q.argmax(axis=-1)


@dataclass
class Watch:
    """Judges the runs while they learn; for the learners.

    Attributes
    ----------
    runs : Runs
        What is learnt.
    tolerance : float
        Of the tolerant mode.
    truth : Equilibrium
        Exact equilibrium without a margin, one row a run.
    """

    runs: Runs
    tolerance: float = 0.02
    truth: Equilibrium = field(init=False)

    def __post_init__(self) -> None:
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance = {self.tolerance}: expected 0 or more")
        self.truth = solve(self.runs.trees)
        self._start = time.perf_counter()
        self._steps: list[int] = []
        self._rows: dict[str, list] = {name: [] for name in _MEASURES}

    def modes(
        self,
        q: Float[np.ndarray, "n_runs n_nodes 2"],
        qbar: Float[np.ndarray, "n_runs n_nodes 2"],
    ) -> Modes:
        """Judge the principals that have these values, and note nothing."""
        trees, act = self.runs.trees, q.argmax(axis=-1)
        b = contracts(qbar.astype(float), act, self.runs.xi, trees.p)
        return judge(trees, act, b, self.tolerance)

    def look(
        self,
        step: int,
        q: Float[np.ndarray, "n_runs n_nodes 2"],
        qbar: Float[np.ndarray, "n_runs n_nodes 2"],
        seen: Float[np.ndarray, " n_runs"],
    ) -> Modes:
        """Judge the present principals, and note what is seen."""
        modes, act = self.modes(q, qbar), q.argmax(axis=-1)
        values = (
            modes.strict.principal,
            modes.implemented.principal,
            modes.tolerant.principal,
            modes.strict.agent,
            modes.strict.follow_rate,
            (act == self.truth.act).mean(axis=1),
            seen,
        )
        self._steps.append(step)
        for name, value in zip(_MEASURES, values, strict=True):
            self._rows[name].append(np.array(value, float))
        return modes

    def result(
        self,
        q: Float[np.ndarray, "n_runs n_nodes 2"],
        qbar: Float[np.ndarray, "n_runs n_nodes 2"],
        modes: Modes,
    ) -> Learned:
        """All that was noted."""
        seconds = time.perf_counter() - self._start
        noted = {k: np.array(v).T for k, v in self._rows.items()}
        q, qbar = q.astype(float), qbar.astype(float)
        steps = np.array(self._steps)
        last = {"q": q, "qbar": qbar, "modes": modes}
        return Learned(steps, **noted, **last, seconds=seconds)
