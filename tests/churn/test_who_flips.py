"""Instability row by row, ways to reduce churn, groups, and recorded runs."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.churn import groups, instability, record, reduce
from econlib.churn.measures import ambiguity, expected_churn
from econlib.churn.networks import BankConfig
from econlib.churn.tables import NAMES, load, split
from econlib.churn.updates import ScoredBank, standardised

RNG = np.random.default_rng(1)


def bank(m: int, n: int = 40, seed: int = 0, variance: bool = False) -> ScoredBank:
    rng = np.random.default_rng(seed)
    logits = rng.normal(np.linspace(-2, 2, n), 1.0, (m, n))
    v = rng.uniform(0.1, 2, (m, n)) if variance else None
    return ScoredBank(logits, rng.uniform(0.3, 0.4, m), v)


def test_row_measures_average_to_the_measures():
    some, other, after = bank(5, seed=0), bank(4, seed=1), bank(6, seed=2)
    mean = instability.row_measures(some, other, after).mean()
    parts = expected_churn(some.labels, after.labels)
    assert mean["churn"] == pytest.approx(parts.total)
    assert mean["V_a"] == pytest.approx(parts.multiplicity_a)
    assert mean["V_b"] == pytest.approx(parts.multiplicity_b)
    assert mean["shift"] == pytest.approx(parts.shift)
    assert mean["ambiguity"] == pytest.approx(ambiguity(some.labels))
    assert mean["flips"] == pytest.approx(
        expected_churn(other.labels, after.labels).total
    )
    assert mean["seed"] == pytest.approx(
        expected_churn(some.labels, other.labels).total
    )


def test_recall_and_margin_counted_pair_by_pair():
    some, other, after = bank(3, seed=3), bank(4, seed=4), bank(5, seed=5)
    found = instability.overlaps(instability.row_measures(some, other, after).mean())
    mask = (some.labels != some.labels[0]).any(axis=0)
    hits, near, flips = 0, 0, 0
    for h, g in itertools.product(range(4), range(5)):
        c = other.labels[h] != after.labels[g]
        smallest = np.argsort(np.abs(other.logits[h]))[: mask.sum()]
        hits, near, flips = (
            hits + c[mask].sum(),
            near + c[smallest].sum(),
            flips + c.sum(),
        )
    assert found["recall"] == pytest.approx(hits / flips)
    assert found["margin recall"] == pytest.approx(near / flips)
    assert found["lift"] == pytest.approx(hits / flips / mask.mean())
    assert found["gain"] == pytest.approx((hits - near) / flips)


def test_a_model_left_out_is_not_in_its_own_set():
    before, after = bank(4, seed=6), bank(3, seed=7)
    found = instability.left_out_measures(before, after).mean()
    hits, flips, size = 0, 0, 0.0
    for h in range(4):
        others = np.delete(before.labels, h, axis=0)
        mask = (others != others[0]).any(axis=0)
        size += mask.mean() / 4
        for g in range(3):
            c = before.labels[h] != after.labels[g]
            hits, flips = hits + c[mask].sum(), flips + c.sum()
    assert found["ambiguity"] == pytest.approx(size)
    assert found["both"] / found["flips"] == pytest.approx(hits / flips)
    parts = expected_churn(before.labels, after.labels)
    assert found["churn"] == pytest.approx(parts.total) == found["flips"]
    with pytest.raises(ValueError, match="2 models"):
        instability.left_out_measures(bank(2), after)


def test_subsets_are_those_of_enumeration():
    some = bank(5, n=12, seed=8)
    flips = np.random.default_rng(0).uniform(0, 1, 12)
    found = instability.subset_law(some, flips, [1, 2, 3, 5])
    for k in (1, 2, 3, 5):
        masks = [
            (some.labels[list(s)] != some.labels[s[0]]).any(axis=0)
            for s in itertools.combinations(range(5), k)
        ]
        chance = np.mean(masks, axis=0)
        assert found.loc[k, "ambiguity"] == pytest.approx(chance.mean(), abs=1e-12)
        assert found.loc[k, "recall"] == pytest.approx(
            chance @ flips / flips.sum(), abs=1e-12
        )


@settings(deadline=None, max_examples=30)
@given(m=st.integers(2, 40), seed=st.integers(0, 10_000))
def test_ambiguity_rises_ever_more_slowly(m, seed):
    ones = np.random.default_rng(seed).integers(0, m + 1, 20)
    curve = instability.not_unanimous(ones, m, list(range(1, m + 1))).mean(axis=1)
    assert curve[0] == pytest.approx(0, abs=1e-12)
    assert curve[-1] == pytest.approx(((ones > 0) & (ones < m)).mean())
    assert (np.diff(curve) >= -1e-12).all()
    assert (np.diff(curve, 2) <= 1e-12).all()


def test_the_law_of_overlap_is_that_of_independent_runs():
    rng = np.random.default_rng(0)
    p, q = rng.uniform(0, 1, 200), rng.uniform(0, 1, 200)
    flips = p * (1 - q) + q * (1 - p)
    law = instability.law_of_overlap(p, flips, [1, 3])
    assert law[0] == pytest.approx(0, abs=1e-12)
    runs = rng.random((4000, 3, 200)) < p
    mask = runs.any(axis=1) & ~runs.all(axis=1)
    assert law[1] == pytest.approx((mask @ flips).mean() / flips.sum(), rel=0.01)


def test_a_bootstrap_interval_has_the_normal_width_for_a_mean():
    frame = pd.DataFrame({"x": RNG.normal(2, 3, 2000)})
    found = instability.bootstrap([frame, frame], dict, RNG, 2000).loc["x"]
    half = 1.96 * frame["x"].std() / np.sqrt(2000) / np.sqrt(2)
    assert found["value"] == pytest.approx(frame["x"].mean())
    assert (found["high"] - found["low"]) / 2 == pytest.approx(half, rel=0.08)


def test_guesses_at_who_flips_know_the_margin():
    before, after = bank(12, 400, 9, variance=True), bank(12, 400, 10)
    found = instability.flip_auroc(before, after)
    assert set(found) == {
        "margin",
        "multiplicity",
        "mean margin",
        "variance",
        "mean-field",
    }
    assert found["mean margin"] > found["margin"] > 0.6  # the noise is in the margin
    assert abs(found["variance"] - 0.5) < 0.1
    assert instability.flip_auroc(before, before) == {}


@settings(deadline=None, max_examples=40)
@given(m=st.integers(1, 6), seed=st.integers(0, 10_000))
def test_matched_churn_is_multiplicity_plus_shift_less_coupling(m, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 2, (2, m, 15))
    found = reduce.matched_churn(a, b)
    each = [(x != y).mean() for x, y in zip(a, b, strict=True)]
    assert found.total == pytest.approx(np.mean(each))
    assert abs(found.residual) < 1e-12


def test_votes_by_closed_forms():
    middle = (np.arange(40_000) + 0.5) / 40_000
    for k, value in ((1, 1 / 3), (3, 9 / 35), (5, 0.216450), (15, 0.137783)):
        assert reduce.majority_churn(middle, k) == pytest.approx(value, abs=1e-5)
    arcsine = np.sin(np.pi * middle / 2) ** 2  # Beta(1/2, 1/2)
    for k, value in ((1, 0.25), (3, 0.179688), (5, 0.147003), (15, 0.089972)):
        assert reduce.majority_churn(arcsine, k) == pytest.approx(value, abs=1e-5)
    assert reduce.vote_probability(np.array([0.2]), 3) == pytest.approx(
        0.2**3 + 3 * 0.2**2 * 0.8
    )


def test_ensembles_drawn_from_a_bank_follow_the_law():
    p = np.random.default_rng(0).uniform(0, 1, 4000)
    votes = np.where(np.random.default_rng(1).random((60, 4000)) < p, 1.0, -1.0)
    rng = np.random.default_rng(2)
    for k in (1, 3, 5):
        drawn = reduce.vote_churn(votes, votes, k)
        assert drawn == pytest.approx(reduce.majority_churn(p, k), rel=0.05)
    same = np.repeat(votes[:1], 10, axis=0)
    assert reduce.subset_churn(same, same, 5, rng, n_draws=2) == 0


def test_churn_of_votes_is_that_of_all_ensembles():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(7, 30)), rng.normal(size=(5, 30))

    def votes(scores, members):
        return (scores[list(members)] > 0).mean(axis=0) > 0.5

    one = [
        (votes(a, x) != votes(a, y)).mean()
        for x in itertools.combinations(range(7), 3)
        for y in itertools.combinations(sorted(set(range(7)) - set(x)), 3)
    ]
    two = [
        (votes(a, x) != votes(b, y)).mean()
        for x in itertools.combinations(range(7), 3)
        for y in itertools.combinations(range(5), 3)
    ]
    assert reduce.vote_churn(a, a, 3) == pytest.approx(np.mean(one))
    assert reduce.vote_churn(a, b, 3) == pytest.approx(np.mean(two))


def test_every_way_to_train_is_measured_against_what_it_replaces():
    cut = standardised(split("hmda", 0, cap=400, least_count=20))
    config = BankConfig(hidden=8, epochs=6, lr=1e-2)
    ways = reduce.train_methods(cut, config, m=6, k=3, distil=(0.9,), anchors=(1.0,))
    churn = {way: reduce.matched_churn(*pair).total for way, pair in ways.items()}
    assert set(churn) == {
        *("retrain", "same seeds", "warm start", "anchor 1", "distil 0.9"),
        *("mean of 3", "mean of 3, distil 0.9", "vote of 3"),
    }
    assert len(ways["mean of 3"][0]) == 2
    assert churn["anchor 1"] <= churn["warm start"]  # held to the old weights
    assert churn["anchor 1"] < churn["retrain"]


def test_strata_are_of_one_side_and_of_equal_size():
    scores = RNG.normal(0.5, 1, 1000)
    strata = groups.score_strata(scores, 4)
    assert ((strata > 0) == (scores > 0)).all()
    sizes = np.unique(strata[scores > 0], return_counts=True)[1]
    assert sizes.max() - sizes.min() <= 1
    near, far = np.abs(scores[strata == 1]).max(), np.abs(scores[strata == 2]).min()
    assert near <= far


def test_groups_that_differ_by_score_alone_do_not_differ_beyond_it():
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 1, 4000)
    member = np.where(
        rng.random(4000) < np.where(np.abs(scores) < 0.5, 0.7, 0.2), "a", "b"
    )
    strata = groups.score_strata(scores)
    by_score = np.where(np.abs(strata) <= 3, 0.3, 0.0)
    found = groups.group_rates(by_score, member, strata, rng)
    assert found.loc["a", "any, z"] > 5
    assert found["beyond, mean"].to_numpy() == pytest.approx(found["churn"].to_numpy())
    own = np.where(member == "a", 0.2, 0.1)
    assert groups.group_rates(own, member, strata, rng).loc["a", "beyond, z"] > 5
    weighted = (found["people"] * found["churn"]).sum() / 4000
    assert weighted == pytest.approx(by_score.mean())
    assert (found["low"] <= found["churn"]).all()
    assert (found["churn"] <= found["high"]).all()


def test_nulls_are_those_of_many_shuffles():
    rng = np.random.default_rng(6)
    flips, member = (
        rng.random(90) ** 3,
        rng.choice(["a", "b", "c"], 90, p=[0.6, 0.3, 0.1]),
    )
    strata = rng.integers(0, 4, 90)
    strata[0] = 9  # a layer of one person, who always keeps the group
    found = groups.group_rates(flips, member, strata, rng)
    for null, layers in (("any", np.zeros(90, int)), ("beyond", strata)):
        drawn = []
        for _ in range(8000):
            moved = member.copy()
            for layer in np.unique(layers):
                own = layers == layer
                moved[own] = rng.permutation(member[own])
            drawn.append([flips[moved == g].mean() for g in found.index])
        mean, spread = np.mean(drawn, axis=0), np.std(drawn, axis=0)
        expected = found[f"{null}, mean"].to_numpy()
        assert np.abs(mean - expected).max() < 5 * spread.max() / np.sqrt(8000)
        z = (found["churn"].to_numpy() - expected) / spread
        assert found[f"{null}, z"].to_numpy() == pytest.approx(z, rel=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_every_person_has_a_group(name):
    rows = np.arange(0, len(load(name)), 7)
    for what in groups.GROUPS[name]:
        found = groups.groups_of(name, what, rows)
        assert len(found) == len(rows)
        assert 2 <= len(np.unique(found)) <= 3
        assert "nan" not in found


@pytest.mark.parametrize("part", record.PARTS)
def test_a_recorded_run_holds_what_it_says(part):
    kept = record.load(part)
    table, kind, epochs, m, n_splits = record.PARTS[part]
    assert (kept["table"], kept["kind"], kept["epochs"]) == (table, kind, epochs)
    assert kept["m"] == m
    assert len(kept["runs"]) == n_splits * len(record.RS)
    assert {"machine", "versions", "commit", "seconds"} <= set(kept)
    assert kept["command"] == f"python -m econlib.churn.record {part}"
    for one in kept["runs"]:
        assert 2 <= min(one["kept"]) <= max(one["kept"]) <= m
        parts = (one["V_a"] + one["V_b"]) / 2 + one["shift"]
        assert one["churn"] == pytest.approx(parts, rel=1e-3)
        assert one["recall"] == pytest.approx(one["both"] / one["flips"], rel=1e-3)


def test_a_slice_of_a_recorded_run_can_be_made_again():
    few = record.run("hmda_dnn", m=20, rs=(0.8,), n_splits=1)["runs"][0]
    kept = next(
        one
        for one in record.load("hmda_dnn")["runs"]
        if one["split"] == 0 and one["r"] == 0.8
    )
    # the same cut with a fifth of the networks: the same error, and churn to a quarter
    assert few["error"] == pytest.approx(kept["error"], abs=0.01)
    assert few["churn"] == pytest.approx(kept["churn"], rel=0.25)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: instability.not_unanimous(np.array([1]), 3, [4]), "sizes 1 to 3"),
        (lambda: instability.bootstrap([], dict, RNG), "0 frames"),
        (lambda: reduce.vote_probability(np.array([0.5]), 2), "k = 2"),
        (
            lambda: reduce.matched_churn(np.eye(2, dtype=int), np.ones((3, 2), int)),
            "a, b",
        ),
        (lambda: reduce.subset_churn(np.eye(4), np.eye(4), 5, RNG), "k = 5"),
        (lambda: reduce.vote_churn(np.eye(4), np.eye(4), 5), "k = 5"),
        (lambda: reduce.vote_churn(np.eye(4), np.eye(4), 2), "odd"),
        (
            lambda: reduce.train_methods(split("hmda", cap=200), BankConfig(), m=8),
            "m = 8, k = 5",
        ),
        (lambda: groups.groups_of("hmda", "age", np.arange(3)), "what = 'age'"),
        (lambda: groups.groups_of("x", "age", np.arange(3)), "table = 'x'"),
        (lambda: groups.score_strata(np.zeros(3), 0), "n_strata = 0"),
        (
            lambda: groups.group_rates(
                np.zeros(3), np.array(["a"] * 3), np.zeros(3, int), RNG
            ),
            "1 groups",
        ),
        (lambda: record.run("x"), "part = 'x'"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
