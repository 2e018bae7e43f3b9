"""The exact optimum for a continuum: known values, the program, and its certificate."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.data_markets.beliefs import beta_mixture, cells, random_law, uniform
from econlib.data_markets.binary_menus import exact_revenue
from econlib.data_markets.continuum import (
    continuum_optimum,
    continuum_program,
    ironing_binds,
    upper_bound,
)
from econlib.data_markets.experiments import concentrated
from econlib.data_markets.screening import screening

MIXTURE = beta_mixture((0.5, 0.5), ((8, 30), (60, 30)))


@pytest.mark.parametrize("payoffs", [(1.0, 1.0), (2.0, 1.0), (1.0, 3.0)])
def test_uniform_beliefs_buy_full_information_at_half_the_harmonic_sum(payoffs):
    best = continuum_optimum(uniform(), payoffs)
    price = 0.5 / (1 / payoffs[0] + 1 / payoffs[1])
    assert best.prices == pytest.approx([price], abs=1e-6)
    assert best.revenue == pytest.approx(price / 2, abs=1e-9)
    assert best.slopes == pytest.approx([payoffs[0] - payoffs[1]])


def test_the_mixture_sells_a_partial_item():
    best = continuum_optimum(MIXTURE)
    assert best.revenue == pytest.approx(0.1673234, abs=1e-7)
    assert best.slopes == pytest.approx([-0.214058, 0], abs=1e-5)
    assert best.prices == pytest.approx([0.137297, 0.255214], abs=1e-5)
    assert best.switches == pytest.approx([0.174691, 0.550864, 0.744786], abs=1e-5)


def test_program_and_certificate_close_on_random_laws():
    rng = np.random.default_rng(5)
    for _ in range(8):
        law = random_law(rng)
        best, cut = continuum_optimum(law), continuum_program(law, n_cells=1000)
        assert cut.revenue <= best.revenue + 1e-9
        assert cut.revenue == pytest.approx(best.revenue, abs=2e-5)
        assert best.revenue <= best.bound + 1e-12
        assert best.bound == pytest.approx(best.revenue, abs=5e-7)
        menu = exact_revenue(concentrated(best.slopes), best.prices, law)
        assert menu == pytest.approx(best.revenue, abs=1e-9)
        assert len(best.sold()) <= 2 and np.abs(best.sold()).min() < 1e-9
        assert (len(best.sold()) == 2) == ironing_binds(law, best.multiplier)


def test_other_payoffs_agree_with_a_grid_of_types():
    best = continuum_optimum(MIXTURE, (1.0, 1.5))
    fine = [
        screening(np.stack([θ, 1 - θ], 1), f, payoffs=[1.0, 1.5]).revenue
        for θ, f in (cells(MIXTURE, 60), cells(MIXTURE, 120))
    ]
    assert 2 * fine[1] - fine[0] == pytest.approx(best.revenue, abs=2e-3)
    assert fine[1] > best.revenue


def test_any_multiplier_bounds_every_menu():
    rng = np.random.default_rng(6)
    for _ in range(5):
        law, μ = random_law(rng), float(rng.uniform(-0.5, 1.5))
        q, p = rng.uniform(-1, 1, 4), rng.uniform(0.02, 0.4, 4)
        assert exact_revenue(concentrated(q), p, law) <= upper_bound(law, μ)


def test_mirrored_beliefs_mirror_the_menu():
    mirrored = beta_mixture((0.5, 0.5), ((30, 8), (30, 60)))
    best, other = continuum_optimum(MIXTURE), continuum_optimum(mirrored)
    assert other.revenue == pytest.approx(best.revenue, abs=1e-9)
    assert other.slopes == pytest.approx(-best.slopes[::-1], abs=1e-6)


def test_bad_arguments():
    with pytest.raises(ValueError, match="n_cells = 5"):
        continuum_program(uniform(), n_cells=5)
    with pytest.raises(ValueError, match="tolerance = 1"):
        upper_bound(uniform(), 0.5, tolerance=1.0)
    with pytest.raises(ValueError, match=r"payoffs\[0\] = -1"):
        continuum_optimum(uniform(), (-1.0, 1.0))
