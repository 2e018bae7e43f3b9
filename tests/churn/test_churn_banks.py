"""Banks: what is drawn, what is shared, sign rule, updates, scikit-learn's checks."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import estimator_checks_generator

from econlib.churn.banks import ModelBank, log_loss, mean_field
from econlib.churn.estimators import EnsembleClassifier, estimator_update, measure
from econlib.churn.measures import expected_churn
from econlib.churn.networks import BankConfig
from econlib.churn.tables import NAMES, Split, encode, load, split
from econlib.churn.updates import (
    ScoredBank,
    check_rows,
    ensemble_labels,
    rashomon_filter,
    standardised,
    train_updates,
    update_rows,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 4))
Y = ((X[:, 0] + 0.5 * RNG.standard_normal(300)) > 0).astype(int)
SMALL = BankConfig(hidden=8, epochs=3, batch=32, lr=1e-2)


def small(**changes) -> BankConfig:
    return BankConfig(**{"hidden": 8, "epochs": 3, "batch": 32, "rff": 16, **changes})


def test_one_model_of_a_bank_is_that_model_trained_alone():
    import torch

    bank = ModelBank(1, SMALL, seed=3).fit(X, Y)
    rng = torch.Generator().manual_seed(3)
    layers = []
    for a, b in ((4, 8), (8, 8), (8, 1)):
        w = (2 * torch.rand(1, a, b, generator=rng) - 1) * a**-0.5
        c = (2 * torch.rand(1, 1, b, generator=rng) - 1) * a**-0.5
        layers += [w[0].requires_grad_(), c[0].requires_grad_()]
    data = torch.tensor(X, dtype=torch.float32)
    target = torch.tensor(Y, dtype=torch.float32)
    optimiser = torch.optim.Adam(layers, lr=1e-2)

    def score(x):
        h = torch.relu(x @ layers[0] + layers[1])
        return (torch.relu(h @ layers[2] + layers[3]) @ layers[4] + layers[5])[:, 0]

    for _ in range(3):
        order = torch.rand(1, 300, generator=rng).argsort(1)[0]
        for first in range(0, 300, 32):
            rows = order[first : first + 32]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                score(data[rows]), target[rows]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    alone = score(data).detach().numpy()
    assert bank.logits(X)[0] == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize("kind", ["dnn", "sngp"])
@pytest.mark.parametrize("source", ["both", "init", "order"])
def test_models_differ_by_what_they_draw(kind, source):
    bank = ModelBank(3, small(kind=kind, source=source), seed=1).fit(X, Y)
    logits = bank.logits(X)
    assert logits.shape == (3, 300)
    assert np.abs(logits[0] - logits[1]).max() > 1e-4
    again = ModelBank(3, small(kind=kind, source=source), seed=1).fit(X, Y).logits(X)
    assert np.array_equal(logits, again)


def test_one_batch_and_one_start_leave_nothing_to_differ():
    config = small(source="order", batch=300)
    logits = ModelBank(3, config, seed=1).fit(X, Y).logits(X)
    assert np.abs(logits - logits[0]).max() < 1e-4


def test_the_variance_never_changes_a_label_at_one_half():
    bank = ModelBank(3, small(kind="sngp", epochs=5), seed=0).fit(X, Y)
    logits, variance = bank.logits(X), bank.variance(X)
    assert (variance > 0).all()
    assert np.array_equal(mean_field(logits, variance) > 0.5, logits > 0)
    assert (np.abs(mean_field(logits, variance) - 0.5) < 0.5).all()
    far = bank.variance(100 * X)
    assert far.shape == variance.shape
    with pytest.raises(ValueError, match="only sngp"):
        ModelBank(1, SMALL).fit(X, Y).variance(X)


def test_laplace_variance_is_that_of_a_dense_inverse():
    bank = ModelBank(2, small(kind="sngp"), seed=0).fit(X, Y)
    import torch

    data = torch.tensor(X, dtype=torch.float32)
    Φ = bank._features(data).detach().numpy().astype(float)
    p = 1 / (1 + np.exp(-bank.logits(X)))
    for k in range(2):
        H = np.eye(16) + (Φ[k] * (p[k] * (1 - p[k]))[:, None]).T @ Φ[k]
        v = np.einsum("nd,de,ne->n", Φ[k], np.linalg.inv(H), Φ[k])
        assert bank.variance(X)[k] == pytest.approx(v, rel=1e-2)


def test_distillation_and_anchors_pull_towards_the_deployed_models():
    old = ModelBank(4, SMALL, seed=5).fit(X[:150], Y[:150])
    teacher = 1 / (1 + np.exp(-old.logits(X)))
    config = small(lr=1e-2, epochs=20)

    def distance(**ways) -> float:
        new = ModelBank(4, config, seed=6).fit(X, Y, **ways)
        return float(np.abs(new.logits(X) - old.logits(X)).mean())

    plain = distance()
    assert distance(teacher=teacher, distil=1.0) < plain
    assert distance(start=old, anchor=10.0) < 0.2 * plain
    assert distance(start=old, anchor=10.0) < distance(start=old, anchor=0.1)


def test_updates_have_the_sizes_that_they_say():
    rng = np.random.default_rng(0)
    a, b = update_rows("grow", 100, 0.8, rng)
    assert (len(a), len(b)) == (80, 100)
    assert set(a) <= set(b)
    a, b = update_rows("drop", 100, 0.8, rng)
    assert (len(a), len(b)) == (100, 80)
    a, b = update_rows("redraw", 101, 0.8, rng)
    assert (len(a), len(b)) == (50, 50)
    assert not set(a) & set(b)
    a, b = update_rows("replace", 120, 0.8, rng)
    assert (len(a), len(b), len(set(a) & set(b))) == (100, 100, 80)
    a, b = update_rows("seed", 10, 0.8, rng)
    assert set(a) == set(b) == set(range(10))


CUT = Split(X[:200], Y[:200], X[200:], Y[200:], np.arange(200, 300), list("abcd"))


def test_an_update_measures_what_its_labels_say():
    found = train_updates(CUT, SMALL, rs=(0.5, 0.8), m=4, twice=True, seed=2)
    assert set(found) == {(0.5, 3), (0.8, 3)}
    before, after = found[0.8, 3]
    assert (len(before.logits), len(after.logits)) == (8, 4)
    assert found[0.5, 3][1] is after  # rows after growth are the same for every size
    update = measure(before.labels, after.labels, CUT.y_test)
    a, b = update.labels_a, update.labels_b
    assert abs(update.parts.residual) < 1e-12
    assert update.parts.total == pytest.approx(update.flips.mean())
    assert update.parts.total == pytest.approx(expected_churn(a, b).total)
    assert update.deployed == pytest.approx((a[0] != b[0]).mean())
    assert update.ambiguity == pytest.approx((a != a[0]).any(axis=0).mean())


def test_a_bank_read_on_the_way_is_one_that_was_trained_that_long():
    short = train_updates(CUT, small(epochs=2), m=3, seed=4)[0.8, 2][0]
    long = train_updates(CUT, small(epochs=5), m=3, epochs=[2, 5], seed=4)[0.8, 2][0]
    assert np.array_equal(short.logits, long.logits)
    assert np.array_equal(short.losses, long.losses)


def test_early_stopping_keeps_each_models_best_epoch():
    config = small(epochs=8, lr=3e-2)
    seen = []
    held = (X[200:], Y[200:])

    def note(epoch, bank):
        seen.append(log_loss(bank.logits(held[0]), held[1]))

    bank = ModelBank(3, config, seed=0).fit(X[:200], Y[:200], valid=held, on_epoch=note)
    best = np.array(seen)
    assert len(set(best.argmin(axis=0))) > 1  # not the same epoch for all
    assert log_loss(bank.logits(held[0]), held[1]) == pytest.approx(best.min(axis=0))


def test_models_with_their_own_rows_see_no_other():
    rows = np.stack([np.arange(100), np.arange(100, 200)])
    config = small(epochs=2, batch=100, source="init")
    both = ModelBank(2, config, seed=1).fit(X, Y, rows=rows).logits(X)
    spoilt = X.copy()
    spoilt[100:] += 5
    other = ModelBank(2, config, seed=1).fit(spoilt, Y, rows=rows).logits(X)
    assert np.array_equal(both[0], other[0])
    assert np.abs(both[1] - other[1]).max() > 1e-3


def test_halves_share_no_run_and_are_filtered_together():
    before, _ = train_updates(CUT, SMALL, m=6, twice=True, seed=2)[0.8, 3]
    some, other = before.halves(0.05)
    kept = before.within(0.05)
    assert np.array_equal(np.concatenate([some.losses, other.losses]), kept.losses)
    assert kept.losses.max() <= before.losses.min() + 0.05
    some, other = before.halves(0.0)  # the best two of each, whatever eps says
    assert np.array_equal(np.sort(some.losses), np.sort(before.losses[:6])[:2])
    assert np.array_equal(np.sort(other.losses), np.sort(before.losses[6:])[:2])
    with pytest.raises(ValueError, match="3 models"):
        ScoredBank(before.logits[:3], before.losses[:3]).halves()


def test_standardised_columns_have_unit_variance():
    wide = Split(3 * X[:200], Y[:200], 3 * X[200:], Y[200:], CUT.rows_test, ["a"] * 4)
    found = standardised(wide)
    assert found.X_train.std(axis=0) == pytest.approx(1)
    assert found.X_train.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert np.abs(found.X_test).max() <= 10


def test_filters_and_ensembles_by_hand():
    assert rashomon_filter(np.array([0.3, 0.31, 0.4]), 0.02).tolist() == [1, 1, 0]
    logits = np.array([[5.0, -1], [-0.5, -1], [-0.5, 3], [9, 9]])
    assert ensemble_labels(logits, 3).tolist() == [[1, 0]]
    assert ensemble_labels(logits, 3, vote=True).tolist() == [[0, 0]]
    assert ensemble_labels(logits, 1).tolist() == (logits > 0).astype(int).tolist()


def test_encoding_is_standardised_and_blind_to_the_test_rows():
    table = load("hmda").drop(columns="label")
    some = encode(table.iloc[:500])
    numbers = [c for c in some if some[c].nunique() > 2]
    assert some[numbers].mean().abs().max() < 0.2
    assert some.to_numpy().max() <= 10
    assert list(encode(table.iloc[500:], table.iloc[:500])) == list(some)
    holes = table.copy()
    holes.loc[0, "pirat"] = np.nan
    with pytest.raises(ValueError, match="missing values in pirat"):
        encode(holes)


@pytest.mark.parametrize("name", NAMES)
def test_splits_share_no_row_and_have_no_constant_column(name):
    found = split(name, 1, cap=1000)
    assert found.X_train.shape == (1000, len(found.features))
    assert np.ptp(found.X_train, axis=0).min() > 0
    check_rows(found.X_train, found.y_train, found.X_test, found.y_test)


def test_a_test_set_cut_from_the_training_rows_is_detected():
    check_rows(X[:200], Y[:200], X[200:], Y[200:])
    with pytest.raises(ValueError, match="rows are training rows too"):
        check_rows(X, Y, X[:50], Y[:50])


def test_any_estimator_can_be_measured():
    before, after, test = (X[:120], Y[:120]), (X[:200], Y[:200]), (X[200:], Y[200:])
    convex = make_pipeline(StandardScaler(), LogisticRegression())
    found = estimator_update(convex, before, after, test, m=3)
    assert found.parts.multiplicity_a == found.parts.multiplicity_b == 0
    assert found.parts.total == pytest.approx(found.parts.shift)
    trees = DecisionTreeClassifier(max_features=1, max_depth=3)
    found = estimator_update(trees, before, after, test, m=5)
    assert found.parts.multiplicity_a > 0
    with pytest.raises(ValueError, match="m = 1"):
        estimator_update(trees, before, after, test, m=1)


ENSEMBLE = EnsembleClassifier(k=2, epochs=30, random_state=0)


@pytest.mark.parametrize(
    "check",
    [
        check
        for _, check in estimator_checks_generator(ENSEMBLE)
        if "array_api" not in str(check)  # needs a switch of the environment
    ],
    ids=lambda check: check.func.__name__,
)
def test_the_ensemble_passes_the_checks_of_scikit_learn(check):
    assert check(clone(ENSEMBLE)) is None  # a check that fails raises


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ModelBank(0), "m = 0"),
        (lambda: BankConfig(kind="cnn"), "kind = 'cnn'"),
        (lambda: BankConfig(epochs=0), "epochs = 0"),
        (lambda: BankConfig(sn_bound=0.0), "sn_bound = 0"),
        (lambda: ModelBank(2).logits(X), "not been fitted"),
        (lambda: ModelBank(2).fit(X, Y + 1), "labels 0 and 1"),
        (lambda: ModelBank(2).fit(X, np.ones(300, dtype=int)), "only one label"),
        (lambda: ModelBank(2).fit(np.ones((9, 2)), Y[:9]), "constant"),
        (lambda: ModelBank(2).fit(np.full((9, 2), np.nan), Y[:9]), "missing"),
        (lambda: ModelBank(2).fit(X, Y, distil=0.5), "distil = 0.5"),
        (lambda: ModelBank(2).fit(X, Y, rows=np.full((2, 9), 300)), "rows"),
        (lambda: ModelBank(2).fit(X, Y, start=ModelBank(2)), "start"),
        (lambda: BankConfig(lr=-1.0), "lr = -1"),
        (lambda: check_rows(X[:9], Y[:9] + 1, X, Y), "labels 0 and 1"),
        (lambda: check_rows(X[:9] * 0, Y[:9], X, Y), "constant features"),
        (lambda: check_rows(X * np.nan, Y, X, Y), "missing"),
        (lambda: train_updates(CUT, SMALL, m=1), "m = 1"),
        (lambda: train_updates(CUT, SMALL, epochs=[4]), "epochs"),
        (lambda: train_updates(CUT, SMALL, valid=1.0), "valid = 1"),
        (lambda: ModelBank(2).fit(X, Y, anchor=1.0), "anchor = 1"),
        (lambda: update_rows("x", 9, 0.5, RNG), "update = 'x'"),
        (lambda: update_rows("grow", 9, 1.5, RNG), "r = 1.5"),
        (lambda: rashomon_filter(np.zeros(2), -1.0), "eps = -1"),
        (lambda: ensemble_labels(np.zeros((4, 2)), 2, vote=True), "k = 2"),
        (lambda: split("hmda", cap=5), "cap"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
