"""Facts and numbers that were worked out apart from this code, computed again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.persuasion.ascent import climb
from econlib.persuasion.best_response import gains
from econlib.persuasion.bimatrix import (
    bimatrix_gains,
    hidden_bimatrix,
    identifying_rules,
)
from econlib.persuasion.cones import gains_by_any_rule
from econlib.persuasion.examples import (
    match_game,
    prosecutors,
    surface_game,
    uniform_game,
)
from econlib.persuasion.games import (
    PersuasionGame,
    full_revelation,
    random_rules,
    utilities,
    utilities_batch,
)
from econlib.persuasion.nash import exact_equilibria
from econlib.persuasion.one_sender import one_sender
from econlib.persuasion.partitions import (
    PartitionEquilibrium,
    partition_equilibria,
    set_partitions,
)
from econlib.persuasion.pipeline import nearby
from econlib.persuasion.revelation import (
    check_digit_code,
    digit_split,
    rules_of_code,
)
from econlib.persuasion.surrogates import draw_profiles


@pytest.mark.parametrize(
    ("guilt", "threshold", "innocent"),
    [(0.3, 0.5, 3 / 7), (0.3, 0.7, 9 / 49), (0.2, 0.5, 1 / 4), (0.1, 0.25, 1 / 3)],
)
def test_the_guilty_are_convicted_and_just_enough_of_the_innocent(
    guilt, threshold, innocent
):
    game = prosecutors("aligned", guilt, threshold)
    found = one_sender(game.prior, game.receiver, game.senders[0])
    convicted, acquitted = found.masses / game.prior
    assert convicted == pytest.approx([innocent, 1], abs=1e-7)
    assert acquitted == pytest.approx([1 - innocent, 0], abs=1e-7)
    assert found.value == pytest.approx(min(1, guilt / threshold))


def test_every_equilibrium_of_opposed_prosecutors_reveals():
    game = prosecutors("opposed")
    found = [*exact_equilibria(game, n_starts=6), *partition_equilibria(game)]
    assert found
    for e in found:
        assert e.utilities == pytest.approx([0.3, 0.7], abs=1e-6)


def constant_sum(n: int, m: int, n_actions: int, seed: int) -> PersuasionGame:
    """What the last sender gains the others lose."""
    game = match_game(n, m, n_actions, seed)
    last = 1 - game.senders[:-1].sum(axis=0)
    return PersuasionGame(
        game.prior, game.receiver, np.concatenate([game.senders[:-1], last[None]])
    )


@pytest.mark.parametrize("size", [(2, 4, 2), (2, 5, 3), (3, 4, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_where_payoffs_sum_to_a_constant_every_partition_pays_full_revelation(
    size, seed
):
    # two states with one best action can be pooled: there are several equilibria
    game = constant_sum(*size, seed)
    found = partition_equilibria(game)
    assert len(found) > 1
    for e in found:
        assert e.utilities == pytest.approx(full_revelation(game), abs=1e-9)
        assert np.abs(gains_by_any_rule(game, [e.rule()] * size[0])).max() < 1e-8


def test_where_payoffs_sum_to_a_constant_every_equilibrium_pays_full_revelation():
    game = constant_sum(2, 4, 2, 0)
    found = exact_equilibria(game, n_starts=1)
    assert len(found) > 4
    for e in found:
        assert e.utilities == pytest.approx(full_revelation(game), abs=2e-5)


def surface(x: np.ndarray, y: np.ndarray, other: tuple) -> np.ndarray:
    """First sender's utility, his signal's probability in the second state fixed."""
    p = torch.tensor(np.stack([x, y], axis=-1).reshape(-1, 2))
    first = torch.stack([p, torch.tensor(other).expand_as(p)], dim=2)
    rules = torch.stack([first, 1 - first], dim=3)
    return utilities_batch(surface_game(), rules)[:, 0].numpy().reshape(x.shape)


def test_lowest_point_and_plateau_of_the_surface():
    x, y = np.meshgrid(*[np.linspace(0, 1, 101)] * 2, indexing="ij")
    u = surface(x, y, (0.5, 0.5))
    assert u.min() == pytest.approx(1.75, abs=1e-12)
    # the safe action after all four joint signals: a posterior in [.35, .65] of each
    masses = np.stack([x * y, x * (1 - y), (1 - x) * y, (1 - x) * (1 - y)])
    low, high = 0.25 * 0.35 / 0.65, 0.25 * 0.65 / 0.35
    assert (low, high) == pytest.approx((0.134615, 0.464286), abs=1e-6)
    plateau = ((masses >= low) & (masses <= high)).all(axis=0)
    assert np.array_equal(u >= 3.75 - 1e-12, plateau) and 0 < plateau.sum() < x.size


def coarse(size: tuple, seed: int) -> dict[tuple, PartitionEquilibrium]:
    found = partition_equilibria(match_game(*size, seed))
    return {e.cells: e for e in found if len(e.cells) < size[1]}


@pytest.mark.parametrize(
    ("size", "seed", "n", "cells", "value"),
    [
        ((2, 4, 4), 0, 1, ((0,), (1, 2), (3,)), (0.5504, 0.5499)),
        ((2, 4, 4), 1, 1, ((0,), (1, 3), (2,)), (0.7782, 0.6486)),
        ((2, 5, 5), 2, 4, ((0, 1), (2, 4), (3,)), (0.5363, 0.6812)),
    ],
)
def test_partition_equilibria_of_larger_games(size, seed, n, cells, value):
    found = coarse(size, seed)
    best = max(found.values(), key=lambda e: e.utilities.sum())
    assert len(found) == n and best.cells == cells
    assert best.utilities == pytest.approx(value, abs=5e-5)


@pytest.mark.parametrize(("size", "share"), [((2, 4, 4), 0.5833), ((4, 4, 4), 0.1167)])
def test_share_of_larger_games_with_a_coarse_equilibrium(size, share):
    more = [bool(coarse(size, seed)) for seed in range(60)]
    assert np.mean(more) == pytest.approx(share, abs=5e-5)


@pytest.mark.parametrize(
    ("size", "seed"), [((2, 3, 3), s) for s in range(6)] + [((2, 4, 4), 0)]
)
def test_partitions_that_are_not_listed_are_left(size, seed):
    game = match_game(*size, seed)
    listed = {e.cells for e in partition_equilibria(game)}
    left = [cells for cells in set_partitions(size[1]) if cells not in listed]
    assert left
    for cells in left:
        rule = np.zeros((size[1], size[1]))  # signals for any deviation
        for s, cell in enumerate(cells):
            rule[list(cell), s] = 1
        assert gains(game, [rule, rule]).max() > 1e-3


@pytest.mark.parametrize("seed", range(8))
def test_what_one_sender_can_hide_he_hides(seed):
    # together they name the state, but without either a bit is lost
    rules = rules_of_code(digit_split(2, 2, 4), 2)
    for game in (uniform_game(2, 4, 3, seed), match_game(2, 4, 4, seed)):
        assert utilities(game, rules) == pytest.approx(full_revelation(game))
        assert gains(game, rules).max() > 1e-3


@pytest.mark.parametrize(("n_states", "seed"), [(5, 0), (6, 1), (9, 2)])
def test_nobody_gains_against_a_check_digit_modulo_three(n_states, seed):
    game = uniform_game(3, n_states, 3, seed)
    rules = rules_of_code(check_digit_code(3, 3, n_states), 3)
    assert utilities(game, rules) == pytest.approx(full_revelation(game))
    assert np.abs(gains(game, rules)).max() < 1e-8
    if n_states == 5:  # nor with more signals than three
        assert np.abs(gains_by_any_rule(game, rules)).max() < 1e-8
    split = rules_of_code(digit_split(3, 3, n_states), 3)
    assert gains(game, split).max() > 1e-3


@settings(max_examples=8, deadline=None)
@given(st.integers(2, 3), st.integers(2, 3), st.integers(1, 3), st.integers(0, 10**6))
def test_any_rule_gains_what_as_many_signals_as_states_gain(m, n_actions, k, seed):
    game = match_game(2, m, n_actions, seed)
    rules = random_rules(game, k, np.random.default_rng(seed))
    any_rule, same_k = gains_by_any_rule(game, rules), gains(game, rules)
    assert (any_rule >= same_k - 1e-7).all() and (any_rule >= -1e-9).all()
    if k >= m:
        assert any_rule == pytest.approx(same_k, abs=1e-6)


def test_gains_at_the_uniform_profile_of_the_battle_of_the_sexes():
    rows, columns = np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0], [0, 2]])
    half = np.full(2, 0.5)
    found = gains(hidden_bimatrix(rows, columns), identifying_rules(half, half))
    assert found == pytest.approx([0.125, 0.125], abs=1e-7)
    assert found == pytest.approx(0.5 * bimatrix_gains(rows, columns, half, half))


def test_nobody_gains_nearby_at_full_revelation():
    found = gains(match_game(2, 3, 3, 1), [np.eye(3)] * 2, radius=0.1)
    assert np.abs(found).max() < 1e-8


def climbed(game: PersuasionGame) -> torch.Tensor:
    """End points of extra-gradient on the true gradient of each piece."""
    start = draw_profiles(game, 3, 256, np.random.default_rng(0)).double()
    start = start / start.sum(dim=3, keepdim=True)
    steps = ((0.1, 200), (0.02, 200))
    return climb(lambda x, _: utilities_batch(game, x), start, steps)


def near(game: PersuasionGame, ends: torch.Tensor, value: tuple) -> list[list]:
    """End points that pay a value to 1e-3, in single rules."""
    off = np.abs(utilities_batch(game, ends).numpy() - np.array(value)).max(axis=1)
    return [list(ends[i].numpy()) for i in np.flatnonzero(off < 1e-3)]


def test_climbing_finds_an_equilibrium_where_senders_agree():
    game = match_game(2, 3, 3, 1)
    found = near(game, climbed(game), (0.7488, 0.8328))
    assert len(found) > 256 / 3
    for rules in found[:5]:
        assert np.abs(gains_by_any_rule(game, rules)).max() < 1e-6


def test_climbing_finds_a_local_equilibrium_that_is_not_global():
    game = match_game(2, 3, 3, 3)
    found = near(game, climbed(game), (0.8862, 0.7612))[:12]
    local = [rules for rules in found if gains(game, rules, 0.05).max() < 1e-3]
    assert len(local) > 1
    for rules in local[:5]:
        assert gains_by_any_rule(game, rules).max() == pytest.approx(0.0538, abs=1e-3)
        assert (utilities(game, rules) > full_revelation(game) + 0.1).all()


def test_local_equilibria_below_full_revelation_and_checks_by_samples_that_fail():
    game = match_game(2, 3, 3, 4)
    found = near(game, climbed(game), (0.7001, 0.4221))[:16]
    exact = np.array([gains(game, rules, 0.05).max() for rules in found])
    local = [found[i] for i in np.flatnonzero(exact < 1e-3)]
    assert local
    for rules in local:  # the second sender could reveal, and have more
        floor = full_revelation(game)[1]
        assert floor == pytest.approx(0.4627, abs=5e-5)
        assert utilities(game, rules)[1] < floor - 0.03
        assert gains_by_any_rule(game, rules)[1] > 0.1
    # 60 random rules in the box see nothing where the exact gain is large
    profiles = torch.tensor(np.array(found))
    now, source = utilities_batch(game, profiles), torch.Generator().manual_seed(0)
    best = np.full(len(found), -np.inf)
    for i in (0, 1):
        tried = nearby(profiles[:, i], 60, 0.05, source)
        trial = profiles[:, None].expand(-1, 60, -1, -1, -1).clone()
        trial[:, :, i] = tried
        u = utilities_batch(game, trial.flatten(0, 1))[:, i].view(len(found), 60)
        best = np.maximum(best, (u.amax(dim=1) - now[:, i]).numpy())
    assert (best <= exact + 1e-7).all()
    assert exact[best < 0.005].max() > 0.02
