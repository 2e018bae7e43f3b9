"""Utilities, one sender, codes, partitions: known values, second routes, errors."""

from __future__ import annotations

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.persuasion.examples import (
    is_degenerate,
    match_game,
    prosecutors,
    surface_game,
    uniform_game,
)
from econlib.persuasion.games import (
    PersuasionGame,
    full_revelation,
    joint_masses,
    random_rules,
    receiver_actions,
    utilities,
    utilities_batch,
)
from econlib.persuasion.one_sender import (
    ceilings,
    concavification,
    one_sender,
    welfare_bound,
)
from econlib.persuasion.partitions import partition_equilibria, set_partitions
from econlib.persuasion.revelation import (
    check_digit_code,
    digit_split,
    rules_of_code,
)

HALF, EYE, V = np.full(2, 0.5), np.eye(2), np.ones((1, 2, 2))

sizes = st.tuples(st.integers(2, 3), st.integers(2, 4), st.integers(2, 4))


def by_hand(game: PersuasionGame, rules: list) -> np.ndarray:
    """Signal by signal, state by state."""
    total = np.zeros(game.n_senders)
    for s in np.ndindex(*[rule.shape[1] for rule in rules]):
        x = game.prior.copy()
        for rule, signal in zip(rules, s, strict=True):
            x = x * rule[:, signal]
        action = int(np.argmax(x @ game.receiver))
        total += game.senders[:, :, action] @ x
    return total


@settings(max_examples=40, deadline=None)
@given(sizes, st.integers(1, 3), st.integers(0, 10**6))
def test_utilities_are_the_sum_over_joint_signals(size, k, seed):
    game = uniform_game(*size, seed)
    rules = random_rules(game, k, np.random.default_rng(seed))
    assert utilities(game, rules) == pytest.approx(by_hand(game, rules), abs=1e-12)
    masses = joint_masses(game.prior, rules)
    assert masses.sum(axis=0) == pytest.approx(game.prior)


def test_senders_may_have_different_numbers_of_signals():
    game = match_game(3, 3, 3, 0)
    rng = np.random.default_rng(0)
    rules = [rng.dirichlet(np.ones(k), size=3) for k in (1, 2, 4)]
    assert utilities(game, rules) == pytest.approx(by_hand(game, rules), abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_batched_utilities_are_the_same(dtype):
    game = match_game(3, 3, 3, 0)
    rng = np.random.default_rng(1)
    drawn = [random_rules(game, 3, rng) for _ in range(100)]
    ours = utilities_batch(game, torch.tensor(np.array(drawn), dtype=dtype))
    theirs = np.array([utilities(game, rules) for rules in drawn])
    assert ours.dtype == dtype
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    assert np.abs(ours.numpy() - theirs).max() < tolerance


def test_the_gradient_is_that_of_the_piece():
    game = match_game(2, 3, 3, 1)
    rules = np.array(random_rules(game, 3, np.random.default_rng(2)))
    point = torch.tensor(rules[None], requires_grad=True)
    utilities_batch(game, point)[0, 1].backward()
    step = 1e-6
    for index in ((0, 0, 0), (1, 2, 1), (0, 1, 2)):
        moved = rules.copy()
        moved[index] += step
        masses = joint_masses(game.prior, list(rules))
        action = receiver_actions(game, masses)
        after = joint_masses(game.prior, list(moved))
        slope = ((after - masses) * game.senders[1][:, action].T).sum() / step
        assert point.grad[(0, *index)].item() == pytest.approx(slope, abs=1e-6)


def test_utilities_are_multilinear_inside_a_piece_and_jump_between_pieces():
    game = surface_game()

    def u(x: float, y: float) -> float:
        return utilities(game, [np.array([[p, 1 - p], [0.5, 0.5]]) for p in (x, y)])[0]

    h = 1e-3
    for x, y in ((0.5, 0.5), (0.93, 0.71), (0.12, 0.77)):
        assert u(x + h, y) - 2 * u(x, y) + u(x - h, y) == pytest.approx(0, abs=1e-12)
        mixed = [
            u(x + a, y + b) - u(x + a, y - b) - u(x - a, y + b) + u(x - a, y - b)
            for a, b in ((h, h), (h / 2, h / 2))
        ]
        assert mixed[0] == pytest.approx(4 * mixed[1], abs=1e-12)
    line = np.array([u(x, 0.5) for x in np.linspace(0, 1, 20_001)])
    assert np.abs(np.diff(line)).max() > 0.3


@pytest.mark.parametrize(
    ("other", "points"),
    [
        (
            (0.5, 0.5),
            {
                (0.5, 0.5): 3.75,
                (0.6, 0.6): 3.75,
                (0.7, 0.3): 2.675,
                (0.9, 0.9): 1.97,
                (0.1, 0.5): 3.525,
                (0.0, 1.0): 1.875,
                (0.2, 0.8): 2.5,
            },
        ),
        (
            (0.2, 0.8),
            {
                (0.2, 0.8): 3.75,
                (0.5, 0.5): 2.935,
                (0.6, 0.6): 2.3,
                (0.7, 0.3): 2.735,
                (0.1, 0.5): 2.865,
                (0.0, 1.0): 3.66,
            },
        ),
    ],
)
def test_the_surface_at_known_points(other, points):
    for (x, y), value in points.items():
        rules = [
            np.array([[p, 1 - p], [c, 1 - c]])
            for p, c in zip((x, y), other, strict=True)
        ]
        assert utilities(surface_game(), rules)[0] == pytest.approx(value, abs=5e-4)


# (kind of game, sizes, seed): full revelation, each sender alone, bound on welfare
KNOWN = {
    (uniform_game, (2, 3, 3), 0): ((0.80388, 0.49477), (0.80530, 0.62722), 1.36042),
    (uniform_game, (2, 3, 3), 1): ((0.29910, 0.30523), (0.36681, 0.39856), 0.72382),
    (uniform_game, (2, 3, 3), 2): ((0.47028, 0.64953), (0.54232, 0.67865), 1.21739),
    (uniform_game, (2, 4, 4), 0): ((0.28438, 0.54653), (0.32640, 0.56393), 0.89032),
    (uniform_game, (3, 3, 3), 0): (
        (0.80388, 0.49477, 0.37057),
        (0.80530, 0.62722, 0.47560),
        1.68812,
    ),
    (match_game, (2, 2, 2), 0): ((0.24288, 0.47833), (0.58065, 0.70847), 1.28912),
    (match_game, (2, 3, 3), 0): ((0.39470, 0.52745), (0.63105, 0.78016), 1.14283),
    (match_game, (2, 3, 3), 1): ((0.60011, 0.58619), (0.74882, 0.83278), 1.58160),
    (match_game, (2, 3, 3), 2): ((0.61592, 0.46358), (0.71574, 0.64743), 1.36317),
    (match_game, (2, 4, 4), 0): ((0.51941, 0.54274), (0.79150, 0.72383), 1.36963),
    (match_game, (2, 5, 5), 0): ((0.24558, 0.53069), (0.67001, 0.75417), 1.30896),
}


@pytest.mark.parametrize("key", KNOWN, ids=lambda k: f"{k[0].__name__}-{k[1]}-{k[2]}")
def test_floor_ceiling_and_welfare_bound(key):
    make, size, seed = key
    game, (floor, ceiling, welfare) = make(*size, seed), KNOWN[key]
    assert full_revelation(game) == pytest.approx(floor, abs=1e-5)
    assert ceilings(game) == pytest.approx(ceiling, abs=1e-5)
    assert welfare_bound(game) == pytest.approx(welfare, abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(sizes, st.integers(1, 4), st.integers(0, 10**6))
def test_no_profile_is_above_the_ceilings(size, k, seed):
    game = match_game(*size, seed)
    u = utilities(game, random_rules(game, k, np.random.default_rng(seed)))
    assert (u <= ceilings(game) + 1e-9).all()
    assert u.sum() <= welfare_bound(game) + 1e-9


@pytest.mark.parametrize(
    ("guilt", "threshold", "value"),
    [(0.3, 0.5, 0.6), (0.3, 0.7, 0.428571), (0.2, 0.5, 0.4), (0.1, 0.25, 0.4)],
)
def test_one_prosecutor_convicts_as_often_as_bayes_lets_him(guilt, threshold, value):
    game = prosecutors("aligned", guilt, threshold)
    found = one_sender(game.prior, game.receiver, game.senders[0])
    assert found.value == pytest.approx(value, abs=1e-6)
    assert found.value == pytest.approx(min(1, guilt / threshold))
    assert found.masses.sum(axis=0) == pytest.approx(game.prior)
    assert found.gap < 1e-9
    _, envelope = concavification(game.receiver, game.senders[0], np.array([guilt]))
    assert envelope[0] == pytest.approx(value, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5), st.integers(0, 10**6), st.floats(0.02, 0.98))
def test_envelope_and_program_agree(n_actions, seed, p):
    game = uniform_game(1, 2, n_actions, seed)
    value, envelope = concavification(
        game.receiver, game.senders[0], np.array([p, 0.0, 1.0])
    )
    prior = np.array([1 - p, p])
    found = one_sender(prior, game.receiver, game.senders[0])
    assert envelope[0] == pytest.approx(found.value, abs=1e-8)
    assert (envelope >= value - 1e-9).all()
    assert envelope[1:] == pytest.approx(value[1:], abs=1e-9)


def test_independent_signals_dilute():
    game = prosecutors()
    best = np.array([[3 / 7, 4 / 7], [1.0, 0.0]])
    silent = np.ones((2, 1))
    assert utilities(game, [best, silent]) == pytest.approx([0.6, 0.6])
    assert utilities(game, [best, best])[0] == pytest.approx(0.428571, abs=1e-6)
    assert full_revelation(game) == pytest.approx([0.3, 0.3])


def test_partition_equilibria_of_known_games():
    expected = {
        0: ({((0,), (1, 2))}, (0.4004, 0.5895)),
        1: ({((0,), (1, 2))}, (0.7488, 0.8328)),
        2: ({((0, 2), (1,))}, (0.6295, 0.5052)),
        3: ({((0, 1), (2,))}, (0.7624, 0.8149)),
        4: (set(), None),
        5: (set(), None),
    }
    for seed, (cells, value) in expected.items():
        finest, *coarser = partition_equilibria(match_game(2, 3, 3, seed))
        assert finest.cells == ((0,), (1,), (2,))
        assert {e.cells for e in coarser} == cells
        if value is not None:
            assert coarser[0].utilities == pytest.approx(value, abs=5e-5)
    five = partition_equilibria(match_game(2, 4, 4, 3))
    best = max(five, key=lambda e: e.utilities.sum())
    assert len(five) == 6 and best.cells == ((0, 2), (1, 3))
    assert best.utilities == pytest.approx([0.7924, 0.7767], abs=5e-5)


@pytest.mark.parametrize(("size", "share"), [((2, 3, 3), 0.3), ((3, 4, 4), 4 / 15)])
def test_share_of_games_with_a_coarse_equilibrium(size, share):
    more = [len(partition_equilibria(match_game(*size, s))) > 1 for s in range(60)]
    assert np.mean(more) == pytest.approx(share, abs=1e-4)


def test_a_partition_pays_what_its_rule_pays():
    game = match_game(2, 4, 4, 0)
    for found in partition_equilibria(game):
        u = utilities(game, [found.rule(), found.rule()])
        assert u == pytest.approx(found.utilities, abs=1e-12)


def test_partitions_are_counted_by_bell():
    counts = [sum(1 for _ in set_partitions(n)) for n in range(1, 8)]
    assert counts == [1, 2, 5, 15, 52, 203, 877]


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 4), st.integers(2, 4), st.data())
def test_any_all_but_one_letters_name_the_state(n, k, data):
    m = data.draw(st.integers(1, min(k ** (n - 1), 64)))
    words = check_digit_code(n, k, m)
    assert words.shape == (m, n) and words.min() >= 0 and words.max() < k
    for left_out in range(n):
        rest = np.delete(words, left_out, axis=1)
        assert len(np.unique(rest, axis=0)) == m
    assert len(np.unique(digit_split(n, k, m), axis=0)) == m


def test_degenerate_games_are_told():
    assert [is_degenerate(uniform_game(2, 2, 3, s), 2) for s in range(4)].count(
        True
    ) == 2
    assert not is_degenerate(match_game(2, 3, 3, 0), 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: match_game(0, 2, 2, 0), "n_senders = 0"),
        (lambda: uniform_game(2, 1, 2, 0), "n_states = 1"),
        (lambda: uniform_game(2, 2, 21, 0), "n_actions = 21"),
        (lambda: prosecutors("neutral"), "kind = 'neutral'"),
        (lambda: prosecutors(guilt=1.0), "guilt = 1.0"),
        (lambda: check_digit_code(2, 2, 4), "n_states = 4: expected at most"),
        (lambda: check_digit_code(1, 2, 2), "n_senders = 1: expected an integer, 2"),
        (
            lambda: rules_of_code(digit_split(2, 3, 9), 2),
            "n_signals = 2: expected at least 3",
        ),
        (lambda: digit_split(2, 2, 5), "n_states = 5: expected at most"),
        (
            lambda: random_rules(match_game(2, 2, 2, 0), 0, np.random.default_rng()),
            "n_signals = 0",
        ),
        (
            lambda: PersuasionGame(np.array([0.5, 0.4]), np.eye(2), np.ones((1, 2, 2))),
            "not to 0.9",
        ),
        (
            lambda: PersuasionGame(np.array([1.0, 0.0]), np.eye(2), np.ones((1, 2, 2))),
            "expected two or more positive",
        ),
        (
            lambda: PersuasionGame(np.full(2, 0.5), np.eye(2), np.ones((1, 3, 2))),
            r"senders: shape \(1, 3, 2\)",
        ),
        (
            lambda: utilities(match_game(2, 2, 2, 0), [np.eye(2)]),
            "rules: 1 of them, expected one for each of the 2",
        ),
        (
            lambda: utilities(match_game(2, 2, 2, 0), [np.eye(2), np.eye(3)]),
            r"rules\[1\]: shape \(3, 3\)",
        ),
        (
            lambda: utilities(match_game(2, 2, 2, 0), [np.eye(2), 2 * np.eye(2)]),
            r"rules\[1\]: expected rows that are distributions",
        ),
        (lambda: partition_equilibria(match_game(1, 3, 3, 0)), "n_senders = 1"),
        (
            lambda: partition_equilibria(match_game(2, 11, 3, 0)),
            "n_states = 11: expected at most 10, or 678,570 partitions",
        ),
        (
            lambda: concavification(np.eye(3), np.eye(3), np.zeros(1)),
            "3 states, expected two",
        ),
        (
            lambda: concavification(np.eye(2), np.eye(2), np.array([1.5])),
            r"expected numbers in \[0, 1\]",
        ),
        (lambda: match_game(2.5, 2, 2, 0), "n_senders = 2.5: expected an integer"),
        (lambda: uniform_game(2, "2", 2, 0), "n_states = '2': expected an integer"),
        (lambda: match_game(2, 2, 2, -1), "seed = -1: expected an integer, 0 or more"),
        (
            lambda: is_degenerate(match_game(2, 2, 2, 0), 2, n_profiles=0),
            "n_profiles = 0: expected an integer, 2 or more",
        ),
        (
            lambda: PersuasionGame(np.full((2, 1), 0.5), EYE, V),
            r"prior: shape \(2, 1\)",
        ),
        (
            lambda: PersuasionGame(np.full((2, 2), 0.25), EYE, V),
            r"prior: shape \(2, 2\)",
        ),
        (
            lambda: PersuasionGame(1.0, EYE, V),
            r"prior: shape \(\), expected \(n_states,\)",
        ),
        (lambda: PersuasionGame(HALF, np.ones(2), V), r"receiver: shape \(2,\)"),
        (lambda: PersuasionGame(HALF, np.nan * EYE, V), "receiver: expected finite"),
        (lambda: PersuasionGame(HALF, EYE, np.inf * V), "senders: expected finite"),
        (lambda: PersuasionGame(HALF, EYE, "ab"), "senders: expected numbers, shape"),
        (lambda: PersuasionGame(HALF, [[1, 0], [1]], V), "receiver: rows differ"),
        (lambda: PersuasionGame(HALF, EYE, V[:, :, :0]), "senders: shape .* none of 0"),
        (
            lambda: utilities(prosecutors(), [EYE, np.nan * EYE]),
            r"rules\[1\]: expected rows that are distributions",
        ),
        (
            lambda: utilities(prosecutors(), [EYE, EYE], -1),
            "favour = -1: expected an inte",
        ),
        (
            lambda: utilities(prosecutors(), [EYE, EYE], 2),
            "favour = 2: .* integer, 0 to 1",
        ),
        (
            lambda: utilities(match_game(20, 2, 2, 0), [EYE] * 20),
            "1,048,576 joint signals, expected at most 1,000,000",
        ),
        (
            lambda: utilities_batch(match_game(20, 2, 2, 0), torch.ones(1, 20, 2, 2)),
            "1,048,576 joint signals",
        ),
        (
            lambda: utilities_batch(prosecutors(), torch.ones(4, 1, 2, 2)),
            r"rules: shape \(4, 1, 2, 2\), expected \(profiles, 2, 2, signals\)",
        ),
        (
            lambda: utilities_batch(prosecutors(), torch.ones(4, 2, 2, 2).long()),
            "rules: torch.int64, expected a floating-point type",
        ),
        (
            lambda: full_revelation(match_game(2, 3, 3, 0), 2),
            "n_signals = 2: expected 3 or more, one for each state",
        ),
        (
            lambda: full_revelation(prosecutors(), [2, 1]),
            "n_signals = 1: expected 2 or",
        ),
        (lambda: full_revelation(prosecutors(), [2]), "n_signals: 1 of them, expected"),
        (
            lambda: one_sender(-HALF, EYE, EYE),
            r"prior = \[-0.5, -0.5\]: expected 2 numbers",
        ),
        (lambda: one_sender(np.nan * HALF, EYE, EYE), "prior: expected finite numbers"),
        (
            lambda: one_sender(np.full(3, 1 / 3), EYE, EYE),
            "expected 2 numbers, 0 or more",
        ),
        (lambda: one_sender(HALF, EYE, np.eye(3)), r"sender: shape \(3, 3\), expected"),
        (lambda: concavification(EYE, np.nan * EYE, HALF), "sender: expected finite"),
        (
            lambda: concavification(EYE, EYE, np.nan * HALF),
            "posteriors: expected finite",
        ),
        (lambda: check_digit_code(2, 2.5, 2), "n_signals = 2.5: expected an integer"),
        (lambda: digit_split(2, 0, 1), "n_signals = 0: expected an integer, 1 or more"),
        (lambda: digit_split(2, 2, -3), "n_states = -3: expected an integer, 1 or"),
        (
            lambda: rules_of_code(np.zeros((0, 2), int), 2),
            r"words: int64, shape \(0, 2\), expected integers",
        ),
        (lambda: rules_of_code(np.array([[0, -1]]), 2), "words: letter -1, expected"),
        (lambda: set_partitions(-1), "n = -1: expected an integer, 0 or more"),
        (lambda: set_partitions(13), "0 to 12, or 27,644,437 partitions would be"),
        (lambda: set_partitions(1000), "or 49,631,246,523,618,756,274 or more part"),
    ],
)
def test_bad_input_is_named(make, message, monkeypatch):
    # a reader has no check of types before ours
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=message):
        make()


def test_lists_become_arrays(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    game = PersuasionGame([0.5, 0.5], [[1, 0], [0, 1]], [[[1, 1], [1, 1]]])
    assert game.n_actions == 2 and game.receiver.dtype == float
    assert utilities(game, [np.eye(2)]) == pytest.approx([1])


def test_full_revelation_is_the_same_with_enough_signals():
    game = match_game(2, 3, 3, 0)
    for k in (3, 4, (3, 5)):
        assert np.array_equal(full_revelation(game, k), full_revelation(game))


def test_codes_of_many_senders_do_not_overflow():
    words = check_digit_code(70, 2, 4)
    assert words[:, -3:].tolist() == [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]
    assert not words[:, :-3].any()
