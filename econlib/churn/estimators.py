"""scikit-learn's interface: the book's ensembles, and any estimator of the reader's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from econlib.churn.banks import ModelBank
from econlib.churn.measures import (
    ChurnDecomposition,
    ambiguity,
    baseline_churn,
    churn,
    discrepancy,
    expected_churn,
)
from econlib.churn.networks import BankConfig
from econlib.churn.updates import check_rows

__all__ = ["EnsembleClassifier", "Update", "estimator_update", "measure"]


class EnsembleClassifier(ClassifierMixin, BaseEstimator):
    """Mean probability of k networks that differ in what training draws.

    Parameters
    ----------
    k : int
        Networks, 1 or more.
    kind : {"dnn", "sngp"}
    hidden, epochs, batch : int
    lr : float or None
        As in :class:`econlib.churn.networks.BankConfig`.
    random_state : int, RandomState or None
        Of everything that is drawn.

    Attributes
    ----------
    classes_ : ndarray, shape (2,)
    n_features_in_ : int
    bank_ : ModelBank
        The trained networks.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((200, 3))
    >>> model = EnsembleClassifier(k=3, random_state=0).fit(X, X[:, 0] > 0)
    >>> bool(model.score(X, X[:, 0] > 0) > 0.9)
    True
    """

    @no_type_check  # scikit-learn's checks put anything in; fit complains
    def __init__(
        self,
        k: int = 5,
        *,
        kind: str = "dnn",
        hidden: int = 32,
        epochs: int = 50,
        batch: int = 128,
        lr: float | None = 1e-2,
        random_state: object = None,
    ) -> None:
        self.k = k
        self.kind = kind
        self.hidden = hidden
        self.epochs = epochs
        self.batch = batch
        self.lr = lr
        self.random_state = random_state

    def __sklearn_tags__(self) -> object:
        """Binary only."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: object, y: object) -> EnsembleClassifier:
        """Train; labels may be any two values."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) != 2:
            many = len(self.classes_) > 2
            reason = "Only binary classification is supported. " if many else ""
            raise ValueError(
                f"{reason}y has {len(self.classes_)} class"
                f"{'es' if many else ''}: expected two"
            )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.mean_, spread = X.mean(axis=0), X.std(axis=0)
        self.scale_ = np.where(spread > 0, spread, 1.0)
        config = BankConfig(
            kind=self.kind,
            hidden=self.hidden,
            epochs=self.epochs,
            batch=self.batch,
            lr=self.lr,
        )
        self.bank_ = ModelBank(self.k, config, seed=seed).fit(self._scaled(X), labels)
        return self

    def _scaled(self, X: np.ndarray) -> np.ndarray:
        return (X - self.mean_) / self.scale_

    def predict_proba(self, X: object) -> Float[np.ndarray, "n 2"]:
        """Mean probabilities of both classes."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        p = expit(self.bank_.logits(self._scaled(X))).mean(axis=0)
        return np.column_stack([1 - p, p])

    def predict(self, X: object) -> np.ndarray:
        """The class with the larger mean probability."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]


@dataclass(frozen=True)
class Update:
    """Two banks, before and after an update, on the test rows.

    Attributes
    ----------
    labels_a, labels_b : ndarray of int, shapes (m_a, n) and (m_b, n)
    errors_a, errors_b : ndarray
        Test errors of the models.
    parts : ChurnDecomposition
        Expected churn and its parts.
    ambiguity, discrepancy, baseline : float
        Of the set before the update, against its first model.
    deployed : float
        Churn of one pair, first model against first model.
    """

    labels_a: Int[np.ndarray, "m_a n"]
    labels_b: Int[np.ndarray, "m_b n"]
    errors_a: Float[np.ndarray, " m_a"]
    errors_b: Float[np.ndarray, " m_b"]
    parts: ChurnDecomposition
    ambiguity: float
    discrepancy: float
    baseline: float
    deployed: float

    @property
    def flips(self) -> Float[np.ndarray, " n"]:
        """Probability of each test row's label to change."""
        p, q = self.labels_a.mean(axis=0), self.labels_b.mean(axis=0)
        return p * (1 - q) + q * (1 - p)


def measure(
    a: Int[np.ndarray, "m_a n"],
    b: Int[np.ndarray, "m_b n"],
    y: Int[np.ndarray, " n"],
) -> Update:
    """All measures of two sets of labels, before and after, on rows labelled y."""
    return Update(
        labels_a=a,
        labels_b=b,
        errors_a=(a != y).mean(axis=1),
        errors_b=(b != y).mean(axis=1),
        parts=expected_churn(a, b),
        ambiguity=ambiguity(a),
        discrepancy=discrepancy(a),
        baseline=baseline_churn(a),
        deployed=churn(a[0], b[0]),
    )


def estimator_update(
    estimator: BaseEstimator,
    before: tuple[np.ndarray, np.ndarray],
    after: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    *,
    m: int = 10,
    seed: int = 0,
) -> Update:
    """Measure churn and multiplicity of any scikit-learn classifier.

    Parameters
    ----------
    estimator : classifier
        Cloned for each run; ``random_state`` is set where there is one, also inside a
        pipeline.  Without one all runs on the same rows agree.
    before, after, test : (X, y)
        Rows before and after the update, and rows to measure on; labels 0 and 1.
    m : int
        Runs on each, 2 or more.
    seed : int

    Returns
    -------
    Update
        As for the book's own models.

    Raises
    ------
    ValueError
        Fewer than two runs, or rows that :func:`econlib.churn.updates.check_rows`
        refuses.
    """
    if m < 2:
        raise ValueError(f"m = {m}: expected an integer, 2 or more")
    test_X, y = np.asarray(test[0], dtype=float), np.asarray(test[1])
    for X_fit, y_fit in (before, after):
        check_rows(np.asarray(X_fit, dtype=float), np.asarray(y_fit), test_X, y)
    banks = []
    rng = np.random.default_rng(seed)
    for X_fit, y_fit in (before, after):
        rows = []
        for state in rng.integers(0, 2**31 - 1, m):
            model = clone(estimator)
            names = [
                name
                for name in model.get_params()
                if name == "random_state" or name.endswith("__random_state")
            ]
            model.set_params(**dict.fromkeys(names, int(state)))
            rows.append(model.fit(X_fit, y_fit).predict(test_X))
        banks.append(np.array(rows).astype(np.int64))
    return measure(*banks, y.astype(np.int64))
