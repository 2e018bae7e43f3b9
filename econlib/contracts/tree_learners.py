r"""Deep Q-learning of contracts on trees: Algorithm 2 as one stacked ensemble.

Every run has two networks with two hidden layers and one input a node: the principal's
contractual :math:`q^\theta(s,\cdot)` and the agent's truncated :math:`\bar
Q^\phi(s,\cdot)`.  In each iteration some games make one step, the recommendation
:math:`\varepsilon`-greedy in :math:`q^\theta`, and a batch of the memory gives the
squared losses of

.. math::
    y^p&=r^p-b^*(s,a^p)(o)+q^{\theta'}(s',a'),\qquad
         a'=\arg\max q^\theta(s',\cdot),\\
    y^a&=r+\mathbb E_{o'}b^*(s',a')(o')+\bar Q^{\phi'}(s',a'),

with :math:`b^*` the cheapest contract for :math:`\bar Q^{\phi'}`, in closed form since
there are two actions.  The networks of all runs are stacked, so that a layer is one
batched product; one input a node makes the first layer a look-up of rows.  Target
networks stand still between copies, so their values at all nodes, and the contracts,
are tabulated once a copy: that changes no number.

This form runs on any device; :mod:`econlib.contracts.tree_deep` is the same algorithm,
faster on one processor core.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from econlib.contracts.tree_runs import Learned, Runs, Watch, check_room
from econlib.training import generator, pick_device

__all__ = ["Ensemble", "closed_form_pay", "train_lockstep"]


class Ensemble:
    r"""Networks of one shape, stacked: node → hidden → hidden → two values, ReLU.

    Parameters
    ----------
    n_nets : int
        Networks.
    n_nodes : int
        Inputs, one a node.
    hidden : int
        Units of both hidden layers.
    gen : torch.Generator
        Of the first weights; lives on the device of the networks.
    rows : float
        First-layer rows start uniform on [-rows, rows], other weights on
        :math:`\pm1/\sqrt{\text{inputs}}`.
    """

    def __init__(
        self,
        n_nets: int,
        n_nodes: int,
        hidden: int,
        gen: torch.Generator,
        rows: float = 0.94,
    ) -> None:
        def uniform(bound: float, *shape: int) -> Tensor:
            draw = torch.rand(n_nets, *shape, generator=gen, device=gen.device)
            return (2 * draw - 1) * bound

        self.n_nodes, self.hidden = n_nodes, hidden
        inner = hidden**-0.5
        self.rows = uniform(rows, n_nodes, hidden)
        self.bias1 = uniform(n_nodes**-0.5, 1, hidden)
        self.weight2 = uniform(inner, hidden, hidden)
        self.bias2 = uniform(inner, 1, hidden)
        self.weight3 = uniform(inner, hidden, 2)
        self.bias3 = uniform(inner, 1, 2)
        self._base = torch.arange(n_nets, device=gen.device)[:, None] * n_nodes

    def parameters(self) -> list[Tensor]:
        """Stacked weights, first layer first."""
        return [
            self.rows,
            self.bias1,
            self.weight2,
            self.bias2,
            self.weight3,
            self.bias3,
        ]

    def values(
        self, nodes: Int[Tensor, "n_used n_samples"] | None = None
    ) -> Float[Tensor, "n_used n_samples 2"]:
        """Values of both actions for the first networks: all nodes where none is given.

        Networks beyond ``n_used`` are left out of the computation.
        """
        return self._forward(nodes)[-1]

    def _forward(self, nodes: Tensor | None) -> tuple[Tensor, ...]:
        if nodes is None:
            n, first = len(self.rows), self.rows
        else:
            n = len(nodes)
            flat = (nodes + self._base[:n]).flatten()
            first = self.rows.view(-1, self.hidden).index_select(0, flat)
            first = first.view(n, -1, self.hidden)
        one = (first + self.bias1[:n]).relu_()
        two = torch.baddbmm(self.bias2[:n], one, self.weight2[:n]).relu_()
        return one, two, torch.baddbmm(self.bias3[:n], two, self.weight3[:n])

    def backward(
        self,
        nodes: Int[Tensor, "n_nets n_samples"],
        actions: Int[Tensor, "n_nets n_samples"],
        targets: Float[Tensor, "n_nets n_samples"],
    ) -> None:
        """Set the gradients of each network's mean squared error; sums over networks.

        Written out, since automatic differentiation of the look-up is slow.
        """
        one, two, out = self._forward(nodes)
        at = actions[..., None]
        error = out.gather(2, at) - targets[..., None]
        down = torch.zeros_like(out).scatter_(2, at, error * (2 / nodes.shape[1]))
        self.weight3.grad = two.transpose(1, 2) @ down
        self.bias3.grad = down.sum(1, keepdim=True)
        down = _relu_grad(down @ self.weight3.transpose(1, 2), two)
        self.weight2.grad = one.transpose(1, 2) @ down
        self.bias2.grad = down.sum(1, keepdim=True)
        down = _relu_grad(down @ self.weight2.transpose(1, 2), one)
        self.bias1.grad = down.sum(1, keepdim=True)
        if self.rows.grad is None:
            self.rows.grad = torch.zeros_like(self.rows)
        flat = (nodes + self._base).flatten()
        rows = self.rows.grad.view(-1, self.hidden).zero_()
        rows.index_add_(0, flat, down.reshape(-1, self.hidden))


def _relu_grad(down: Tensor, out: Tensor) -> Tensor:
    return torch.ops.aten.threshold_backward(down, out, 0)


def closed_form_pay(
    qbar: Float[Tensor, "*batch 2"], xi: Float[Tensor, "*batch"], p: float
) -> Float[Tensor, "*batch 2"]:
    r"""Least expected payment for each action, as ``trees.expected_pay``."""
    return (qbar.flip(-1) - qbar + xi[..., None]).relu() * (p / (2 * p - 1))


class _Lockstep:
    """Games, memory, and tables of the targets, of all runs."""

    def __init__(self, runs: Runs, net: Ensemble, games: int, room: int) -> None:
        trees, dev = runs.trees, net.rows.device
        n, s = trees.cost.shape
        self.n, self.s, self.p, self.net = n, s, trees.p, net
        cost, reward = torch.tensor(
            np.stack([trees.cost, trees.reward]), dtype=torch.float32, device=dev
        )
        nothing = torch.zeros_like(cost)
        self.loss = torch.stack([nothing, cost], dim=-1)  # of a_0 and a_1
        self.gain = torch.stack([nothing, reward], dim=-1)  # at o_0 and o_1
        self.xi = torch.tensor(runs.xi, dtype=torch.float32, device=dev)
        self.games = torch.zeros(n, games, dtype=torch.int64, device=dev)
        self.memory = torch.zeros(n, room, dtype=torch.int64, device=dev)
        self.played = torch.zeros(n, s, 2, dtype=torch.bool, device=dev)
        self.run = torch.arange(n, device=dev)[:, None]
        # one more row than nodes: the end of play, worth nothing
        self.after_p, self.after_a = (
            torch.zeros(n * (s + 1) * 2, device=dev) for _ in range(2)
        )
        self.filled = 0

    def copy_targets(self) -> None:
        """Tabulate the target values at all nodes, and the contracts for them."""
        q, qbar = self.net.values().split(self.n)
        pay = closed_form_pay(qbar, self.xi, self.p)
        self.bonus = (pay / self.p).flatten()  # paid at the outcome the action favours
        self.after_p.view(self.n, self.s + 1, 2)[:, :-1] = q
        self.after_a.view(self.n, self.s + 1, 2)[:, :-1] = qbar + pay

    def step(self, q: Tensor, epsilon: float, gen: torch.Generator) -> None:
        """One step of every game, recommendations greedy in ``q`` but for some."""
        draw = torch.rand(3, *self.games.shape, generator=gen, device=q.device)
        greedy = q[..., 1] > q[..., 0]
        a = torch.where(draw[0] < epsilon, draw[1] < 0.5, greedy)
        o = draw[2] < torch.where(a, self.p, 1 - self.p)
        a, o, s = a.long(), o.long(), self.games
        k = s.shape[1]
        self.memory[:, self.filled : self.filled + k] = 4 * s + 2 * a + o
        self.filled += k
        self.played[self.run, s, a] = True
        after = 2 * s + 1 + o
        self.games = torch.where(after < self.s, after, 0)

    def batch(self, size: int, gen: torch.Generator) -> tuple[Tensor, ...]:
        """Node, action, outcome and next node of samples drawn uniformly."""
        shape = (self.n, size)
        drawn = torch.randint(self.filled, shape, generator=gen, device=gen.device)
        code = self.memory.gather(1, drawn)
        s, a, o = code >> 2, (code >> 1) & 1, code & 1
        return s, a, o, (2 * s + 1 + o).clamp_(max=self.s)

    def targets(
        self, s: Tensor, a: Tensor, o: Tensor, after: Tensor, follow: Tensor
    ) -> tuple[Tensor, Tensor]:
        r"""Targets :math:`y^p` and :math:`y^a` of a batch; ``follow`` is :math:`a'`."""
        here = 2 * (s + self.run * self.s)
        there = 2 * (after + self.run * (self.s + 1)) + follow
        y_p = self.gain.take(here + o) + self.after_p.take(there)
        y_p -= self.bonus.take(here + a) * (a == o)
        return y_p, self.after_a.take(there) - self.loss.take(here + a)


def train_lockstep(
    runs: Runs,
    iterations: int = 12_000,
    *,
    seed: int = 0,
    hidden: int = 32,
    interactions: int = 16,
    batch: int = 128,
    lr: tuple[float, float] = (5e-3, 1e-4),
    target_every: int = 100,
    eval_every: int = 500,
    tolerance: float = 0.02,
    rows: float = 0.94,
    device: str = "cpu",
) -> Learned:
    r"""Train all runs in lockstep.

    Parameters
    ----------
    runs : Runs
        Instances, trials and margins.
    iterations : int
        Batches, at least 1; :math:`\varepsilon` falls from 1 to 0 over them.
    seed : int
        Of weights, play and batches.
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
        As for :class:`Ensemble`.
    device : str
        As for :func:`econlib.training.pick_device`.

    Returns
    -------
    Learned

    Raises
    ------
    ValueError
        A number out of range.

    Notes
    -----
    About 2 ms an iteration for 12 runs of width 32 at depth 10, on one core.
    """
    small = min(iterations, hidden, interactions, batch, target_every, eval_every)
    if small < 1 or min(lr) <= 0 or not rows >= 0:
        raise ValueError(
            f"iterations = {iterations}, hidden = {hidden}, interactions = "
            f"{interactions}, batch = {batch}, target_every = {target_every}, "
            f"eval_every = {eval_every}, lr = {lr}, rows = {rows}: expected integers "
            "of 1 or more, positive steps and rows of 0 or more"
        )
    check_room(runs, iterations, 2 * interactions)  # eight bytes each
    gen, n = generator(seed, pick_device(device)), len(runs)
    watch = Watch(runs, tolerance)
    net = Ensemble(2 * n, runs.trees.n_nodes, hidden, gen, rows)
    play = _Lockstep(runs, net, interactions, (iterations + 1) * interactions)
    adam = torch.optim.Adam(net.parameters(), lr=lr[0], fused=True)
    decay = (lr[1] / lr[0]) ** (1 / max(iterations - 1, 1))

    def look(step: int) -> None:
        q, qbar = net.values().double().cpu().numpy().reshape(2, n, -1, 2)
        seen = play.played.float().mean(dim=(1, 2)).cpu().numpy()
        look.last = q, qbar, watch.look(step, q, qbar, seen)

    look(0)
    play.step(net.values(play.games), 1.0, gen)
    for k in range(iterations):
        if k % target_every == 0:
            play.copy_targets()
        s, a, o, after = play.batch(batch, gen)
        ahead = torch.cat([after.clamp(max=net.n_nodes - 1), play.games], dim=1)
        q = net.values(ahead)  # online: a' of the batch, and what the games play
        follow = (q[:, :batch, 1] > q[:, :batch, 0]).long()
        y = torch.cat(play.targets(s, a, o, after, follow))
        net.backward(s.repeat(2, 1), a.repeat(2, 1), y)
        adam.param_groups[0]["lr"] = lr[0] * decay**k
        adam.step()
        play.step(q[:, batch:], 1 - (k + 1) / iterations, gen)
        if (k + 1) % eval_every == 0 or k + 1 == iterations:
            look(k + 1)
    q, qbar, modes = look.last
    return watch.result(q, qbar, modes)
