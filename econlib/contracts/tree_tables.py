r"""Tables that learn contracts on trees from sampled play.

Both learners see only what is played: node, recommended action, outcome, the agent's
cost and the principal's reward; :math:`p` is known.

:func:`train_tables` makes the updates of the paper's Algorithm 2 on tables, which are
the limit of wide networks with one input a node.  In every iteration some games make
one step each, the recommendation :math:`\varepsilon`-greedy in :math:`q`; then a batch
of the memory moves :math:`q(s,a)` and :math:`\bar Q(s,a)` towards

.. math::
    y^p&=r^p-b^*(s,a)(o)+q'(s',a'),\qquad a'=\arg\max q(s',\cdot),\\
    y^a&=r+\mathbb E_{o'}b^*(s',a')(o')+\bar Q'(s',a'),

with :math:`b^*` the cheapest contract for the target copy :math:`\bar Q'`.  The
:math:`k` copies of a pair in a batch are one step :math:`1-(1-\alpha)^k` towards their
mean target.

:func:`train_backward` uses that time runs forward in a tree: after each round of
episodes the same targets are averaged over all that was ever observed, leaves first.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit

from econlib.contracts.tree_runs import Learned, Runs, Watch, check_room

__all__ = ["train_backward", "train_tables"]


def train_tables(
    runs: Runs,
    iterations: int = 20_000,
    *,
    seed: int = 0,
    interactions: int = 8,
    batch: int = 128,
    lr: tuple[float, float] = (0.3, 0.003),
    target_every: int = 100,
    eval_every: int = 1000,
    tolerance: float = 0.02,
    myopic: bool = False,
) -> Learned:
    r"""Algorithm 2 on tables, all runs one after the other in compiled code.

    Parameters
    ----------
    runs : Runs
        Instances, trials and margins.
    iterations : int
        Batches, at least 1.
    seed : int
        Of all runs; equal instances and trials get equal numbers.
    interactions : int
        Games, each of which makes one step an iteration.
    batch : int
        Samples of a batch, drawn uniformly from everything played.
    lr : (float, float)
        First and last step :math:`\alpha`, exponential between; (0, 1].
    target_every : int
        Iterations between two target copies.
    eval_every : int
        Iterations between two judgements.
    tolerance : float
        Of the tolerant mode.
    myopic : bool
        Leave the next contract's payment out of :math:`y^a`, a mistake whose
        equilibrium is that of an agent who forgets later payments; for tests.

    Returns
    -------
    Learned

    Raises
    ------
    ValueError
        A number out of range, or more samples than fit in memory.
    """
    _positive(
        iterations=iterations,
        interactions=interactions,
        batch=batch,
        target_every=target_every,
        eval_every=eval_every,
    )
    if not (0 < lr[0] <= 1 and 0 < lr[1] <= 1):
        raise ValueError(f"lr = {lr}: expected two numbers in (0, 1]")
    check_room(runs, iterations, interactions)
    watch, trees = Watch(runs, tolerance), runs.trees
    shape = (*trees.cost.shape, 2)
    q, qbar, q_old, qbar_old = (np.zeros(shape) for _ in range(4))
    played = np.zeros(shape, bool)
    memory = np.empty((len(runs), iterations * interactions), np.int32)
    games = np.zeros((len(runs), interactions), np.int64)
    rngs = [np.random.default_rng(s) for s in runs.seeds(seed)]
    decay = (lr[1] / lr[0]) ** (1 / max(iterations - 1, 1))
    modes = watch.look(0, q, qbar, played.mean(axis=(1, 2)))
    for start in range(0, iterations, eval_every):
        stop = min(start + eval_every, iterations)
        for i, rng in enumerate(rngs):
            _tables(
                rng,
                (q[i], qbar[i], q_old[i], qbar_old[i]),
                (trees.cost[i], trees.reward[i], runs.xi[i]),
                trees.p,
                memory[i],
                games[i],
                played[i],
                (start, stop, iterations, batch, target_every),
                lr[0],
                decay,
                0.0 if myopic else 1.0,
            )
        modes = watch.look(stop, q, qbar, played.mean(axis=(1, 2)))
    return watch.result(q, qbar, modes)


def train_backward(
    runs: Runs,
    rounds: int = 100,
    *,
    seed: int = 0,
    episodes: int = 128,
    known_law: bool = False,
    eval_every: int = 5,
    tolerance: float = 0.02,
) -> Learned:
    r"""Fitted backward Q-learning: replay everything, leaves first, once a round.

    Parameters
    ----------
    runs : Runs
        Instances, trials and margins.
    rounds : int
        Rounds of play and replay, at least 1; :math:`\varepsilon` falls from 1 to 0.
    seed : int
        Of all runs; equal instances and trials get equal numbers.
    episodes : int
        Plays from the root in a round.
    known_law : bool
        Average over the outcomes' known probabilities instead of their observed
        frequencies: the limit without outcome noise, which is more than the learner may
        know.  A reward not yet observed counts 0.
    eval_every : int
        Rounds between two judgements.
    tolerance : float
        Of the tolerant mode.

    Returns
    -------
    Learned

    Raises
    ------
    ValueError
        A number out of range.
    """
    _positive(rounds=rounds, episodes=episodes, eval_every=eval_every)
    watch, trees = Watch(runs, tolerance), runs.trees
    shape = (*trees.cost.shape, 2)
    q, qbar = np.zeros(shape), np.zeros(shape)
    counts = np.zeros((*shape, 2), np.int64)
    rngs = [np.random.default_rng(s) for s in runs.seeds(seed)]
    modes = watch.look(0, q, qbar, np.zeros(len(runs)))
    for start in range(0, rounds, eval_every):
        stop = min(start + eval_every, rounds)
        for i, rng in enumerate(rngs):
            arrays = (trees.cost[i], trees.reward[i], runs.xi[i])
            steps = (start, stop, rounds, episodes)
            _backward(rng, q[i], qbar[i], arrays, trees.p, counts[i], steps, known_law)
        played = (counts.sum(axis=-1) > 0).mean(axis=(1, 2))
        modes = watch.look(stop, q, qbar, played)
    return watch.result(q, qbar, modes)


def _positive(**numbers: int) -> None:
    wrong = [f"{k} = {v}" for k, v in numbers.items() if v < 1]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: expected 1 or more")


@njit(cache=True)
@no_type_check
def _best(q, s):
    return 1 if q[s, 1] > q[s, 0] else 0


@njit(cache=True)
@no_type_check
def _pay(qbar, s, a, xi, p):
    return max(qbar[s, 1 - a] - qbar[s, a] + xi[s], 0.0) * p / (2 * p - 1)


@njit(cache=True)
@no_type_check
def _tables(rng, values, arrays, p, memory, games, played, steps, alpha, decay, future):
    q, qbar, q_old, qbar_old = values
    cost, reward, xi = arrays
    start, stop, total, batch, target_every = steps
    n, n_games = len(cost), len(games)
    sums, copies = np.zeros((n, 2, 2)), np.zeros((n, 2), np.int64)
    touched = np.empty((batch, 2), np.int64)
    for it in range(start, stop):
        for g in range(n_games):
            s = games[g]
            a = _best(q, s)
            if rng.random() < 1 - it / total:
                a = int(rng.random() < 0.5)
            o = int(rng.random() < (p if a == 1 else 1 - p))
            memory[it * n_games + g] = 4 * s + 2 * a + o
            played[s, a] = True
            games[g] = 2 * s + 1 + o if 2 * s + 2 < n else 0
        if it % target_every == 0:
            q_old[:], qbar_old[:] = q, qbar
        filled, used = (it + 1) * n_games, 0
        for _ in range(batch):
            code = memory[int(rng.random() * filled)]
            s, a, o = code >> 2, code >> 1 & 1, code & 1
            yp, ya = 0.0, 0.0
            if 2 * s + 2 < n:
                child = 2 * s + 1 + o
                follow = _best(q, child)
                yp = q_old[child, follow]
                ya = qbar_old[child, follow]
                ya += future * _pay(qbar_old, child, follow, xi, p)
            if o == 1:
                yp += reward[s]
            if a == 1:
                ya -= cost[s]
            if o == a:  # the contract for a pays at outcome a alone
                yp -= _pay(qbar_old, s, a, xi, p) / p
            if copies[s, a] == 0:
                touched[used, 0], touched[used, 1] = s, a
                used += 1
            copies[s, a] += 1
            sums[s, a, 0] += yp
            sums[s, a, 1] += ya
        step = alpha * decay**it
        for j in range(used):
            s, a = touched[j]
            k = copies[s, a]
            share = 1 - (1 - step) ** k
            q[s, a] += share * (sums[s, a, 0] / k - q[s, a])
            qbar[s, a] += share * (sums[s, a, 1] / k - qbar[s, a])
            copies[s, a] = 0
            sums[s, a, 0] = sums[s, a, 1] = 0.0


@njit(cache=True)
@no_type_check
def _backward(rng, q, qbar, arrays, p, counts, steps, known_law):
    cost, reward, xi = arrays
    start, stop, total, episodes = steps
    n = len(cost)
    for t in range(start, stop):
        for _ in range(episodes):
            s = 0
            while s < n:
                a = _best(q, s)
                if rng.random() < 1 - t / total:
                    a = int(rng.random() < 0.5)
                o = int(rng.random() < (p if a == 1 else 1 - p))
                counts[s, a, o] += 1
                s = 2 * s + 1 + o
        for s in range(n - 1, -1, -1):
            after = np.zeros((2, 2))  # principal's and agent's, by outcome
            if counts[s, 0, 1] + counts[s, 1, 1] > 0:
                after[0, 1] = reward[s]
            if 2 * s + 2 < n:
                for o in range(2):
                    child = 2 * s + 1 + o
                    a = _best(q, child)
                    after[0, o] += q[child, a]
                    after[1, o] = qbar[child, a] + _pay(qbar, child, a, xi, p)
            for a in range(2):
                seen = counts[s, a, 0] + counts[s, a, 1]
                if seen > 0:
                    w = counts[s, a, 1] / seen
                    if known_law:
                        w = p if a == 1 else 1 - p
                    qbar[s, a] = (1 - w) * after[1, 0] + w * after[1, 1] - a * cost[s]
            for a in range(2):
                seen = counts[s, a, 0] + counts[s, a, 1]
                if seen > 0:
                    w = counts[s, a, 1] / seen
                    if known_law:
                        w = p if a == 1 else 1 - p
                    paid = w if a == 1 else 1 - w
                    q[s, a] = (1 - w) * after[0, 0] + w * after[0, 1]
                    q[s, a] -= paid / p * _pay(qbar, s, a, xi, p)
