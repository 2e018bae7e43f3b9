"""Networks that learn contracts: gradients, targets, agreement of the two forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from econlib.contracts import tree_deep, tree_learners
from econlib.contracts.tree_deep import train_deep
from econlib.contracts.tree_learners import Ensemble, closed_form_pay, train_lockstep
from econlib.contracts.tree_runs import lay_out
from econlib.contracts.trees import contracts, expected_pay, solve, tree_batch
from econlib.training import generator


def test_torch_and_numpy_contracts_agree():
    rng = np.random.default_rng(0)
    qbar, xi = rng.normal(size=(40, 2)), rng.random(40)
    ours = closed_form_pay(torch.tensor(qbar), torch.tensor(xi), 0.8)
    assert ours.numpy() == pytest.approx(expected_pay(qbar, xi, 0.8), abs=1e-12)


def drawn(seed=0, n_nets=4, n_nodes=7, hidden=5, size=9):
    gen = generator(seed)
    net = Ensemble(n_nets, n_nodes, hidden, gen)
    nodes = torch.randint(n_nodes, (n_nets, size), generator=gen)
    actions = torch.randint(2, (n_nets, size), generator=gen)
    return net, nodes, actions, torch.rand(n_nets, size, generator=gen)


def test_written_out_gradients_are_those_of_automatic_differentiation():
    net, nodes, actions, targets = drawn()
    net.backward(nodes, actions, targets)
    ours = [w.grad.clone() for w in net.parameters()]
    for w in net.parameters():
        w.grad = None
        w.requires_grad_(True)
    hot = torch.nn.functional.one_hot(nodes, net.n_nodes).float()
    one = torch.relu(hot @ net.rows + net.bias1)
    two = torch.relu(one @ net.weight2 + net.bias2)
    out = (two @ net.weight3 + net.bias3).gather(2, actions[..., None])[..., 0]
    ((out - targets) ** 2).mean(dim=1).sum().backward()
    for mine, w in zip(ours, net.parameters(), strict=True):
        assert torch.allclose(mine, w.grad, atol=1e-6)


def flat(net, i):
    return torch.cat([w[i].flatten() for w in net.parameters()]).numpy()


def test_compiled_networks_are_the_stacked_ones():
    net, nodes, actions, targets = drawn(1)
    net.backward(nodes, actions, targets)
    n, h, size = net.n_nodes, net.hidden, nodes.shape[1]
    values = net.values().numpy()
    for i in range(len(net.rows)):
        w = flat(net, i)
        assert tree_deep._all_values(w, n, h) == pytest.approx(values[i], abs=1e-6)
        layers, slope = tree_deep._layers(w, n, h), np.zeros_like(w)
        work = [np.empty((size, h), np.float32) for _ in range(2)]
        work += [np.empty((size, 2), np.float32)]
        work += [np.empty((size, h), np.float32) for _ in range(2)]
        work += [np.empty((h, h), np.float32)]
        batch = nodes[i].numpy(), actions[i].numpy(), targets[i].numpy()
        tree_deep._forward(layers, batch[0], *work[:3])
        slopes = tree_deep._layers(slope, n, h)
        tree_deep._gradient(layers, slopes, *batch, tuple(work))
        grad = torch.cat([x.grad[i].flatten() for x in net.parameters()])
        assert slope == pytest.approx(grad.numpy(), abs=1e-6)


def test_compiled_adam_is_torchs():
    rng = np.random.default_rng(0)
    w = rng.normal(size=50).astype(np.float32)
    theirs = torch.tensor(w.copy(), requires_grad=True)
    adam = torch.optim.Adam([theirs], lr=0.01)
    m, v = np.zeros_like(w), np.zeros_like(w)
    for step in range(1, 30):
        g = rng.normal(size=50).astype(np.float32)
        theirs.grad = torch.tensor(g.copy())
        adam.step()
        tree_deep._adam(w, m, v, g, 0.01, step)
        assert (g == 0).all()
    assert w == pytest.approx(theirs.detach().numpy(), abs=1e-5)


def test_targets_are_the_papers():
    """By hand, one sample at a time, from the target values at all nodes."""
    trees, p = tree_batch(3, [2, 3]), 0.9
    runs = lay_out(trees, 1, [0.05])
    gen = generator(0)
    net = Ensemble(4, 7, 6, gen)
    play = tree_learners._Lockstep(runs, net, 5, 100)
    play.copy_targets()
    for _ in range(15):
        play.step(net.values(play.games), 0.5, gen)
    s, a, o, after = play.batch(40, gen)
    follow = torch.randint(2, s.shape, generator=gen)
    ours = [x.numpy() for x in play.targets(s, a, o, after, follow)]
    q, qbar = net.values().double().numpy().reshape(2, 2, 7, 2)
    law = np.array([[p, 1 - p], [1 - p, p]])
    for i, t in np.ndindex(*s.shape):
        node, act, out = (int(x[i, t]) for x in (s, a, o))
        b = contracts(qbar[i, node], np.array(act), 0.05, p)
        y_p = trees.reward[i, node] * out - b[out]
        y_a = -trees.cost[i, node] * act
        child = 2 * node + 1 + out
        if child < 7:
            then = int(follow[i, t])
            later = contracts(qbar[i, child], np.array(then), 0.05, p)
            y_p += q[i, child, then]
            y_a += law[then] @ later + qbar[i, child, then]
        assert ours[0][i, t] == pytest.approx(y_p, abs=1e-5)
        assert ours[1][i, t] == pytest.approx(y_a, abs=1e-5)


@pytest.mark.parametrize("learner", [train_deep, train_lockstep])
def test_networks_learn_a_small_tree(learner):
    trees = tree_batch(3, [0, 1, 2, 3])
    runs = lay_out(trees, 2, [0.02])
    found = learner(runs, 1500, hidden=16, interactions=8, eval_every=750)
    exact = solve(trees).vp[runs.instance, 0]
    row = solve(trees, 0.02).vp[runs.instance, 0]
    # single runs may end with an unobeyed node: the median does not
    assert abs(np.median(found.strict[:, -1] / row) - 1) < 0.02
    assert (found.implemented[:, -1] / exact).min() > 0.95
    assert abs(np.median(found.q[:, 0].max(axis=1) / row) - 1) < 0.05
    assert found.steps.tolist() == [0, 750, 1500]


def test_runs_repeat_and_do_not_depend_on_neighbours():
    trees = tree_batch(3, [0, 1])
    first = train_deep(lay_out(trees, 2, [0.02]), 120, hidden=8, seed=3)
    again = train_deep(lay_out(trees, 2, [0.02]), 120, hidden=8, seed=3, eval_every=30)
    alone = train_deep(lay_out(trees.take([0]), 2, [0.02]), 120, hidden=8, seed=3)
    assert (first.q == again.q).all()
    assert (first.q[:2] == alone.q).all()


@pytest.mark.parametrize("learner", [train_deep, train_lockstep])
def test_bad_arguments_are_refused(learner):
    runs = lay_out(tree_batch(2, [0]), 1, [0.0])
    for wrong in ({"hidden": 0}, {"batch": 0}, {"lr": (0.0, 0.1)}, {"rows": -1.0}):
        with pytest.raises(ValueError, match=r"expected integers"):
            learner(runs, 5, **wrong)
