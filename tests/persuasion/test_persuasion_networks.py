"""Stacks of networks, matched sizes, the slice, and the study that is on record."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.persuasion import (
    contenders,
    record_networks,
    record_rates,
    record_slices,
)
from econlib.persuasion.examples import is_degenerate, match_game, surface_game
from econlib.persuasion.games import joint_masses, receiver_actions, utilities_batch
from econlib.persuasion.nets import GatedMultilinear, ReLUNet
from econlib.persuasion.slices import cliffs, grid_points, slice_rules
from econlib.persuasion.stacks import count_weights, fit_stack
from econlib.persuasion.study import (
    KINDS,
    core,
    games_of_size,
    leads,
    network,
    study,
)
from econlib.persuasion.surrogates import draw_profiles

FLAT = ("ReLU", "DeLU", "DNL")


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 64), st.integers(1, 4), st.sampled_from([16, 32, 64]))
def test_networks_of_a_width_have_as_many_weights(n_in, n_out, width):
    sizes = [count_weights(core(k, n_in, n_out, width=width)) for k in FLAT]
    assert max(sizes) / min(sizes) < 1.04
    goal = count_weights(core("DNL", n_in, n_out, width=width))
    w = core("ReLU", n_in, n_out, width=width).layers[0].out_features
    for other in (w - 1, w + 1):  # no width is nearer
        off = abs(count_weights(ReLUNet(n_in, n_out, other)) - goal)
        assert abs(sizes[0] - goal) <= off


def test_networks_of_a_stack_do_not_touch():
    source = torch.Generator().manual_seed(0)
    x = torch.rand(2, 200, 3, generator=source)
    y = torch.stack([x[0, :, :1] ** 2, x[1, :, :1]])
    other = torch.stack([y[0], 5 - y[1]])
    a, b, c, d = (ReLUNet(3, 1, 8, seed=s) for s in (0, 1, 0, 2))
    fit_stack([a, b], x, y, n_steps=50)
    fit_stack([c, d], x, other, n_steps=50)
    for v, w in zip(a.parameters(), c.parameters(), strict=True):
        assert torch.allclose(v, w, atol=1e-6)
    fresh = ReLUNet(3, 1, 8, seed=0)
    assert not torch.allclose(a.layers[0].weight, fresh.layers[0].weight)


def test_a_stack_learns_each_target_of_its_own():
    source = torch.Generator().manual_seed(1)
    x = torch.rand(3, 1000, 2, generator=source)
    slopes = torch.tensor([[1.0, 2.0], [-1.0, 0.0], [3.0, -2.0]])
    y = (x * slopes[:, None]).sum(dim=2, keepdim=True)
    nets = [ReLUNet(2, 1, 16, seed=s) for s in range(3)]
    fit_stack(nets, x, y, n_steps=600, lr=1e-2)
    for net, rows, target in zip(nets, x, y, strict=True):
        assert (net(rows) - target).square().mean() < 1e-3


def test_gates_are_hard_after_a_stack_is_fitted():
    game = match_game(2, 2, 2, 0)
    rules = draw_profiles(game, 2, 300, np.random.default_rng(0))
    u = utilities_batch(game, rules.double()).float()
    nets = [GatedMultilinear(2, game.prior, 6, seed=s) for s in range(2)]
    fit_stack(nets, torch.stack([rules] * 2), torch.stack([u] * 2), n_steps=30, lr=0.03)
    assert all(np.isinf(net.beta) for net in nets)


def test_values_of_the_slice():
    game = surface_game()
    known = {
        (0.5, 0.5): {
            (0.6, 0.6): 3.75,
            (0.7, 0.3): 2.675,
            (0.9, 0.9): 1.97,
            (0.1, 0.5): 3.525,
            (0.2, 0.8): 2.5,
        },
        (0.2, 0.8): {
            (0.2, 0.8): 3.75,
            (0.5, 0.5): 2.935,
            (0.6, 0.6): 2.3,
            (0.1, 0.5): 2.865,
        },
    }
    for other, values in known.items():
        points = torch.tensor(list(values), dtype=torch.float64)
        u = utilities_batch(game, slice_rules(points, other))
        for i in (0, 1):
            assert u[:, i].numpy() == pytest.approx(list(values.values()), abs=1e-9)


@pytest.mark.parametrize(
    ("other", "area"), [((0.5, 0.5), 0.12822), ((0.2, 0.8), 0.04193)]
)
def test_area_of_the_plateau(other, area):
    u = utilities_batch(surface_game(), slice_rules(grid_points(400).double(), other))
    assert float((u[:, 0] > 3.75 - 1e-9).double().mean()) == pytest.approx(
        area, abs=1e-3
    )


def test_cliffs_are_found_where_a_function_jumps():
    x, y = grid_points(50).numpy().T.reshape(2, 50, 50)
    assert not cliffs(0.2 * x + y).any()
    found = cliffs(x + (y > 0.5), reach=2)
    assert found[:, 22:28].all() and not found[:, :22].any() and not found[:, 28:].any()


def test_leads_tell_how_far_a_change_of_mind_is():
    game = match_game(2, 3, 3, 4)
    rules = draw_profiles(game, 3, 60, np.random.default_rng(3))
    far = leads(game, rules)
    assert (far >= 0).all() and far.max() > far.min()
    toward = draw_profiles(game, 3, 60, np.random.default_rng(9), sparse=0.0)
    for lead, one, other in zip(
        far, rules.double().numpy(), toward.numpy(), strict=True
    ):
        # a move of the rules that is small against the lead changes no action
        step = lead / 50
        moved = (1 - step) * one + step * other
        now, then = (
            receiver_actions(game, joint_masses(game.prior, list(p)))
            for p in (one, moved)
        )
        mass = joint_masses(game.prior, list(one)).sum(axis=1)
        often = mass > 0.05
        assert (now == then)[often].all()


def test_games_of_a_study_are_the_first_that_are_not_degenerate():
    games, left_out = games_of_size((2, 2, 2, 2), 4, seed=3)
    numbers = [number for number, _ in games]
    tried = range(3, numbers[-1] + 1)
    kept = [k for k in tried if not is_degenerate(match_game(2, 2, 2, k), 2)]
    assert numbers == kept and left_out == len(tried) - len(kept)


@pytest.mark.parametrize("size", [(2, 2, 2, 2), (3, 2, 3, 2)])
def test_a_study_judges_every_kind_on_every_game(size):
    games, _ = games_of_size(size, 2)
    options = {"n_steps": 20, "n_test": 200, "width": 16, "head": 4}
    rows = study(size, games, 300, [5, 6], **options)
    assert len(rows) == len(KINDS) * 4
    assert {(r["kind"], r["game"], r["seed"]) for r in rows} == {
        (kind, number, s) for kind in KINDS for number, _ in games for s in (5, 6)
    }
    assert all(0 < r["error"] < 20 for r in rows)
    assert rows == study(size, games, 300, [5, 6], **options)


def test_more_steps_and_profiles_lower_the_error():
    games, _ = games_of_size((2, 2, 2, 2), 1)
    few = study((2, 2, 2, 2), games, 300, [0], n_steps=20, n_test=500)
    many = study((2, 2, 2, 2), games, 3000, [0], n_steps=300, n_test=500)
    for a, b in zip(few, many, strict=True):
        assert b["error"] < a["error"], a["kind"]


@pytest.mark.parametrize("part", record_networks.PARTS)
def test_the_record_is_whole_and_a_cell_of_it_is_made_again(part):
    kept = record_networks.load(part)
    size, n_steps, n_train, n_seeds = record_networks.PARTS[part]
    assert (tuple(kept["size"]), kept["n_steps"]) == (size, n_steps)
    runs = {(r["kind"], r["game"], r["seed"], r["n_train"]) for r in kept["runs"]}
    assert len(runs) == len(kept["runs"]) == len(KINDS) * 5 * n_seeds * len(n_train)
    flat = {r["n_weights"] for r in kept["runs"] if r["kind"] in FLAT}
    assert max(flat) / min(flat) < 1.03
    assert kept["command"] == f"python -m econlib.persuasion.record_networks {part}"
    for old, new in zip(kept["probe"], record_networks.probe(part), strict=True):
        assert old["kind"] == new["kind"]
        # rounding differs between processors, and forty steps carry it on
        assert new["error"] == pytest.approx(old["error"], rel=1e-2)


def test_the_record_of_slices_is_whole_and_a_cell_of_it_is_made_again():
    kept = record_slices.load()
    names = ("kind", "policy", "lr", "n_steps", "seed")
    runs = {tuple(r[name] for name in names) for r in kept["runs"]}
    assert len(runs) == len(kept["runs"])
    grid = len(record_slices.KINDS) * len(record_slices.RATES)
    grid = grid * len(record_slices.STEPS) + len(record_slices.VARIANTS)
    assert len(runs) == 2 * 5 * grid
    flat = {r["n_weights"] for r in kept["runs"] if r["kind"] in FLAT}
    assert max(flat) / min(flat) < 1.03
    for old, new in zip(kept["probe"], record_slices.probe(), strict=True):
        assert (old["kind"], old["policy"]) == (new["kind"], new["policy"])
        assert new["error"] == pytest.approx(old["error"], rel=1e-2)


def test_the_parts_left_out_of_dnl_change_what_it_learns():
    found = [
        record_slices.errors("DNL", 4e-3, 60, (0,), n_points=300, n_grid=20, **change)
        for change in ({}, *record_slices.VARIANTS.values())
    ]
    errors = [rows[0]["error"] for rows in found]
    assert len(set(errors)) == len(errors) and all(0 < e < 5 for e in errors)


def test_networks_have_the_best_of_the_recorded_step_sizes():
    kept = record_rates.load()
    assert len(kept["runs"]) == len(record_rates.GAMES) * sum(
        len(some) for some in record_rates.RATES.values()
    )
    for name, rate in record_rates.best(kept).items():
        assert contenders.NETWORKS[name] == rate
    made = record_rates.run(
        n_train=1000, n_steps=10, games=(100,), rates={"DNL": (1e-3, 1e-2)}
    )
    assert [r["lr"] for r in made["runs"]] == [1e-3, 1e-2]
    assert made["runs"][0]["error"] != made["runs"][1]["error"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: core("s-ReLU", 2, 1), "kind = 's-ReLU': expected one of ReLU"),
        (lambda: network("MLP", match_game(2, 2, 2, 0), 2), "kind = 'MLP'"),
        (
            lambda: fit_stack(
                [ReLUNet(2, 1, 4)], torch.ones(2, 5, 2), torch.ones(2, 5, 1)
            ),
            "1, 2 and 2 of them",
        ),
        (lambda: slice_rules(torch.ones(3, 2), (0.5, 1.5)), "other = "),
        (lambda: slice_rules(2 * torch.ones(3, 2), (0.5, 0.5)), "points, other"),
        (lambda: grid_points(1), "n = 1"),
        (lambda: record_networks.run("huge"), "part = 'huge': expected one of small"),
    ],
)
def test_bad_input_of_the_study_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
