"""Stakes and ironed virtual values, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from econlib.data_markets.virtual_values import (
    STAKES,
    average,
    stake,
    virtual_values,
)
from econlib.valuations import Marginal

GRID = np.linspace(0.001, 0.999, 997)


@pytest.mark.parametrize(
    ("name", "virtual"),
    [
        ("uniform", lambda v: 2 * v - 1),
        ("uniform2", lambda v: 2 * v - 2),
        ("exponential", lambda v: v - 1),
    ],
)
def test_regular_laws_have_their_closed_form(name, virtual):
    law = stake(name)
    found = virtual_values(law)
    inner = GRID[GRID < 0.99]
    assert found.at(inner) == pytest.approx(virtual(law.ppf(inner)), abs=6e-3)


def test_the_irregular_law_is_ironed_where_theory_says():
    law, root = stake("irregular"), np.sqrt(5)
    low, high = (7 - root) / 20, (11 - root) / 20
    v = np.linspace(0.001, 0.799, 799)

    def theory(x):
        middle = np.where(x > high, 2 * x - 0.8, (3 - root) / 10)
        return np.where(x < low, 2 * x - 0.4, middle)

    found = virtual_values(law).at(law.cdf(v))
    away = (np.abs(v - low) > 1e-3) & (np.abs(v - high) > 1e-3)
    assert np.abs(found - theory(v))[away].max() < 1e-3


@pytest.mark.parametrize("name", STAKES)
def test_integrals_are_those_of_the_revenue_curve(name):
    law = stake(name)
    found = virtual_values(law)
    t = GRID[GRID < 0.7] if name == "irregular" else GRID
    curve = -(1 - t) * law.ppf(t)  # R(1) - R(1 - t), least stake zero
    if name == "irregular":  # the hull lies above the curve
        assert (found.integral(t) <= curve + 1e-9).all()
    else:
        assert found.integral(t) == pytest.approx(curve, abs=1e-7)
    assert float(found.integral(1.0)) == pytest.approx(0.0, abs=1e-9)
    assert (np.diff(found.slopes) >= 0).all()


def test_virtual_values_agree_with_the_hull_of_the_shared_room():
    law = stake("irregular")
    v = np.linspace(0.01, 0.79, 79)
    hull = law.virtual_value(v, ironed=True)
    assert np.abs(virtual_values(law).at(law.cdf(v)) - hull).max() < 3e-3


def test_the_quantile_of_a_level_is_where_the_virtual_value_passes_it():
    found = virtual_values(stake("uniform"))
    assert found.quantile_of(np.array([-2.0, 0.0, 0.5, 2.0])) == pytest.approx(
        [0.0, 0.5, 0.75, 1.0], abs=1e-4
    )


def test_the_mean_of_two_is_their_convolution():
    one = virtual_values(stake("uniform"))
    both = average([one, one])
    # virtual values are U[-1, 1]: their mean has the triangular law
    t = np.array([0.1, 0.3, 0.5, 0.8])
    triangular = stats.triang(0.5, -1, 2).ppf(t)
    assert both.at(t) == pytest.approx(triangular, abs=3e-3)
    assert average([one]) is one


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stake("normal"), "name = 'normal'"),
        (lambda: virtual_values(stake("uniform"), 10), "n_knots = 10"),
        (lambda: virtual_values(stake("irregular"), ironed=False), "iron it"),
        (
            lambda: virtual_values(Marginal(stats.uniform(-1, 2), -1.0, 1.0)),
            "law.low = -1",
        ),
        (lambda: average([virtual_values(stake("uniform"))], 5), "n_steps = 5"),
    ],
)
def test_what_is_out_of_range_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
