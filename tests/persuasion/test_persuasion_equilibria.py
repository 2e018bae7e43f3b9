"""The pipeline, its certificates and its comparison; exact equilibria by cells."""

from __future__ import annotations

import dataclasses
import math

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.persuasion import record_equilibria
from econlib.persuasion.best_response import gains, reply_by_integers
from econlib.persuasion.comparison import METHODS, Budget, Row, above, compare
from econlib.persuasion.cones import reply_by_cones
from econlib.persuasion.contenders import (
    NETWORKS,
    annealed,
    fit_gated,
    local_knowledge,
    networks,
)
from econlib.persuasion.examples import match_game, prosecutors, uniform_game
from econlib.persuasion.games import (
    PersuasionGame,
    full_revelation,
    utilities,
    utilities_batch,
)
from econlib.persuasion.nash import cell_equilibria, exact_equilibria, frontier
from econlib.persuasion.one_sender import ceilings
from econlib.persuasion.partitions import partition_equilibria
from econlib.persuasion.pipeline import (
    certify,
    nearby,
    sampled_gains,
    search,
    select,
)
from econlib.persuasion.polishing import polish, replies_in_turn
from econlib.persuasion.stacks import count_weights
from econlib.persuasion.surrogates import draw_profiles, standardised_error
from econlib.persuasion.tallies import interval, pareto, tally
from econlib.programs import SolverError


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def starts(game: PersuasionGame, n: int, k: int = 3, seed: int = 0) -> torch.Tensor:
    return draw_profiles(game, k, n, np.random.default_rng(seed), sparse=0.0).double()


def coarse(game: PersuasionGame) -> list[np.ndarray]:
    """The partition {0}, {1, 2}, with three signals."""
    rule = np.array([[1.0, 0, 0], [0, 1, 0], [0, 1, 0]])
    return [rule] * game.n_senders


# certificates


def test_a_known_equilibrium_is_certified_and_selected():
    game = match_game(2, 3, 3, 1)
    both = np.array([coarse(game), [np.eye(3)] * 2])
    points = certify(game, both, 0.2)
    assert np.abs(points.gains).max() < 1e-8
    best = select(game, points, 1e-6)
    assert best.index == 0 and best.found
    assert best.score == pytest.approx(1, abs=1e-6)
    assert best.utilities == pytest.approx(ceilings(game), abs=1e-6)


def test_only_profiles_of_the_game_are_certified():
    game = match_game(2, 3, 3, 1)
    rules = starts(game, 2)
    for bad, what in (
        (7 * rules, "rows that are distributions"),
        (rules * torch.nan, "rows that are distributions"),
        (rules[:, :1], "expected \\(profiles, 2, 3, signals\\)"),
        (rules.int(), "floating-point"),
    ):
        with pytest.raises(ValueError, match=what):
            certify(game, bad)
    for tolerance in (-1.0, math.nan):
        with pytest.raises(ValueError, match="tolerance = "):
            select(game, certify(game, rules), tolerance)


def test_full_revelation_is_returned_where_nothing_is_certified():
    game = match_game(2, 3, 3, 1)
    best = select(game, certify(game, starts(game, 2), 0.2), 1e-6)
    assert not best.found and best.index == -1 and best.score == 0
    assert best.utilities == pytest.approx(full_revelation(game))


@pytest.mark.parametrize(("n", "m", "k"), [(1, 3, 3), (2, 3, 2), (3, 5, 2)])
def test_nothing_is_returned_where_full_revelation_is_no_equilibrium(n, m, k):
    game = match_game(n, m, m, 1)
    points = certify(game, starts(game, 2, k), 0.2)
    best = select(game, points, 1e-6)
    assert not best.found and np.isnan(best.utilities).all()
    found = tally(game, Row("random", points), 1e-6)
    assert np.isnan([found["local"], found["everywhere"]]).all()
    # with a code that outlasts one deviator there is something to return
    code = match_game(3, 4, 4, 1)
    kept = select(code, certify(code, starts(code, 1, 2), 0.2), 1e-6)
    assert kept.utilities == pytest.approx(full_revelation(code))


@settings(max_examples=4, deadline=None)
@given(st.integers(2, 3), st.integers(0, 10**6), st.floats(0.01, 1))
def test_no_sample_gains_more_than_the_certificate(n, seed, radius):
    game = match_game(n, 2, 3, seed)
    rules = starts(game, 2, 2, seed)
    sampled = sampled_gains(
        lambda x: utilities_batch(game, x), rules, radius, 100, source(seed)
    )
    points = certify(game, rules, radius)
    assert (sampled.amax(dim=2).numpy() <= points.gains + 1e-7).all()
    assert (points.gains >= -1e-7).all()


def test_single_precision_rules_are_certified_as_they_are():
    game = match_game(2, 3, 3, 2)
    rules = starts(game, 3)
    one, other = certify(game, rules), certify(game, rules.float())
    assert one.gains == pytest.approx(other.gains, abs=1e-4)


def test_certificates_of_one_box_join():
    game = match_game(2, 2, 2, 0)
    points = certify(game, starts(game, 2, 2))
    assert len(points.joined(points).gains) == 4
    with pytest.raises(ValueError, match=r"radius = 0\.1: expected 0\.05"):
        points.joined(certify(game, starts(game, 1, 2), 0.1))


# deviations and search


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(0, 10**6), st.floats(1e-3, 1))
def test_rules_nearby_are_rules_in_the_box(k, seed, radius):
    rules = torch.as_tensor(np.random.default_rng(seed).dirichlet([0.3] * k, (5, 3)))
    tried = nearby(rules, 40, radius, source(seed))
    assert tried.shape == (5, 40, 3, k)
    assert (tried >= -1e-12).all()
    assert (tried.sum(dim=3) - 1).abs().max() < 1e-9
    assert (tried - rules[:, None]).abs().max() <= radius + 1e-9


def test_searching_on_the_truth_pays_a_lone_sender():
    game = match_game(1, 3, 3, 0)

    def truth(x: torch.Tensor) -> torch.Tensor:
        return utilities_batch(game, x)

    rules = starts(game, 8)
    after = search(truth, rules, source(), n_rounds=40)
    gained = truth(after) - truth(rules)
    assert (gained >= 0).all() and gained.mean() > 0.02
    assert (truth(after) <= ceilings(game)[0] + 1e-9).all()


@pytest.mark.parametrize(("n_tries", "radius"), [(0, 0.1), (3, 0.0), (3, 1.5)])
def test_no_deviations_without_a_box(n_tries, radius):
    with pytest.raises(ValueError, match=f"n_tries, radius = {n_tries}, {radius}"):
        nearby(torch.eye(2)[None], n_tries, radius, source())


# replies


def test_a_margin_costs_little_and_keeps_ties_out():
    game = prosecutors()
    silent = [np.ones((2, 1))] * 2
    firm = reply_by_integers(game, silent, 0, n_signals=2, margin=1e-3)
    assert firm.value == pytest.approx(0.6, abs=2e-3) and firm.value < 0.6
    # what she does does not hang on a tie: the other sender's favour is the same
    rules = [firm.rule, np.ones((2, 1))]
    assert utilities(game, rules)[0] == pytest.approx(firm.value, abs=1e-9)
    plain = reply_by_integers(game, silent, 0, n_signals=2)
    assert plain.value == pytest.approx(0.6, abs=1e-9)
    with pytest.raises(ValueError, match=r"margin = -1\.0: expected a number, 0"):
        reply_by_integers(game, silent, 0, margin=-1.0)
    with pytest.raises(SolverError):
        reply_by_integers(game, silent, 0, margin=5.0)


@pytest.mark.parametrize("seed", range(4))
def test_polishing_never_lowers_the_mover_and_ends_within_its_margin(seed):
    game = match_game(2, 3, 3, seed)
    rules = list(starts(game, 1, seed=seed)[0].numpy())
    after = polish(game, rules, 0.05, n_rounds=1)
    moved = [not np.array_equal(a, b) for a, b in zip(rules, after, strict=True)]
    if moved == [True, False]:
        assert utilities(game, after)[0] > utilities(game, rules)[0] + 1e-3
    assert np.abs(np.subtract(after, rules)).max() <= 0.05 + 1e-7
    still = polish(game, coarse(game) if seed == 1 else [np.eye(3)] * 2, 0.05)
    assert np.array_equal(still, coarse(game) if seed == 1 else [np.eye(3)] * 2)


def test_replies_in_turn_rest_where_senders_agree_and_circle_where_not():
    agree = match_game(2, 3, 3, 1)
    rules, moves = replies_in_turn(agree, list(starts(agree, 1)[0].numpy()), 8)
    assert moves[-1] == 0
    assert gains(agree, rules).max() < 1e-3
    against = match_game(2, 3, 3, 0)
    _, moves = replies_in_turn(against, list(starts(against, 1)[0].numpy()), 4)
    assert len(moves) == 4 and moves[-1] > 0


# comparison


@pytest.mark.parametrize(("n", "m", "k"), [(2, 2, 2), (2, 3, 3), (3, 3, 2), (2, 4, 4)])
def test_networks_are_matched_by_number_of_weights(n, m, k):
    made = networks(match_game(n, m, m, 0), k, seed=0)
    sizes = {name: count_weights(net) for name, net in made.items()}
    for prefix in ("", "shared "):
        group = [sizes[prefix + kind] for kind in ("ReLU", "DeLU", "DNL")]
        assert max(group) < 1.03 * min(group)


def test_sharpness_rises_geometrically():
    β = annealed(2.0, 200.0)
    assert [β(0), β(0.5), β(1)] == pytest.approx([2, 20, 200])


TINY = Budget(1000, 200, 20, 32, n_starts=2, n_climb=18, n_polished=1, n_replies=1)


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    return compare(match_game(2, 2, 2, 0), 2, TINY, seed=3)


def test_every_method_gives_certified_profiles(rows):
    game = match_game(2, 2, 2, 0)
    assert list(rows) == list(METHODS)
    for name, row in rows.items():
        for some in filter(None, (row.climbed, row.searched)):
            assert some.rules.sum(axis=3) == pytest.approx(
                np.ones(some.rules.shape[:3])
            )
            for rules, pay in zip(some.rules, some.utilities, strict=True):
                assert utilities(game, list(rules)) == pytest.approx(pay)
        assert (row.n_weights > 0) == (name in NETWORKS or name.startswith("gated"))
    flat = [rows[name].n_weights for name in ("ReLU", "DeLU", "DNL")]
    shared = [rows[f"shared {name}"].n_weights for name in ("ReLU", "DeLU", "DNL")]
    for group in (flat, shared):
        assert max(group) < 1.03 * min(group)
    assert max(shared) < min(flat) / 10


def test_the_same_seed_finds_the_same_and_another_one_does_not(rows):
    game = match_game(2, 2, 2, 0)
    for name in ("DNL", "truth, annealed"):
        again, other = (
            compare(game, 2, TINY, methods=(name,), seed=s)[name].climbed
            for s in (3, 4)
        )
        assert np.array_equal(again.rules, rows[name].climbed.rules)
        assert not np.allclose(other.rules, again.rules)


def test_hard_gates_learn_a_small_game_and_its_directions():
    game = match_game(2, 2, 2, 1)
    train, test = (
        draw_profiles(game, 2, n, np.random.default_rng(n)) for n in (8000, 1000)
    )
    fitted, n_fits = fit_gated(game, train, n_steps=600)
    assert n_fits == 1 and standardised_error(fitted, game, test) < 0.05
    assert fit_gated(game, train, n_steps=20, refits=3)[1] == 3  # none is good enough
    known = local_knowledge(game, fitted, test[:20])
    assert known.sign > 0.85 and known.capture > 0.8 and known.error < 0.1

    class Other(torch.nn.Module):
        """The truth, or its opposite, in standardised units."""

        def __init__(self, by: float) -> None:
            super().__init__()
            self.by = by

        def forward(self, x):
            u = utilities_batch(game, x)
            return self.by * (u - fitted.mean) / fitted.scale

    true, opposite = (
        local_knowledge(game, dataclasses.replace(fitted, net=Other(by)), test[:20])
        for by in (1.0, -1.0)
    )
    assert true.sign == 1 and true.capture == pytest.approx(1, abs=1e-3)
    assert true.error < 1e-9
    assert opposite.sign < 0.15 and opposite.capture < 0 < 1 < opposite.error


def test_unknown_methods_and_budgets_are_named(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match="'adam': expected some of random,"):
        compare(match_game(2, 2, 2, 0), 2, TINY, methods=("adam",))
    with pytest.raises(ValueError, match="n_climb = 3: expected an integer, 9 or more"):
        Budget(n_climb=3)
    for bad in (10.5, math.nan, True, "9"):
        with pytest.raises(ValueError, match=r"n_climb = .*: expected an integer, 9"):
            Budget(n_climb=bad)
    with pytest.raises(ValueError, match="refits = 0: expected an integer, 1 or more"):
        fit_gated(match_game(2, 2, 2, 0), torch.ones(16, 2, 2, 2) / 2, refits=0)
    for ends in ((-1.0, 1.0), (1.0, math.nan), (1.0, math.inf)):
        with pytest.raises(ValueError, match="first, last = "):
            annealed(*ends)
    schedule = Budget(n_climb=91).schedule
    assert sum(n for _, n in schedule) == 91 and min(n for _, n in schedule) > 0


# tallies


def test_dominance_needs_all_senders():
    floor = np.array([0.5, 0.5])
    pay = np.array([[0.5, 0.6], [0.49, 0.9], [0.5, 0.5005], [0.6, 0.6]])
    assert above(floor, pay).tolist() == [True, False, False, True]
    assert [pareto(p, floor) for p in pay] == [
        "better",
        "incomparable",
        "equal",
        "better",
    ]
    assert pareto(floor, pay[0]) == "worse"


def test_intervals_of_games_and_seeds():
    rng = np.random.default_rng(0)
    games = rng.normal(size=(400, 1)) + np.zeros((400, 3))
    found = interval(games)
    # seeds of a game are copies: the width is that of 400 games, not of 1200 numbers
    width = 2 * 1.96 * games[:, 0].std() / 20
    assert found.high - found.low == pytest.approx(width, rel=0.1)
    assert found.low < found.mean < found.high
    for values in (np.ones((0, 3)), np.full((2, 2), np.nan)):
        with pytest.raises(ValueError, match="values: shape"):
            interval(values)


def test_a_tally_counts_what_is_certified():
    game = match_game(2, 3, 3, 1)
    points = certify(game, np.array([coarse(game), [np.eye(3)] * 2]))
    found = tally(game, Row("random", points), 0.005)
    assert found["points"] == 2 and found["above"] == 1
    assert found["score"] == pytest.approx(1, abs=1e-6)
    assert found["everywhere"] == pytest.approx(0, abs=1e-8)
    assert found["weights"] is None and found["searched"] is None
    with pytest.raises(ValueError, match=r"tolerance = -1\.0"):
        tally(game, Row("random", points), -1.0)


# exact equilibria


@pytest.mark.parametrize(
    ("n", "m", "seed"), [(2, 3, 1), (2, 3, 2), (2, 3, 5), (3, 3, 0)]
)
def test_listed_equilibria_hold_against_any_rule(n, m, seed):
    game = match_game(n, m, m, seed)
    floor, ceiling = full_revelation(game), ceilings(game)
    found = exact_equilibria(game)
    for e in found[:6]:
        best = [reply_by_cones(game, e.rules, i).value for i in range(n)]
        # cell by cell or whole, the gains are the same
        assert max(best - e.utilities) == pytest.approx(e.gain, abs=1e-8)
        assert e.gain <= 1e-5
        assert (e.utilities >= floor - 1e-5).all()
        assert (e.utilities <= ceiling + 1e-8).all()
    pays = np.array([e.utilities for e in found])
    for e in partition_equilibria(game):
        assert np.abs(pays - e.utilities).max(axis=1).min() < 1e-5


def test_a_lone_speaker_beats_every_partition():
    game = match_game(2, 3, 3, 2)
    best = exact_equilibria(game)[0]
    partition = max(partition_equilibria(game), key=lambda e: e.utilities.sum())
    assert best.utilities.sum() > partition.utilities.sum() + 0.05
    assert (best.utilities > full_revelation(game) + 0.01).all()


def test_aligned_prosecutors_speak_alone():
    found = exact_equilibria(prosecutors())
    assert found[0].utilities == pytest.approx([0.6, 0.6], abs=1e-4)
    assert any("sender" in s for s in found[0].speakers)


def test_equilibria_hold_on_a_grid_of_all_rules():
    game = match_game(2, 2, 2, 2)
    grid = np.linspace(0, 1, 21)
    rules = [np.array([[x, 1 - x], [y, 1 - y]]) for x in grid for y in grid]
    for e in exact_equilibria(game, n_starts=2):
        for i in (0, 1):
            other = e.rules[1 - i]
            for rule in rules:
                pair = [rule, other] if i == 0 else [other, rule]
                assert utilities(game, pair)[i] <= e.utilities[i] + 1e-4


def test_the_frontier_is_not_dominated():
    found = exact_equilibria(match_game(2, 3, 3, 9))
    best = frontier(found)
    assert 1 <= len(best) < len(found)
    for e in best:
        assert not any(above(e.utilities, f.utilities[None], 1e-5)[0] for f in found)


def test_enumerations_that_explode_say_how_many():
    with pytest.raises(ValueError, match=r"n_states = 8: .* games of 255 cells"):
        exact_equilibria(uniform_game(2, 8, 2, 0))
    with pytest.raises(ValueError, match=r"\d+ equilibria: .* max_listed = 1;"):
        exact_equilibria(match_game(2, 3, 3, 1), max_listed=1)
    with pytest.raises(ValueError, match="n_senders = 1: expected 2 or more"):
        exact_equilibria(match_game(1, 3, 3, 0))
    with pytest.raises(ValueError, match=r"tolerance, n_starts = 0\.0, 0"):
        cell_equilibria(match_game(2, 2, 2, 0), tolerance=0.0)


# the record


def test_a_slice_of_the_record_runs_again():
    with pytest.raises(ValueError, match="game = 'four_0': expected one of two_0"):
        record_equilibria.run("four_0")
    budgets = {"short": TINY, "long": TINY}
    made = record_equilibria.run("two_1", budgets, (0,), ("random", "DNL"))
    rows = [(r["budget"], r["method"]) for r in made["runs"]]
    assert rows == [("short", "DNL"), ("long", "random"), ("long", "DNL")]
    short, long = ([made["runs"][k][c] for c in ("error", "gain")] for k in (0, 2))
    assert short == long  # one budget under two names, from the same starts
    assert made["budgets"]["long"] == dataclasses.asdict(TINY)
    assert made["best_partition"] == pytest.approx([0.748817, 0.832779], abs=1e-5)


@pytest.mark.parametrize("name", record_equilibria.GAMES)
def test_records_hold_what_they_should(name):
    kept = record_equilibria.load(name)
    n, m, seed = record_equilibria.GAMES[name]
    game = match_game(n, m, m, seed)
    assert kept["revealed"] == pytest.approx(full_revelation(game), abs=1e-5)
    assert kept["ceilings"] == pytest.approx(ceilings(game), abs=1e-5)
    made = [(r["seed"], r["budget"], r["method"]) for r in kept["runs"]]
    assert sorted(made) == sorted(
        (s, label, method)
        for s in range(3)
        for label in record_equilibria.BUDGETS[n]
        for method in record_equilibria.WITH[label]
    )
    for r in kept["runs"]:
        assert 0 <= r["above"] <= r["points"]
        # what is selected holds in the box, and outside nobody gains less than inside
        assert r["local"] <= kept["tolerance"] and r["local"] <= r["everywhere"] + 1e-6
        assert (np.array(r["utilities"]) <= np.array(kept["ceilings"]) + 1e-5).all()
        # nothing certified: full revelation is selected
        if r["points"] == 0:
            assert r["utilities"] == pytest.approx(kept["revealed"]) and r["score"] == 0
