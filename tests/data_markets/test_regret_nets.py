"""RegretNets: their violations are those of a loop, and repairs are honest."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from econlib.data_markets import belief_nets, regret_nets
from econlib.data_markets.belief_nets import BeliefNet, judge_beliefs, train_beliefs
from econlib.data_markets.cells import cell_market
from econlib.data_markets.competition import SETTINGS, optimum
from econlib.data_markets.private_beliefs import deviations, uniform_beliefs
from econlib.data_markets.regret_nets import RegretNets, judge, train_regret

MARKET = cell_market([SETTINGS["U-.75-2"], SETTINGS["Exp-.50-0.5"]], 6)


@pytest.mark.parametrize("notion", ["bic", "expost"])
def test_regret_is_that_of_a_loop_over_lies_and_actions(notion):
    nets = RegretNets(MARKET, notion, width=8, seed=3)
    with torch.no_grad():
        truth, rho = nets()
        found = regret_nets._outcome(nets, regret_nets._middles(6))
        _, regret = regret_nets._violations(found)
    n_rival = regret.shape[-1]
    for s, (theta, alpha) in enumerate(zip(MARKET.theta, MARKET.alpha, strict=True)):
        theta, alpha = float(theta), float(alpha)
        prior = np.array([theta, 1 - theta])
        for i in (0, 1):
            pi = truth[s, i].numpy()
            pj = truth[s, 1 - i].numpy().swapaxes(0, 1)
            if notion == "bic":
                pi, pj = pi.mean(1, keepdims=True), pj.mean(1, keepdims=True)
            v = found.stakes[s, i].numpy()
            for r in range(n_rival):
                value = np.zeros((6, 6))  # stake by report
                obey = np.zeros(6)
                for m in range(6):
                    joint = np.zeros((2, 2))  # state by signal
                    for k in (0, 1):
                        joint[k, k] = prior[k] * pi[m, r, k]
                        joint[k, 1 - k] = prior[k] * (1 - pi[m, r, k])
                    best = joint.max(axis=0).sum()
                    own = best if notion == "expost" else np.trace(joint)
                    theirs = (prior * pj[m, r]).sum()
                    if notion == "expost":
                        right = prior * pj[m, r]
                        wrong = prior - right
                        theirs = max(right[0], wrong[1]) + max(right[1], wrong[0])
                    outside = theta - alpha
                    obey[m] = own - alpha * theirs - outside
                    price = float(rho[s, i, m, r]) * v[m] * obey[m]
                    value[:, m] = v * (best - alpha * theirs - outside) - price
                paid = rho[s, i, :, r].numpy() * v * obey
                honest = v * obey - paid
                by_loop = np.maximum(value.max(axis=1) - honest, 0)
                assert regret[s, i, :, r].numpy() == pytest.approx(by_loop, abs=1e-12)


@pytest.mark.filterwarnings("ignore:the loss moved")
@pytest.mark.parametrize("notion", ["bic", "expost"])
def test_training_earns_and_its_repair_never_beats_the_optimum(notion):
    market = cell_market([SETTINGS["U-.50-0.5"]], 16)
    nets = RegretNets(market, notion, width=32, seed=0)
    train_regret(nets, 300, lr=5e-3)
    found = judge(nets, 64)
    s = SETTINGS["U-.50-0.5"]
    best = optimum(s.laws, s.alpha, s.theta, notion).revenue
    assert 0.5 * best < found.raw[0] < 1.3 * best
    assert 0.5 * best < found.repaired[0] <= best + 1e-9
    assert found.mean_regret[0] <= found.max_regret[0] * 2
    assert found.unit_regret[0] * 2 * market.means.min() <= found.mean_regret[0]
    assert np.isnan(found.pooled_revenue[0]) == (notion == "expost")


def test_payoffs_of_beliefs_are_those_of_the_programs():
    net = BeliefNet(0.7, width=8, seed=1)
    theta, _ = uniform_beliefs(7)
    own = torch.tensor(theta)
    with torch.no_grad():
        mine, theirs, _ = net.interim(own, own)
        rules, paid, _ = belief_nets._payoffs(net, own, own)
    exact = deviations(theta, mine.numpy(), theirs.numpy(), paid.numpy(), 0.7)
    assert rules.numpy() == pytest.approx(exact, abs=1e-12)


@pytest.mark.filterwarnings("ignore:the loss moved")
def test_rivals_that_are_drawn_once_stay_and_others_do_not():
    net = BeliefNet(0.5, width=8, seed=0)
    _, kept = train_beliefs(net, 3, n_rivals=5, fixed_rivals=True, seed=4)
    again = torch.rand(5, generator=belief_nets.generator(4), dtype=torch.float64)
    assert kept == pytest.approx(again.numpy())
    _, fresh = train_beliefs(net, 3, n_rivals=5, seed=4)
    assert (np.floor(np.sort(fresh) * 5) == np.arange(5)).all()
    found = judge_beliefs(net, 20, kept)
    assert found.mean_regret >= found.obedient_regret >= 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RegretNets(MARKET, "dsic"), "notion = 'dsic'"),
        (lambda: train_regret(RegretNets(MARKET), 2, every=0), "every = 0"),
        (lambda: BeliefNet(-1.0), "alpha = -1"),
        (lambda: train_beliefs(BeliefNet(0.5), 2, n_rivals=1), "n_rivals"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
