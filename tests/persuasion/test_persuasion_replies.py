"""Best responses and the two reductions: two routes, known values, certificates."""

from __future__ import annotations

import jaxtyping
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.persuasion.best_response import gains, reply_by_integers
from econlib.persuasion.bimatrix import (
    bimatrix_gains,
    hidden_bimatrix,
    identifying_rules,
    threat,
)
from econlib.persuasion.cones import reply_by_cones
from econlib.persuasion.examples import match_game, prosecutors, uniform_game
from econlib.persuasion.games import (
    PersuasionGame,
    full_revelation,
    random_rules,
    utilities,
)
from econlib.persuasion.one_sender import ceilings, one_sender
from econlib.persuasion.partitions import partition_equilibria
from econlib.persuasion.polishing import polish, replies_in_turn
from econlib.persuasion.public import (
    graph_instance,
    hidden_public,
    public_persuasion,
)
from econlib.persuasion.revelation import (
    check_digit_code,
    digit_split,
    rules_of_code,
)
from econlib.programs import SolverError


def drawn(game: PersuasionGame, k: int, seed: int) -> list:
    return random_rules(game, k, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("seed", "k", "now", "value", "n_cones"),
    [
        (1, 2, (0.34001, 0.23794), 0.36565, 6),
        (2, 2, (0.43802, 0.50706), 0.50657, 6),
        (2, 3, (0.47031, 0.56724), 0.50507, 12),
    ],
)
def test_known_replies_by_cones_and_by_integers(seed, k, now, value, n_cones):
    game = uniform_game(2, 3, 3, seed)
    rules = drawn(game, k, 100 + seed)
    assert utilities(game, rules) == pytest.approx(now, abs=1e-5)
    cones = reply_by_cones(game, rules, 0)
    assert cones.value == pytest.approx(value, abs=1e-5)
    assert len(cones.actions) == n_cones
    assert cones.masses.sum(axis=0) == pytest.approx(game.prior)
    integers = reply_by_integers(game, rules, 0, n_signals=3)
    assert integers.value == pytest.approx(cones.value, abs=1e-7)
    assert integers.bound == pytest.approx(integers.value, abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 3), st.integers(0, 10**6))
def test_a_reply_is_worth_what_it_earns_and_beats_random_ones(m, seed):
    game, rng = match_game(2, m, m, seed), np.random.default_rng(seed)
    rules = random_rules(game, m, rng)
    found = reply_by_integers(game, rules, 1)
    assert utilities(game, [rules[0], found.rule], favour=1)[1] == pytest.approx(
        found.value, abs=1e-6
    )
    for _ in range(50):
        other = rng.dirichlet(np.full(m, 0.3), size=m)
        assert utilities(game, [rules[0], other])[1] <= found.value + 1e-9
    assert found.value <= ceilings(game)[1] + 1e-7
    assert reply_by_cones(game, rules, 1).value >= found.value - 1e-7


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 3), st.integers(2, 4))
def test_beaten_actions_are_worth_nothing(seed, m, k):
    rng = np.random.default_rng(seed)
    # few values, so that some actions are beaten and some are tied
    game = PersuasionGame(
        rng.dirichlet(np.full(m, 2.0)),
        rng.integers(0, 3, (m, 4)) / 2,
        rng.integers(0, 3, (2, m, 4)) / 2,
    )
    rules = random_rules(game, k, rng)
    rules[1][0, : k - 1], rules[1][0, -1] = 0.0, 1.0
    for i in (0, 1):
        whole = reply_by_cones(game, rules, i)
        pruned = reply_by_cones(game, rules, i, prune=True)
        assert pruned.value == pytest.approx(whole.value, abs=1e-8)
        assert len(pruned.actions) <= len(whole.actions)


def test_alone_the_reply_is_bayesian_persuasion():
    game = match_game(1, 3, 3, 4)
    alone = one_sender(game.prior, game.receiver, game.senders[0]).value
    rules = [np.ones((3, 1))]
    assert reply_by_cones(game, rules, 0).value == pytest.approx(alone, abs=1e-8)
    assert reply_by_integers(game, rules, 0, 3).value == pytest.approx(alone, abs=1e-7)
    assert gains(game, [np.eye(3)])[0] > 1e-3  # one sender gains by hiding


def test_gains_grow_with_the_box():
    game = match_game(2, 3, 3, 1)
    rules = drawn(game, 3, 5)
    expected = {
        0.01: (0.002943, 0.003538),
        0.05: (0.023425, 0.042645),
        0.1: (0.051528, 0.084029),
        0.2: (0.128136, 0.172815),
        1.0: (0.145721, 0.237305),
    }
    for radius, gain in expected.items():
        assert gains(game, rules, radius) == pytest.approx(gain, abs=1e-5)


def test_a_reply_in_a_box_stays_in_it():
    game = match_game(2, 3, 3, 2)
    rules = drawn(game, 3, 8)
    found = reply_by_integers(game, rules, 0, radius=0.1)
    assert np.abs(found.rule - rules[0]).max() <= 0.1 + 1e-7


@pytest.mark.parametrize(("n", "m"), [(2, 2), (2, 3), (3, 3)])
def test_nobody_gains_where_two_reveal_everything(n, m):
    for seed in range(4):
        game = uniform_game(n, m, 3, seed)
        rules = [np.eye(m)] * n
        for i in range(n):
            best = reply_by_cones(game, rules, i).value
            assert best - full_revelation(game)[i] <= 1e-8


@pytest.mark.parametrize(
    ("seed", "floor", "split"),
    [
        (0, (0.295844, 0.691005, 0.656376), (0.326731, 0.706008)),
        (1, (0.612843, 0.506375, 0.770438), (0.670310, 0.543245)),
    ],
)
def test_a_check_digit_makes_an_equilibrium_and_a_split_does_not(seed, floor, split):
    game = uniform_game(3, 4, 3, seed)
    rules = rules_of_code(check_digit_code(3, 2, 4), 2)
    assert utilities(game, rules) == pytest.approx(floor, abs=1e-6)
    assert np.abs(gains(game, rules)).max() <= 1e-8
    two = PersuasionGame(game.prior, game.receiver, game.senders[:2])
    rules = rules_of_code(digit_split(2, 2, 4), 2)
    assert utilities(two, rules) == pytest.approx(floor[:2], abs=1e-6)
    best = utilities(two, rules) + gains(two, rules)
    assert best == pytest.approx(split, abs=1e-5)


def test_aligned_prosecutors_do_better_than_to_reveal():
    game = prosecutors()
    rules = [np.array([[3 / 7, 4 / 7], [1.0, 0.0]]), np.full((2, 2), 0.5)]
    assert utilities(game, rules) == pytest.approx([0.6, 0.6])
    assert np.abs(gains(game, rules)).max() < 1e-8


def test_opposed_prosecutors_undo_each_other():
    game = prosecutors("opposed")
    best = np.array([[3 / 7, 4 / 7], [1.0, 0.0]])
    found = reply_by_integers(game, [best, np.eye(2)], 1)
    assert found.value == pytest.approx(1.0, abs=1e-7)  # a tie, broken his way
    assert np.abs(gains(game, [np.eye(2)] * 2)).max() < 1e-8


@pytest.mark.parametrize("seed", range(4))
def test_partitions_are_equilibria_against_any_rule(seed):
    game = match_game(2, 3, 3, seed)
    for found in partition_equilibria(game):
        rules = [np.pad(found.rule(), ((0, 0), (0, 3 - len(found.cells))))] * 2
        assert np.abs(gains(game, rules)).max() <= 1e-8
        assert (found.utilities >= full_revelation(game) - 1e-9).all()


GRAPHS = {
    "an edge": (nx.complete_graph(2), 0.5),
    "a path": (nx.path_graph(3), 0.601852),
    "a triangle": (nx.complete_graph(3), 1 / 3),
    "three vertices": (nx.empty_graph(3), 1.0),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_reply_solves_public_persuasion_on_a_graph(name):
    graph, value = GRAPHS[name]
    prior, rho = graph_instance(graph)
    found = public_persuasion(prior, rho)
    assert found.value == pytest.approx(value, abs=1e-6)
    for accept in found.accept:  # acceptors of a signal are never neighbours
        assert not graph.subgraph(np.flatnonzero(accept)).edges
    game, rule, scale = hidden_public(prior, rho)
    reply = reply_by_cones(game, [np.ones((game.n_states, 1)), rule], 0)
    assert len(reply.actions) == {2: 17, 3: 219}[len(graph)]
    assert reply.value / scale == pytest.approx(value, abs=1e-6)
    rules = [np.ones((game.n_states, 1)), rule]
    few = reply_by_cones(game, rules, 0, prune=True)
    assert few.value == pytest.approx(reply.value, abs=1e-9)
    assert len(few.actions) == 3 ** len(graph)  # accept, reject, or nobody is named


def test_larger_graphs():
    for graph, value in (
        (nx.cycle_graph(4), 0.5),
        (nx.complete_graph(4), 0.25),
        (nx.cycle_graph(5), 0.4),
    ):
        prior, rho = graph_instance(graph)
        assert public_persuasion(prior, rho).value == pytest.approx(value)
        game, rule, scale = hidden_public(prior, rho)
        rules = [np.ones((game.n_states, 1)), rule]
        reply = reply_by_cones(game, rules, 0, prune=True)
        assert reply.value / scale == pytest.approx(value)
        for actions, x in zip(reply.actions, reply.masses, strict=True):
            if x[: len(prior)].sum() > 1e-9:
                accept = np.flatnonzero(actions == 2 * np.arange(len(graph)))
                assert not graph.subgraph(accept).edges


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 3), st.integers(0, 10**6), st.floats(0.1, 0.9))
def test_a_reply_solves_any_public_persuasion(n_states, seed, share):
    rng = np.random.default_rng(seed)
    prior, rho = rng.dirichlet(np.full(n_states, 3.0)), rng.normal(size=(2, n_states))
    game, rule, scale = hidden_public(prior, rho, share / 2)
    reply = reply_by_cones(game, [np.ones((game.n_states, 1)), rule], 0)
    assert reply.value / scale == pytest.approx(
        public_persuasion(prior, rho).value, abs=1e-6
    )


PENNIES = np.array([[1.0, -1.0], [-1.0, 1.0]])
DILEMMA = np.array([[3.0, 0.0], [5.0, 1.0]])
BATTLE = np.array([[2.0, 0.0], [0.0, 1.0]])
HALF = (0.5, 0.5)
EYE = np.eye(2)


@pytest.mark.parametrize(
    ("rows", "columns", "p", "q", "u", "gain"),
    [
        (PENNIES, -PENNIES, HALF, HALF, (2.5, 2.5), (0, 0)),
        (PENNIES, -PENNIES, (0.8, 0.2), HALF, (2.5, 2.5), (0, 0.3)),
        (PENNIES, -PENNIES, HALF, (0.9, 0.1), (2.5, 2.5), (0.4, 0)),
        (DILEMMA, DILEMMA.T, (0, 1), (0, 1), (3, 3), (0, 0)),
        (DILEMMA, DILEMMA.T, (1, 0), (1, 0), (4, 4), (1, 1)),
        (
            BATTLE,
            BATTLE[::-1, ::-1],
            (2 / 3, 1 / 3),
            (1 / 3, 2 / 3),
            (2.833333, 2.833333),
            (0, 0),
        ),
    ],
)
def test_gains_are_those_of_the_hidden_bimatrix_game(rows, columns, p, q, u, gain):
    p, q = np.array(p, float), np.array(q, float)
    game = hidden_bimatrix(rows, columns)
    rules = identifying_rules(p, q)
    assert utilities(game, rules) == pytest.approx(u, abs=1e-6)
    found = gains(game, rules)
    assert found == pytest.approx(gain, abs=1e-6)
    assert found == pytest.approx(0.5 * bimatrix_gains(rows, columns, p, q), abs=1e-6)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 0.8))
def test_gains_of_random_bimatrix_games(seed, mass):
    rng = np.random.default_rng(seed)
    rows, columns = rng.random((2, 2, 2))
    p, q = rng.dirichlet(np.ones(2), size=2)
    found = gains(hidden_bimatrix(rows, columns, mass), identifying_rules(p, q))
    assert found == pytest.approx(mass * bimatrix_gains(rows, columns, p, q), abs=1e-6)


@pytest.mark.parametrize("mass", [0.01, 0.99])
def test_gains_where_states_are_rare(mass):
    # once called optimal below the best, where rows were not scaled
    rng = np.random.default_rng(0)
    game = hidden_bimatrix(PENNIES, -PENNIES, mass)
    for _ in range(8):
        p, q = rng.dirichlet(np.ones(2), size=2)
        found = gains(game, identifying_rules(p, q))
        said = mass * bimatrix_gains(PENNIES, -PENNIES, p, q)
        assert found == pytest.approx(said, abs=1e-7)


def test_three_rows_by_cones():
    rps = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    game = hidden_bimatrix(rps, -rps, 0.4)
    for p in (np.full(3, 1 / 3), np.array([0.6, 0.3, 0.1])):
        rules = identifying_rules(p, np.full(3, 1 / 3))
        now, said = utilities(game, rules), bimatrix_gains(rps, -rps, p, rules[1][0])
        best = [reply_by_cones(game, rules, i, prune=True).value for i in (0, 1)]
        assert best - now == pytest.approx(0.4 * said, abs=1e-8)


def test_a_threat_keeps_up_what_is_no_equilibrium_of_the_bimatrix_game():
    game = hidden_bimatrix(DILEMMA, DILEMMA.T)
    rules = threat(2, 2)
    assert utilities(game, rules) == pytest.approx([4, 4])
    assert np.abs(gains(game, rules)).max() < 1e-7
    first = np.array([1.0, 0.0])
    assert bimatrix_gains(DILEMMA, DILEMMA.T, first, first).min() > 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g, r: reply_by_cones(g, r, 2), "sender = 2"),
        (lambda g, r: reply_by_cones(g, r, 0, max_cones=2), "expected at most max_co"),
        (lambda g, r: reply_by_integers(g, r, 0, n_signals=0), "n_signals = 0"),
        (lambda g, r: reply_by_integers(g, r, 0, radius=0.0), "radius = 0.0"),
        (
            lambda g, r: reply_by_integers(g, r, 0, 2, 0.5),
            "n_signals = 2, radius",
        ),
        (lambda g, r: gains(g, r[:1]), "rules: 1 of them"),
        (
            lambda g, r: public_persuasion(np.full(1, 1.0), np.ones((15, 1))),
            "15 receivers, expected at most 14",
        ),
        (
            lambda g, r: public_persuasion(np.full(2, 0.5), np.ones((2, 3))),
            r"gains: shape \(2, 3\)",
        ),
        (
            lambda g, r: hidden_public(np.full(2, 0.5), np.ones((2, 2)), 0.5),
            "epsilon = 0.5",
        ),
        (lambda g, r: graph_instance(nx.empty_graph(0)), "one vertex or more"),
        (lambda g, r: hidden_bimatrix(np.eye(2), np.eye(2), 1.0), "mass = 1.0"),
        (lambda g, r: hidden_bimatrix(np.eye(2), np.eye(2), stake=0.0), "stake = 0.0"),
        (
            lambda g, r: hidden_bimatrix(np.eye(2), np.eye(2), 0.9, blank=0.02),
            "blank = 0.02: expected less than 0.0138889",
        ),
        (
            lambda g, r: hidden_bimatrix(np.eye(2), -20 * np.eye(2)),
            "penalty = 10.0: expected more than the largest loss, 20",
        ),
        (lambda g, r: threat(1, 2), "k1 = 1: expected an integer, 2 or more"),
        (lambda g, r: reply_by_cones(g, r, -1), "sender = -1: .* integer, 0 to 1"),
        (lambda g, r: reply_by_cones(g, r, 0, 0), "max_cones = 0"),
        (lambda g, r: reply_by_integers(g, r, 0, 1.5), "n_signals = 1.5: expected"),
        (lambda g, r: reply_by_integers(g, r, 0, radius=np.nan), "radius = nan"),
        (
            lambda g, r: reply_by_integers(g, r, 0, time_limit=0.0),
            "time_limit = 0.0: expected a number above 0",
        ),
        (
            lambda g, r: reply_by_integers(g, r, 0, margin=np.inf),
            "margin = inf: expected a number, 0 or more and finite",
        ),
        (
            lambda g, r: reply_by_integers(g, r, 0, 9000),
            "9000 signals, 3 joint .*: 81,000 binaries, expected at most 20,000",
        ),
        (lambda g, r: polish(g, r, n_rounds=0), "n_rounds = 0: expected an integer"),
        (lambda g, r: replies_in_turn(g, r, 0), "n_rounds = 0: expected an integer"),
        (
            lambda g, r: public_persuasion(np.full(2, 0.5), np.ones((0, 2))),
            r"gains: shape \(0, 2\), expected \(n_receivers, n_states\), none of 0",
        ),
        (
            lambda g, r: hidden_public(np.full(2, 0.5), np.ones((0, 2))),
            r"gains: shape \(0, 2\)",
        ),
        (
            lambda g, r: hidden_bimatrix(np.nan * EYE, EYE),
            "rows: expected finite numbers",
        ),
        (
            lambda g, r: hidden_bimatrix(EYE, np.full((2, 2), -np.inf)),
            "columns: expected finite",
        ),
        (
            lambda g, r: identifying_rules([0.5, 0.6], HALF),
            r"p = \[0.5, 0.6\]: expected numbers of 0 or more that add up to 1",
        ),
        (lambda g, r: bimatrix_gains(EYE, EYE, HALF, [2, -1]), r"q = \[2.0, -1.0\]"),
        (
            lambda g, r: bimatrix_gains(EYE, EYE, HALF, [1, 0, 0]),
            r"p, q: 2, 3 numbers, expected \(2, 2\)",
        ),
    ],
)
def test_bad_replies_and_gadgets_are_named(call, message, monkeypatch):
    # a reader has no check of types before ours
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    game = match_game(2, 3, 3, 0)
    with pytest.raises(ValueError, match=message):
        call(game, drawn(game, 3, 0))


def test_the_others_may_not_have_too_many_joint_signals():
    game, n = match_game(15, 2, 2, 0), 15
    with pytest.raises(ValueError, match="16,384 joint signals of the others, exp"):
        reply_by_cones(game, drawn(game, 2, 0), n - 1)


def test_a_margin_that_nothing_keeps_is_named():
    game = match_game(2, 3, 3, 0)
    for rules in (drawn(game, 3, 0), [np.ones((3, 1))] * 2):
        with pytest.raises(SolverError, match=r"margin = 9.0: no rule in the box"):
            reply_by_integers(game, rules, 0, margin=9.0)
        assert np.array_equal(polish(game, rules, margin=9.0), rules)


def test_running_out_of_time_is_not_taken_for_no_move(monkeypatch):
    game = match_game(2, 3, 3, 0)
    with pytest.raises(SolverError, match="Time limit"):
        reply_by_integers(game, drawn(game, 3, 0), 0, time_limit=1e-9)

    def late(*args: object, **options: object) -> None:
        reply_by_integers(*args, **options, time_limit=1e-9)

    monkeypatch.setattr("econlib.persuasion.polishing.reply_by_integers", late)
    for call in (polish, replies_in_turn):
        with pytest.raises(SolverError, match="Time limit"):
            call(game, drawn(game, 3, 0))
