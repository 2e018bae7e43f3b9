r"""Algorithm 2 with networks, compiled for one processor core.

The iteration is that of :mod:`econlib.contracts.tree_learners`, on the same networks
(one input a node, two hidden layers, two values, ReLU, Adam).  Two things are arranged
otherwise, and change no update:

- between two target copies the principal's network needs nothing of the agent's, so it
  makes its steps first and leaves its batches and its :math:`a'` to the agent's
  network; one network at a time stays in the processor's cache;
- the batch of an iteration is drawn after its games have moved.

Runs have random numbers of their own, so that a run does not depend on its neighbours.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit

from econlib.contracts.tree_runs import Learned, Runs, Watch, check_room

__all__ = ["train_deep"]

# without fastmath: the same bits whether compiled now or taken from the cache
_FAST = {"cache": True, "error_model": "numpy"}


def train_deep(
    runs: Runs,
    iterations: int = 8000,
    *,
    seed: int = 0,
    hidden: int = 32,
    interactions: int = 20,
    batch: int = 128,
    lr: tuple[float, float] = (5e-3, 1e-4),
    target_every: int = 100,
    eval_every: int = 500,
    tolerance: float = 0.02,
    rows: float = 0.94,
) -> Learned:
    r"""Train two networks for every run.

    Parameters
    ----------
    runs : Runs
        Instances, trials and margins.
    iterations : int
        Batches, at least 1; :math:`\varepsilon` falls from 1 to 0 over them.
    seed : int
        Of all runs; equal instances and trials get equal numbers.
    hidden : int
        Units of both hidden layers of every network.
    interactions : int
        Games of each run, each of which makes one step an iteration.
    batch : int
        Samples of a batch, drawn uniformly from everything played.
    lr : (float, float)
        First and last step of Adam, exponential between.
    target_every, eval_every : int
        Iterations between target copies, and between judgements.
    tolerance : float
        Of the tolerant mode.
    rows : float
        First-layer rows start uniform on [-rows, rows]; other weights on
        :math:`\pm1/\sqrt{\text{inputs}}`.

    Returns
    -------
    Learned

    Raises
    ------
    ValueError
        A number out of range.

    Notes
    -----
    About .15 ms an iteration and run at width 32 and depth 10; several ms at width 256.
    """
    small = min(iterations, hidden, interactions, batch, target_every, eval_every)
    if small < 1 or min(lr) <= 0 or not rows >= 0:
        raise ValueError(
            f"iterations = {iterations}, hidden = {hidden}, interactions = "
            f"{interactions}, batch = {batch}, target_every = {target_every}, "
            f"eval_every = {eval_every}, lr = {lr}, rows = {rows}: expected integers "
            "of 1 or more, positive steps and rows of 0 or more"
        )
    check_room(runs, iterations, interactions)
    watch, trees = Watch(runs, tolerance), runs.trees
    n, s = trees.cost.shape
    rngs = [np.random.default_rng(x) for x in runs.seeds(seed)]
    size = hidden * (s + hidden + 4) + 2
    weights = np.stack([[_first(r, s, hidden, rows) for _ in "pa"] for r in rngs])
    moments = np.zeros((n, 2, 2, size), np.float32)
    tables = np.zeros((n, 2, s + 1, 2), np.float32)  # targets; last: end of play
    bonus = np.zeros((n, s, 2), np.float32)
    memory = np.empty((n, iterations * interactions), np.int32)
    games = np.zeros((n, interactions), np.int64)
    played = np.zeros((n, s, 2), bool)
    world = [x.astype(np.float32) for x in (trees.cost, trees.reward, runs.xi)]
    decay = (lr[1] / lr[0]) ** (1 / max(iterations - 1, 1))

    def values() -> np.ndarray:
        return np.stack([[_all_values(w, s, hidden) for w in pair] for pair in weights])

    def look(step: int) -> tuple:
        q, qbar = np.moveaxis(values().astype(float), 1, 0)
        return q, qbar, watch.look(step, q, qbar, played.mean(axis=(1, 2)))

    last = look(0)
    for start in range(0, iterations, eval_every):
        stop = min(start + eval_every, iterations)
        for i, rng in enumerate(rngs):
            _learn(
                rng,
                weights[i],
                moments[i],
                (tables[i], bonus[i]),
                tuple(x[i] for x in world),
                np.float32(trees.p),
                (memory[i], games[i], played[i]),
                (start, stop, iterations, target_every, batch, hidden),
                lr[0],
                decay,
            )
        last = look(stop)
    return watch.result(*last)


def _first(
    rng: np.random.Generator, n_nodes: int, hidden: int, rows: float
) -> np.ndarray:
    """First weights of a network, flat: rows, bias, layer, bias, layer, bias."""
    inner = hidden**-0.5
    bounds = np.repeat(
        [rows, n_nodes**-0.5, inner],
        [n_nodes * hidden, hidden, hidden * hidden + hidden + 2 * hidden + 2],
    )
    return (rng.uniform(-1, 1, len(bounds)) * bounds).astype(np.float32)


@njit(**_FAST)
@no_type_check
def _layers(w, n, h):
    i = n * h
    j = i + h
    k = j + h * h
    m = k + h
    return (
        w[:i].reshape(n, h),
        w[i:j],
        w[j:k].reshape(h, h),
        w[k:m],
        w[m : m + 2 * h].reshape(h, 2),
        w[m + 2 * h :],
    )


@njit(**_FAST)
@no_type_check
def _forward(layers, nodes, one, two, out):
    rows, bias1, weight2, bias2, weight3, bias3 = layers
    zero, h = np.float32(0), len(bias1)
    for t in range(len(nodes)):
        for j in range(h):
            one[t, j] = max(rows[nodes[t], j] + bias1[j], zero)
    np.dot(one, weight2, two)
    for t in range(len(nodes)):
        for j in range(h):
            two[t, j] = max(two[t, j] + bias2[j], zero)
    np.dot(two, weight3, out)
    for t in range(len(nodes)):
        out[t, 0] += bias3[0]
        out[t, 1] += bias3[1]


@njit(**_FAST)
@no_type_check
def _all_values(w, n, h):
    one, two = np.empty((n, h), np.float32), np.empty((n, h), np.float32)
    out = np.empty((n, 2), np.float32)
    _forward(_layers(w, n, h), np.arange(n), one, two, out)
    return out


@njit(**_FAST)
@no_type_check
def _gradient(layers, slopes, nodes, actions, targets, work):
    """Add the gradient of the mean squared error; ``work`` holds layers' buffers."""
    one, two, out, down, up, square = work
    weight2, weight3 = layers[2], layers[4]
    rows, bias1, slope2, bias2, slope3, bias3 = slopes
    size, h = one.shape
    zero = np.float32(0)
    for t in range(size):
        a = actions[t]
        e = np.float32(2) * (out[t, a] - targets[t]) / np.float32(size)
        bias3[a] += e
        for j in range(h):
            slope3[j, a] += e * two[t, j]
            down[t, j] = e * weight3[j, a] if two[t, j] > zero else zero
            bias2[j] += down[t, j]
    np.dot(one.T, down, square)
    for j in range(h):
        for k in range(h):
            slope2[j, k] = square[j, k]
    np.dot(down, weight2.T, up)
    for t in range(size):
        s = nodes[t]
        for j in range(h):
            x = up[t, j] if one[t, j] > zero else zero
            rows[s, j] += x
            bias1[j] += x


@njit(**_FAST)
@no_type_check
def _adam(w, m, v, g, lr, step):
    one, b1, b2 = np.float32(1), np.float32(0.9), np.float32(0.999)
    scale = np.float32(lr / (1 - 0.9**step))
    root = np.float32(1 / np.sqrt(1 - 0.999**step))
    tiny = np.float32(1e-8)
    for i in range(len(w)):
        m[i] = b1 * m[i] + (one - b1) * g[i]
        v[i] = b2 * v[i] + (one - b2) * g[i] * g[i]
        w[i] -= scale * m[i] / (np.sqrt(v[i]) * root + tiny)
        g[i] = 0


@njit(**_FAST)
@no_type_check
def _learn(rng, weights, moments, kept, world, p, play, numbers, lr, decay):
    tables, bonus = kept
    cost, reward, xi = world
    memory, games, played = play
    start, stop, total, every, batch, h = numbers
    n, k = len(cost), len(games)
    one = np.empty((batch, h), np.float32)
    two, down, up = np.empty_like(one), np.empty_like(one), np.empty_like(one)
    out, square = np.empty((batch, 2), np.float32), np.empty((h, h), np.float32)
    work = (one, two, out, down, up, square)
    small = (np.empty((k, h), np.float32), np.empty((k, h), np.float32))
    seen, slope = np.empty((k, 2), np.float32), np.zeros(weights.shape[1], np.float32)
    slopes, y = _layers(slope, n, h), np.empty(batch, np.float32)
    nodes = np.empty((every, batch), np.int64)
    actions, outcomes = np.empty_like(nodes), np.empty_like(nodes)
    follow = np.empty_like(nodes)
    after = np.empty(batch, np.int64)
    for first in range(start, stop):
        if first % every != 0 and first != start:
            continue
        last = min(first - first % every + every, stop)
        if first % every == 0:
            tables[0, :n] = _all_values(weights[0], n, h)
            qbar = _all_values(weights[1], n, h)
            for s in range(n):
                for a in range(2):
                    pay = max(qbar[s, 1 - a] - qbar[s, a] + xi[s], np.float32(0))
                    bonus[s, a] = pay / (2 * p - 1)
                    tables[1, s, a] = qbar[s, a] + p * bonus[s, a]
        layers = _layers(weights[0], n, h)
        for it in range(first, last):
            i = it - first
            _forward(layers, games, small[0], small[1], seen)
            for g in range(k):
                s, a = games[g], int(seen[g, 1] > seen[g, 0])
                if rng.random() < 1 - it / total:
                    a = int(rng.random() < 0.5)
                o = int(rng.random() < (p if a == 1 else 1 - p))
                memory[it * k + g] = 4 * s + 2 * a + o
                played[s, a] = True
                games[g] = 2 * s + 1 + o if 2 * s + 2 < n else 0
            for t in range(batch):
                code = memory[int(rng.random() * (it + 1) * k)]
                s, a, o = code >> 2, code >> 1 & 1, code & 1
                nodes[i, t], actions[i, t], outcomes[i, t] = s, a, o
                after[t] = 2 * s + 1 + o if 2 * s + 2 < n else 0
            _forward(layers, after, one, two, out)
            for t in range(batch):
                s, a, o = nodes[i, t], actions[i, t], outcomes[i, t]
                follow[i, t] = int(out[t, 1] > out[t, 0])
                child = 2 * s + 1 + o if 2 * s + 2 < n else n
                y[t] = tables[0, child, follow[i, t]]
                if o == 1:
                    y[t] += reward[s]
                if o == a:  # the contract for a pays at outcome a alone
                    y[t] -= bonus[s, a]
            _forward(layers, nodes[i], one, two, out)
            _gradient(layers, slopes, nodes[i], actions[i], y, work)
            step = lr * decay**it
            _adam(weights[0], moments[0, 0], moments[0, 1], slope, step, it + 1)
        layers = _layers(weights[1], n, h)
        for it in range(first, last):
            i = it - first
            for t in range(batch):
                s, a, o = nodes[i, t], actions[i, t], outcomes[i, t]
                child = 2 * s + 1 + o if 2 * s + 2 < n else n
                y[t] = tables[1, child, follow[i, t]]
                if a == 1:
                    y[t] -= cost[s]
            _forward(layers, nodes[i], one, two, out)
            _gradient(layers, slopes, nodes[i], actions[i], y, work)
            step = lr * decay**it
            _adam(weights[1], moments[1, 0], moments[1, 1], slope, step, it + 1)
