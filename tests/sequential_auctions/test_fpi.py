"""Menus as flat arrays, the compiled loops, and fitted policy iteration."""

import numpy as np
import pytest
import torch
from scipy.stats import beta

from econlib.sequential_auctions.actors import Actor, Critic, position_code
from econlib.sequential_auctions.fpi import (
    FPIConfig,
    antithetic,
    evaluate,
    fitted_policy_iteration,
    law_of,
    menu_prices,
    simulate,
)
from econlib.sequential_auctions.fpi_paper import PaperConfig, gae_returns, paper_fpi
from econlib.sequential_auctions.kernels import (
    hard_targets,
    shared_gradient,
    soft_gradient,
    sweep,
)
from econlib.sequential_auctions.menu_tables import menus, top_values, values_law
from econlib.sequential_auctions.posted_prices import posted_prices, uniform
from econlib.sequential_auctions.settings import Setting
from econlib.sequential_auctions.simulator import by_state
from econlib.sequential_auctions.simulator import simulate as play_out
from econlib.sequential_auctions.two_items import area_dp


@pytest.mark.parametrize("name", ["A", "C", "D"])
def test_each_sets_menu_is_its_bundles_that_a_buyer_has_a_use_for(name):
    setting = Setting(name, 5)
    found = menus(setting)
    for s in range(32):
        part = slice(found.start[s], found.start[s + 1])
        subsets = [
            t for t in range(32) if t & ~s == 0 and setting.sizes[t] <= setting.most
        ]
        assert sorted(found.bundle[part]) == subsets
        assert found.bundle[part][0] == 0
        assert (found.bundle[part] | found.rest[part] == s).all()
        assert (found.masks[found.column[part]] == found.bundle[part]).all()
        # a bundle is its parent and its last item
        for k in range(1, part.stop - part.start):
            above = found.bundle[part][found.parent[part][k]]
            item = found.members[s, found.top[part][k]]
            assert found.bundle[part][k] == above | 1 << item


def _auction(name, m=3, n=2, seed=0):
    setting = Setting(name, m)
    bundles = menus(setting)
    rng = np.random.default_rng(seed)
    prices = rng.random((n, len(bundles.masks))).astype(np.float32) * bundles.masks
    prices[:, 0] = 0
    after = rng.random((n + 1, 2**m)).astype(np.float32)
    return setting, bundles, prices, after, rng


def test_closed_gradient_is_autograds():
    setting, bundles, prices, after, rng = _auction("A")
    sets, buyers = np.array([7, 5]), np.array([0, 1])
    values = antithetic(setting, 64, rng)
    objective, gradient = shared_gradient(
        prices / 4, sets, buyers, after, bundles.flat, values, 7.0
    )
    for b in range(2):
        p = torch.tensor(prices[b].astype(float) / 4, requires_grad=True)
        part = slice(bundles.start[sets[b]], bundles.start[sets[b] + 1])
        own = p[bundles.column[part]]
        own = torch.cat([torch.zeros(1), own[1:]])
        w = own + torch.tensor(after[buyers[b] + 1, bundles.rest[part]].astype(float))
        v = torch.tensor(values[:, bundles.bundle[part]].astype(float))
        r = (torch.softmax(7.0 * (v - own), dim=1) * w).sum(1).mean()
        r.backward()
        assert objective[b] == pytest.approx(r.item(), abs=1e-5)
        np.testing.assert_allclose(gradient[b], p.grad.numpy(), atol=1e-5)


@pytest.mark.parametrize("name", ["A", "B", "D", "E", "F"])
def test_draws_of_its_own_and_shared_draws_have_one_expectation(name):
    setting, bundles, prices, after, rng = _auction(name, m=4)
    prices /= 8
    sets, buyers = np.array([15, 11]), np.array([0, 1])
    law = law_of(setting, bundles)
    draws = np.full(5, 40_000)
    one, slope = soft_gradient(
        prices, sets, buyers, after, bundles.flat, law, 5.0, draws, rng
    )
    values = antithetic(setting, 40_000, rng)
    other, same = shared_gradient(
        prices, sets, buyers, after, bundles.flat, values, 5.0
    )
    np.testing.assert_allclose(one, other, atol=0.02)
    np.testing.assert_allclose(slope, same, atol=0.03)


def test_sweep_is_the_simulated_revenue_of_the_policy():
    setting, bundles, _, _, rng = _auction("A", m=3, n=3)
    prices = 0.6 * setting.sizes[bundles.bundle] * np.ones((3, 1), np.float32)
    after = sweep(
        prices.astype(np.float32), antithetic(setting, 40_000, rng), bundles.flat
    )
    mean, error = simulate(setting, prices, 40_000, 1)
    assert after[0, 7] == pytest.approx(mean, abs=4 * error)
    assert (after[-1] == 0).all() and (after[:, 0] == 0).all()
    one = hard_targets(
        prices.astype(np.float32),
        np.array([7]),
        np.array([0]),
        after,
        20_000,
        bundles.flat,
        law_of(setting, bundles),
        rng,
    )
    assert one[0] == pytest.approx(after[0, 7], abs=0.02)


@pytest.mark.parametrize("name", ["B", "C", "D", "E", "F"])
def test_two_simulators_agree(name):
    setting, n = Setting(name, 4), 3
    bundles = menus(setting)
    rng = np.random.default_rng(0)
    top = top_values(setting, bundles)[1]
    columns = rng.random((n, 16, len(bundles.masks))) * top * 0.6
    which = np.repeat(np.arange(16), np.diff(bundles.start))
    flat = columns[:, which, bundles.column].astype(np.float32)
    flat[:, bundles.start[:-1]] = 0
    mean, error = simulate(setting, flat, 40_000, 1)
    by_mask = columns[:, :, np.argsort(bundles.masks)]
    there = play_out(setting, by_state(setting, by_mask), 40_000, rng)
    assert mean == pytest.approx(there.revenue, abs=4 * np.hypot(error, there.error))


def test_item_prices_earn_the_closed_form():
    setting = Setting("A", 4)
    found = posted_prices([uniform(0, 1)] * 3)
    sizes = setting.sizes[menus(setting).bundle]
    mean, error = simulate(setting, np.outer(found.prices, sizes), 100_000, 3)
    assert mean == pytest.approx(4 * found.values[0], abs=4 * error)


def test_law_of_items_reaches_the_draws():
    setting = Setting("A", 2, law=beta(2, 1))
    quantiles, _ = values_law(setting)
    assert quantiles[0, 512] == pytest.approx(beta(2, 1).median(), abs=1e-5)
    values = antithetic(setting, 20_000, np.random.default_rng(0))
    assert values[:, 1].mean() == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize("output", ["structured", "flat"])
def test_training_reaches_the_exact_value_of_two_items(output):
    setting = Setting("A", 2)
    exact = area_dp(3).values[3, 2]
    found = fitted_policy_iteration(
        setting, 3, n_iterations=4, actor_steps=100, critic="table", output=output
    )
    mean, error = evaluate(setting, found, 100_000)
    assert mean > 0.99 * exact
    assert mean < exact + 4 * error
    assert found.steps[-1] == 400


def test_critic_network_learns_what_the_sweep_says():
    setting = Setting("C", 3)
    found = fitted_policy_iteration(setting, 2, n_iterations=2, actor_steps=40)
    after = sweep(
        found.prices,
        antithetic(setting, 4000, np.random.default_rng(0)),
        menus(setting).flat,
    )
    assert np.abs(found.values - after)[:2].max() < 0.1


def test_the_same_seed_gives_the_same_prices():
    one, two = (
        fitted_policy_iteration(
            Setting("D", 3), 2, n_iterations=1, actor_steps=5, seed=4
        ).prices
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)


def test_the_papers_algorithm_learns():
    setting = Setting("A", 2)
    found = paper_fpi(
        setting, 2, n_iterations=6, n_envs=128, lr_actor=1e-3, n_draws=64, n_log=2000
    )
    assert found.revenue[-1] > 0.9 * area_dp(2).values[2, 2]
    assert found.steps[-1] == 6 * 650
    assert PaperConfig().beta == 100


def test_returns_are_sums_of_payments_or_one_step():
    rng = np.random.default_rng(0)
    paid, values = rng.random((2, 5, 4))
    total = paid[:, ::-1].cumsum(axis=1)[:, ::-1]
    np.testing.assert_allclose(gae_returns(paid, values, 1), total)
    one = paid + np.pad(values[:, 1:], ((0, 0), (0, 1)))
    np.testing.assert_allclose(gae_returns(paid, values, 0), one)


def test_networks_give_nothing_for_nothing_and_price_as_stated():
    rng = torch.Generator().manual_seed(0)
    critic = Critic(3, 2, rng)
    bits = torch.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    assert critic(bits, torch.tensor([0, 3, 1]))[:2].tolist() == [0.0, 0.0]
    setting = Setting("B", 2)
    actor = Actor(setting, menus(setting), 3, rng, output="paper")
    assert actor(bits, torch.tensor([0, 1, 2])).min() > -1
    assert (
        menu_prices(actor, menus(setting), 3)[:, menus(setting).start[:-1]].max() == 0
    )
    assert position_code(3).shape == (3, 12)


@pytest.mark.parametrize(
    "change",
    [
        {"n_iterations": 0},
        {"beta": (0.0, 10.0)},
        {"output": "other"},
        {"critic": "none"},
        {"uniform": 1.5},
    ],
)
def test_bad_options_are_named(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        FPIConfig(**change)


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="n_buyers = 0"):
        fitted_policy_iteration(Setting("A", 2), 0)
    with pytest.raises(ValueError, match="Try entry fees"):
        fitted_policy_iteration(Setting("A", 13), 2)
    with pytest.raises(ValueError, match="Try entry fees"):
        paper_fpi(Setting("A", 13), 2)
    with pytest.raises(ValueError, match="columns"):
        simulate(Setting("A", 2), np.zeros((1, 3)), 10, 0)
    with pytest.raises(ValueError, match="noise"):
        PaperConfig(noise=-1.0)
