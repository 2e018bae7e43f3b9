"""Upper bounds by flows: against known optima, a program, and mechanisms."""

from fractions import Fraction

import cvxpy as cp
import numpy as np
import pytest

from econlib.gemnet import dual, flow_program, flows
from econlib.gemnet.affine import AffineMaximiser, affine_revenue
from econlib.gemnet.laws import LAWS, Law, market
from econlib.gemnet.myerson import item_revenue


@pytest.fixture(scope="module")
def uniform():
    m = market("u01")
    return flows.tighten((m.first, m.second), cells=5, steps=120).bound


def test_one_bidder_closes_on_the_optimum():
    law = market("u01").first
    found = flows.tighten((law,), cells=12, steps=400).bound
    optimum = (12 + 2 * np.sqrt(2)) / 27
    assert optimum <= found.revenue(16) <= optimum + 3e-3


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("steps", [1, 60])
def test_no_mechanism_earns_more_than_any_flow_allows(name, steps):
    m = market(name)
    laws = (m.first, m.second)
    found = flows.tighten(laws, cells=4, steps=steps, ironing=name == "irregular").bound
    bound = found.revenue(8)
    levels = (np.arange(4000) + 0.5) / 4000
    separate = 2 * item_revenue([law.ppf(levels) for law in laws])
    rng = np.random.default_rng(steps)
    boosts = -rng.uniform(0.2, 1.3, (5, 3))
    earned = [affine_revenue(m, AffineMaximiser.symmetric(*b), 96) for b in boosts]
    assert bound >= max(separate, *earned)


def test_bounds_below_the_best_published_one_with_five_cells(uniform):
    assert 0.8768 <= uniform.revenue(32) <= 0.886357


def test_integers_say_what_floats_say(uniform):
    for parts in (1, 3, 8):
        exact = uniform.exact(parts)
        assert isinstance(exact, Fraction)
        assert float(exact) == pytest.approx(uniform.revenue(parts), abs=1e-8)


def test_integers_with_unlike_bidders():
    m = market("asymmetric")
    found = flows.tighten((m.first, m.second), cells=3, steps=30).bound
    assert float(found.exact(4)) == pytest.approx(found.revenue(4), abs=1e-8)


def test_more_parts_lower_the_bound_to_a_limit(uniform):
    values = [uniform.revenue(p) for p in (1, 2, 4, 8, 16, 32)]
    assert (np.diff(values) < 0).all()
    assert values[-2] - values[-1] < 0.3 * (values[-3] - values[-2])


def test_ranges_and_means_hold_for_a_falling_density():
    law = market("beta12").first
    bound = flows.tighten((law, law), cells=4, steps=40).bound
    edges, mass = bound.edges[0], np.diff(law.cdf(bound.edges[0]))
    w = bound.flows[0][0].transpose(0, 1, 3, 2) / mass[:, None]
    none = np.zeros((*w.shape[:-1], 4))
    low, high, chance, weight = dual._two_points(law, edges, w, none, 3)
    mean = low + chance * (high - low)
    assert weight.sum(axis=1) == pytest.approx(1.0)
    for a in range(4):
        t = (np.arange(3000) + 0.5) / 3000
        v = edges[a] + t * (edges[a + 1] - edges[a])
        share = (law.cdf(v) - law.cdf(edges[a])) / mass[a]
        at = w[..., a, None] + np.diff(w, axis=-1)[..., a, None] * share
        phi = v - at / law.pdf(v)
        for s in range(3):
            here = slice(1000 * s, 1000 * (s + 1))
            assert (phi[..., here].min(-1) >= low[..., a, s] - 1e-12).all()
            assert (phi[..., here].max(-1) <= high[..., a, s] + 1e-12).all()
            f = law.pdf(v[here])
            drawn = (phi[..., here] * f).sum(-1) / f.sum()
            assert np.abs(drawn - mean[..., a, s]).max() < 1e-5


def test_a_flow_of_more_than_there_is_pays_for_it(uniform):
    # one half more than the mass through every face: not a flow, and no lower bound
    more = tuple(tuple(1.5 * z for z in both) for both in uniform.flows)
    wrong = dual.FlowBound(uniform.laws, uniform.edges, more, uniform.ironing)
    paid = wrong.revenue(8)
    masses = np.full(5, 0.2)
    lost = np.maximum(-wrong._kept(0, masses), 0).sum(axis=(2, 3))
    unpaid = paid - 2 * 2 * float(masses @ lost @ masses)
    assert unpaid < 0.8768 < paid


def test_a_program_finds_no_better_flow():
    n = 2
    law = market("u01").first
    found = flows.tighten((law, law), cells=n, steps=600, lr=0.05)
    best = _program(n)
    assert best - 1e-6 <= found.curve[-1] <= best + 2e-3
    solved = flow_program.solve_flows((law, law), n)
    assert _at_points(solved) == pytest.approx(best, abs=1e-6)


def _at_points(bound: dual.FlowBound) -> float:
    """The bound by three points a cell, for bidders alike with uniform values."""
    n = len(bound.edges[0]) - 1
    t = (np.arange(3) + 0.5) / 3
    total = 0.0
    for item in (0, 1):
        flow = bound.flows[0][item]
        flow = flow if item == 1 else flow.swapaxes(2, 3)
        w = flow[..., :-1, None] + np.diff(flow, axis=-1)[..., None] * t
        phi = (np.arange(n)[:, None] + t) / n - n * w
        phi = phi if item == 1 else phi.swapaxes(2, 3)  # other's cell, own cell, point
        other = phi.transpose(2, 3, 0, 1, 4)
        best = np.maximum(phi[..., :, None], other[..., None, :])
        total += np.maximum(best, 0).mean()
    return total


@pytest.mark.parametrize("name", ["u01", "beta12", "asymmetric"])
def test_the_program_and_the_search_prove_nearly_the_same(name):
    m = market(name)
    laws = (m.first, m.second)
    program = flow_program.solve_flows(laws, 3).revenue(16)
    search = flows.tighten(laws, cells=3, steps=300).bound.revenue(16)
    assert program == pytest.approx(search, rel=0.01)


def _program(n: int) -> float:
    """The bound by three points a cell, minimised over flows by HiGHS."""
    one = [[cp.Variable((n + 1, n)) for _ in range(n)] for _ in range(n)]
    two = [[cp.Variable((n, n + 1)) for _ in range(n)] for _ in range(n)]
    rules = []
    for c in range(n):
        for d in range(n):
            f, g = one[c][d], two[c][d]
            kept = 1 / n**2 + f[1:] - f[:-1] + g[:, 1:] - g[:, :-1]
            rules += [kept >= 0, f[n] == 0, g[:, n] == 0, f[0] >= 0, g[:, 0] >= 0]
    t = (np.arange(3) + 0.5) / 3

    def phi(item, c, d, a, b, s):
        """At the other's cell (c, d), own cell (a, b), at a point of the item."""
        at = one[c][d] if item == 0 else two[c][d]
        low = at[a, b]
        high = at[a + 1, b] if item == 0 else at[a, b + 1]
        own = a if item == 0 else b
        return (own + t[s]) / n - n * (low + (high - low) * t[s])

    terms = []
    cells = list(np.ndindex(n, n))
    for item in (0, 1):
        for a, b in cells:
            for c, d in cells:
                for s in range(3):
                    for r in range(3):
                        best = cp.Variable(nonneg=True)
                        rules.append(best >= phi(item, c, d, a, b, s))
                        rules.append(best >= phi(item, a, b, c, d, r))
                        terms.append(best)
    problem = cp.Problem(cp.Minimize(cp.sum(cp.hstack(terms)) / 9 / n**4), rules)
    return float(problem.solve(solver=cp.HIGHS))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cells": 1}, "cells = 1"),
        ({"cells": 60}, "lower cells"),
        ({"steps": 0}, "steps = 0"),
        ({"lr": 0.0}, "lr = 0"),
    ],
)
def test_bad_input(change, message):
    law = market("u01").first
    with pytest.raises(ValueError, match=message):
        flows.tighten((law, law), **change)


def test_bad_bounds(uniform):
    law = market("u01").first
    for cells in (1, 7):
        with pytest.raises(ValueError, match=f"cells = {cells}"):
            flow_program.solve_flows((law, law), cells)
    with pytest.raises(ValueError, match="expected 1 or 2"):
        flows.tighten((law, law, law))
    with pytest.raises(ValueError, match="parts = 0"):
        uniform.revenue(0)
    with pytest.raises(ValueError, match="largest"):
        more = tuple(tuple(z + 0.1 for z in both) for both in uniform.flows)
        dual.FlowBound(uniform.laws, uniform.edges, more, uniform.ironing)
    beta = market("beta12").first
    other = flows.tighten((beta, beta), cells=2, steps=1).bound
    with pytest.raises(ValueError, match="uniform"):
        other.exact()
    rising = Law(np.array([0.0, 1.0]), np.array([[0.0, 0.0, 1.0]]))
    with pytest.raises(ValueError, match="density above 0"):
        flows.tighten((rising, rising), cells=2, steps=1).bound.revenue()
