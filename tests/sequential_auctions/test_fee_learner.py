"""Fitted policy iteration with entry fees."""

import numpy as np
import pytest
import torch
from scipy.stats import beta

from econlib.sequential_auctions.entry_fees import entry_fee_choice, entry_fee_dp
from econlib.sequential_auctions.fee_learner import _buy, fee_fpi, fee_gradient
from econlib.sequential_auctions.settings import Setting


def test_gradient_over_prefixes_is_that_over_all_bundles_where_choices_are_cold():
    rng = np.random.default_rng(0)
    menus = rng.random((2, 4)).astype(np.float32) * 0.6
    left = np.array([[True, True, True], [True, False, True]])
    after, values = rng.random((2, 4)), rng.random((2, 50, 3))
    objective, gradient = fee_gradient(menus, left, after, values, 9.0)
    for b in range(2):
        p = torch.tensor(menus[b].astype(float), requires_grad=True)
        total = 0.0
        for v in values[b]:
            items = [j for j in np.argsort(-(v - menus[b, :3])) if left[b, j]]
            u, w = [torch.zeros(())], [torch.tensor(after[b, len(items)])]
            for k in range(1, len(items) + 1):
                paid = p[3] + sum(p[j] for j in items[:k])
                u.append(sum(v[j] for j in items[:k]) - paid)
                w.append(paid + after[b, len(items) - k])
            total = (
                total + (torch.softmax(9.0 * torch.stack(u), 0) * torch.stack(w)).sum()
            )
        (total / 50).backward()
        assert objective[b] == pytest.approx(total.item() / 50, abs=1e-5)
        np.testing.assert_allclose(gradient[b], p.grad.numpy(), atol=1e-5)


def test_choices_are_those_of_the_prefix_rule():
    rng = np.random.default_rng(1)
    menu = rng.random(5).astype(np.float32) * 0.5
    values = rng.random((300, 4))
    left = np.ones((300, 4), bool)
    paid = _buy(np.tile(menu, (300, 1)), left, values)
    taken, payment = entry_fee_choice(values, menu[:4].astype(float), float(menu[4]))
    np.testing.assert_array_equal(~left, taken > 0)
    np.testing.assert_allclose(paid, payment, atol=1e-6)


def test_learned_fees_reach_the_best_symmetric_ones():
    best = entry_fee_dp(4, 4, n_samples=20_000).values[4, 4]
    found = fee_fpi(Setting("A", 4), 4, n_test=20_000)
    assert found.revenue > 0.985 * best
    assert found.revenue < best + 4 * found.error + 0.01
    assert found.values[0, 4] == pytest.approx(found.revenue, rel=0.05)


def test_another_law_is_learned():
    found = fee_fpi(
        Setting("A", 3, law=beta(2, 1)), 2, n_iterations=4, actor_steps=40, n_log=1000
    )
    assert found.curve[-1] > found.curve[0]


@pytest.mark.parametrize(
    ("setting", "change", "message"),
    [
        ("B", {}, "setting: B"),
        ("A", {"n_draws": 1}, "n_draws"),
        ("A", {"beta": (1, 0)}, "beta"),
        ("A", {"n_buyers": 0}, "n_buyers"),
    ],
)
def test_bad_arguments_are_named(setting, change, message):
    n = change.pop("n_buyers", 2)
    with pytest.raises(ValueError, match=message):
        fee_fpi(Setting(setting, 3), n, **change)
