"""Measures: by hand, by parts, and in convex order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from econlib.market_makers.measures import finite_elements, grid_points, upper_measure
from econlib.market_makers.model import Menu
from econlib.market_makers.polygons import profit_exact
from econlib.valuations import make

WEIGHT = st.floats(0, 0.95)


def _random_menu(seed: int, c: np.ndarray) -> Menu:
    rng = np.random.default_rng(seed)
    a = rng.uniform(-1, 1, (6, len(c)))
    return Menu(a, a @ c + rng.uniform(-0.1, 0.3, 6))


@pytest.mark.parametrize(("c", "lam"), [(0.5, 0.0), (0.2, 0.0), (0.7, 0.6)])
def test_one_cell_by_hand(c, lam):
    # ∫ [±(1-λ)(x-c) - φ] over [0, 1], with φ = 1-x and x
    drift = (1 - lam) * (0.5 - c)
    found = finite_elements(make("uniform", 1), c, lam, 1)
    assert found.points.ravel().tolist() == [0.0, 1.0]
    assert found.masses == pytest.approx([-drift - 0.5, drift - 0.5], abs=1e-15)


@settings(max_examples=20, deadline=None)
@given(c=st.tuples(st.floats(0, 1), st.floats(0, 1)), lam=WEIGHT)
def test_uniform_masses_are_faces_less_interior_by_the_trapezium_rule(c, lam):
    n = 6
    hats = np.full(n + 1, 1 / n)
    hats[[0, -1]] /= 2
    masses = -(2 * (1 - lam) + 1) * np.outer(hats, hats)
    masses[-1] += (1 - lam) * (1 - c[0]) * hats
    masses[0] += (1 - lam) * c[0] * hats
    masses[:, -1] += (1 - lam) * (1 - c[1]) * hats
    masses[:, 0] += (1 - lam) * c[1] * hats
    found = finite_elements(make("uniform", 2), c, lam, n)
    assert found.masses == pytest.approx(masses.ravel(), abs=1e-14)


LAWS = {
    "uniform": (stats.uniform(), lambda x: 0 * x),
    "beta": (stats.beta(2, 2), lambda x: 6 - 12 * x),
    "truncnorm": (
        stats.truncnorm(-4, 4, loc=0.5, scale=0.125),
        lambda x: -64 * (x - 0.5) * stats.truncnorm(-4, 4, 0.5, 0.125).pdf(x),
    ),
}


@pytest.mark.parametrize("name", LAWS)
def test_profit_is_the_utility_against_faces_and_interior(name):
    law, slope = LAWS[name]
    c, lam, n = np.array([0.35, 0.6]), 0.3, 1000
    axis = (np.arange(n) + 0.5) / n
    x1, x2 = np.meshgrid(axis, axis, indexing="ij")
    f, df = law.pdf(axis), slope(axis)
    joint = np.outer(f, f)
    score = np.outer(df, f) * (x1 - c[0]) + np.outer(f, df) * (x2 - c[1])
    interior = -((1 - lam) * (score + 2 * joint) + joint) / n**2
    parts = [(np.stack([x1, x2], -1).reshape(-1, 2), interior.ravel())]
    for i in range(2):
        for end, room in ((0.0, c[i]), (1.0, 1 - c[i])):
            face = np.insert(axis[:, None], i, end, axis=1)
            parts.append((face, (1 - lam) * room * law.pdf(end) * f / n))
    # the midpoint rule is within h² = 1e-6 times second derivatives (up to 600)
    total = sum(mass.sum() for _, mass in parts)
    assert total == pytest.approx(-1, abs=1e-4)
    for seed in range(6):
        menu = _random_menu(seed, c)
        by_parts = sum(mass @ menu.utility(points) for points, mass in parts)
        direct = profit_exact(menu, make(name, 2), c, lam)
        assert by_parts == pytest.approx(direct, abs=2e-5)


@pytest.mark.parametrize("n_items", [1, 2, 3])
def test_finer_cells_lower_the_bound_on_every_convex_function(n_items):
    # a finer grid spreads negative mass and gathers positive mass
    law, rng = make("uniform", n_items), np.random.default_rng(0)
    for seed in range(8):
        c, lam = rng.uniform(0, 1, n_items), float(rng.uniform(0, 0.9))
        menu = _random_menu(seed, c)
        values = [
            m.masses @ menu.utility(m.points)
            for m in (upper_measure(law, c, lam, n) for n in (2, 4, 8))
        ]
        assert values[0] >= values[1] - 1e-12
        assert values[1] >= values[2] - 1e-12


@pytest.mark.parametrize("measure", [finite_elements, upper_measure])
@pytest.mark.parametrize(
    ("name", "options", "mean"),
    [
        ("uniform", {}, 1 / 2),
        ("beta", {"a": 1.0, "b": 2.0}, 1 / 3),
        ("beta", {"a": 2.0, "b": 3.0}, 2 / 5),
        ("truncnorm", {}, 1 / 2),
        ("gaussian_copula", {}, 1 / 2),
    ],
)
def test_affine_functions_integrate_exactly(measure, name, options, mean):
    # barycentres, corners and hat functions all keep means: u = a·x - t earns
    # (1-λ) a·(E x - c) - (a·E x - t)
    a, t, c, lam = np.array([0.3, -0.8]), 0.2, np.array([0.2, 0.9]), 0.4
    found = measure(make(name, 2, **options), c, lam, 12)
    centre = np.full(2, mean)
    exact = (1 - lam) * a @ (centre - c) - a @ centre + t
    # normal and copula densities: what 6 Gauss points a cell and a margin of 1e-7 miss
    value = found.masses @ (found.points @ a - t)
    assert value == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("measure", [finite_elements, upper_measure])
def test_shifted_and_scaled_boxes_carry_the_same_masses(measure):
    c, base, size = np.array([0.3, 0.8]), np.array([0.4, -1.0]), np.array([0.2, 3.0])
    law = make("small_box", 2, base=tuple(base), size=tuple(size))
    unit = measure(make("uniform", 2), c, 0.25, 5)
    moved = measure(law, base + c * size, 0.25, 5)
    assert moved.masses == pytest.approx(unit.masses, abs=1e-13)
    assert moved.points == pytest.approx(base + unit.points * size, abs=1e-13)


def test_grid_has_its_first_axis_first():
    points = grid_points(make("small_box", 2, base=(1.0, 5.0), size=(1.0, 2.0)), 2)
    assert points[:3].tolist() == [[1.0, 5.0], [1.0, 6.0], [1.0, 7.0]]
    assert points[3].tolist() == [1.5, 5.0]


def test_too_few_cells_for_a_narrow_law_are_an_error_and_not_a_bound():
    with pytest.raises(ArithmeticError, match="n = 1: Gauss points miss"):
        upper_measure(make("truncnorm", 2, sd=0.05), 0.5, 0.0, 1)


@pytest.mark.parametrize("c", [float("inf"), float("nan"), (0.5, -float("inf"))])
@pytest.mark.parametrize("measure", [finite_elements, upper_measure])
def test_belief_must_be_finite(measure, c):
    with pytest.raises(ValueError, match=r"c = .*: expected finite numbers"):
        measure(make("uniform", 2), c, 0.0, 4)
