"""The settings' buyers: laws of bundles, best bundles by size, errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from econlib.sequential_auctions.settings import SETTINGS, Setting


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_empty_bundle_is_worth_nothing(name, rng):
    v = Setting(name, 4).values(500, rng)
    assert v.shape == (500, 16)
    assert (v[:, 0] == 0).all()


@pytest.mark.parametrize("name", ["A", "B", "C", "D"])
def test_bundles_of_item_values(name, rng):
    setting = Setting(name, 4)
    t = setting.items(200, np.random.default_rng(7))
    v = setting.values(200, np.random.default_rng(7))
    most = {"A": 4, "B": 4, "C": 1, "D": 3}[name]
    for bundle in range(16):
        held = t[:, [j for j in range(4) if bundle >> j & 1]]
        best = np.sort(held, axis=1)[:, ::-1][:, :most].sum(axis=1)
        assert v[:, bundle].tolist() == pytest.approx(best.tolist())
    top = np.arange(1, 5) / 4 if name == "B" else np.ones(4)
    assert (t <= top).all()


def test_bundles_drawn_by_themselves(rng):
    setting = Setting("E", 4)
    v = setting.values(40_000, rng)
    k = setting.sizes
    assert (v <= np.sqrt(k)).all()
    mean = v.mean(axis=0)
    assert mean.tolist() == pytest.approx((np.sqrt(k) / 2).tolist(), abs=0.02)
    assert np.abs(np.corrcoef(v[:, 1:].T) - np.eye(15)).max() < 0.03
    assert (v[:, 15] < v[:, 1]).any()  # no free disposal


@pytest.mark.parametrize("spread", [(-1.0, 1.0), (0.0, 1.0)])
def test_complements_and_substitutes(spread, rng):
    setting = Setting("F", 3, spread=spread)
    v = setting.values(60_000, rng)
    k = setting.sizes
    mean = 1.5 * k + k * sum(spread) / 2
    assert v.mean(axis=0).tolist() == pytest.approx(mean.tolist(), abs=0.03)
    assert v[:, 7].min() >= 3 * (1 + spread[0]) and v[:, 7].max() <= 9
    # the bundle's own term is not shared: less correlated than sums of items
    assert np.corrcoef(v[:, 3], v[:, 7])[0, 1] < 0.5


@pytest.mark.parametrize("name", ["A", "C", "D", "E", "F"])
def test_best_by_size_is_the_best_of_all_bundles(name):
    setting = Setting(name, 5)
    best = setting.best_by_size(20_000, 4, np.random.default_rng(1))
    v = Setting(name, 4).values(20_000, np.random.default_rng(2))
    assert best.shape == (20_000, min(4, setting.most) + 1)
    for k in range(1, best.shape[1]):
        other = v[:, Setting(name, 4).sizes == k].max(axis=1)
        scale = other.std() / np.sqrt(20_000)
        assert abs(best[:, k].mean() - other.mean()) < 6 * scale


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("G", 3), "name = 'G': expected one of A, B"),
        (("A", 0), "n_items = 0: expected an integer"),
        (("D", 5, 0), "demand = 0"),
        (("F", 5, 3, (1.0, -1.0)), r"spread = \(1.0, -1.0\): expected low < high"),
        (("E", 15), "expected at most 14 items. Try entry fees"),
    ],
)
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        Setting(*arguments)


def test_a_table_that_does_not_fit(rng):
    with pytest.raises(ValueError, match=r"a table of 2\^20 bundles.*entry fees"):
        Setting("A", 20).values(1, rng)
    assert Setting("A", 20).best_by_size(3, 20, rng).shape == (3, 21)


def test_what_a_setting_does_not_have(rng):
    with pytest.raises(ValueError, match="items differ"):
        Setting("B", 3).best_by_size(1, 1, rng)
    with pytest.raises(ValueError, match="items none"):
        Setting("E", 3).items(1, rng)
    with pytest.raises(ValueError, match="n_left = 4"):
        Setting("A", 3).best_by_size(1, 4, rng)


@pytest.mark.parametrize("name", ["A", "B", "C", "D", "F"])
def test_another_law_of_items(name, rng):
    law = stats.beta(2, 3, 1, 2)  # on [1, 3]
    setting = Setting(name, 3, law=law)
    assert setting.bounds == (1.0, 3.0)
    t = setting.items(50_000, rng)
    assert (t <= setting.tops).all()
    mean = law.mean() * setting.tops / 3
    assert t.mean(axis=0).tolist() == pytest.approx(mean.tolist(), abs=0.02)


def test_laws_that_cannot_be_drawn_from():
    with pytest.raises(ValueError, match="expected laws with cdf and ppf"):
        Setting("A", 3, law=max)
    with pytest.raises(ValueError, match="expected bounded and nonnegative"):
        Setting("A", 3, law=stats.norm())
    with pytest.raises(ValueError, match="setting E draws bundles"):
        Setting("E", 3, law=stats.uniform())
