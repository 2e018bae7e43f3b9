r"""A forecast of the churn of the next update, before there is one.

The rows at hand, :math:`D_A`, can play an update that has happened: train on a random
share :math:`r` of them and on all, K times, and count the churn of each pair.  These
*rehearsals* have the same share of new rows as the update to come but fewer rows, so
that their shift is too large: by the law of the size of an update it must be scaled by
:math:`\sqrt r`, and multiplicity :math:`V` must not,

.. math:: \hat C_k=C_k\,\frac{V+\sqrt r\,(\bar C-V)}{\bar C} .

If update and rehearsals were exchangeable, the order statistics of K of them would hold
the next one with a known probability (Vovk, Gammerman and Shafer 2005); they are nearly
so if the new rows come from the same population, and coverage is to be measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from econlib.churn.banks import ModelBank
from econlib.churn.networks import BankConfig
from econlib.churn.stability import ridge_logistic
from econlib.churn.updates import update_rows

__all__ = [
    "Rehearsal",
    "conformal_interval",
    "forecast_coverage",
    "rehearse_bank",
    "rehearse_ridge",
]


@dataclass(frozen=True)
class Rehearsal:
    """Rehearsals of an update, and the update itself.

    Attributes
    ----------
    churns : ndarray, shape (k,)
        Scaled churn of each rehearsal.
    multiplicity : float
        Of different models on the rows at hand.
    suspects : ndarray of bool, shape (n_test,)
        People on whom the models of the rehearsals are not unanimous.
    flips : ndarray of bool, shape (n_updates, n_test)
        People whose label the update changes, for each deployed model.
    """

    churns: Float[np.ndarray, " k"]
    multiplicity: float
    suspects: Bool[np.ndarray, " n_test"]
    flips: Bool[np.ndarray, "n_updates n_test"]

    @property
    def realised(self) -> Float[np.ndarray, " n_updates"]:
        """Churn of the update itself, for each deployed model."""
        return self.flips.mean(axis=1)

    def held(self, level: float = 0.9) -> Bool[np.ndarray, " n_updates"]:
        """Whether the interval of the rehearsals holds each of them."""
        low, high = conformal_interval(self.churns, level)
        return (low <= self.realised) & (self.realised <= high)


def conformal_interval(
    rehearsals: Float[np.ndarray, " k"], level: float = 0.9
) -> tuple[float, float]:
    """Order statistics that hold the next of exchangeable numbers with a probability.

    Parameters
    ----------
    rehearsals : ndarray, shape (k,)
        At least 2/(1 - level) - 1 numbers.
    level : float
        Least probability, (0, 1).

    Raises
    ------
    ValueError
        Too few rehearsals for the level, or a level out of range.

    Examples
    --------
    >>> conformal_interval(np.arange(1.0, 40.0), 0.9)
    (2.0, 38.0)
    """
    if not 0 < level < 1:
        raise ValueError(f"level = {level}: expected a number in (0, 1)")
    k, tail = len(rehearsals), (1 - level) / 2
    rank = math.floor(tail * (k + 1) + 1e-9)
    if rank < 1:
        least = math.ceil(1 / tail - 1 - 1e-9)
        raise ValueError(f"{k} rehearsals: expected {least} or more at level {level}")
    order = np.sort(rehearsals)
    return float(order[rank - 1]), float(order[-rank])


def _scaled(churns: np.ndarray, V: float, r: float) -> np.ndarray:
    mean = churns.mean()
    if mean == 0:
        return churns
    return churns * min(1.0, (V + math.sqrt(r) * max(mean - V, 0.0)) / mean)


def rehearse_ridge(
    X: Float[np.ndarray, "n d"],
    y: Int[np.ndarray, " n"],
    X_new: Float[np.ndarray, "n_b d"],
    y_new: Int[np.ndarray, " n_b"],
    X_test: Float[np.ndarray, "n_test d"],
    *,
    r: float,
    lam: float,
    n_rehearsals: int,
    rng: np.random.Generator,
) -> Rehearsal:
    """Rehearse an update of ridge logistic regressions, and make it.

    Parameters
    ----------
    X, y : ndarray, shapes (n, d) and (n,)
        Rows at hand.
    X_new, y_new : ndarray, shapes (n_b, d) and (n_b,)
        All rows after the update, those at hand among them.
    X_test : ndarray, shape (n_test, d)
        People whose labels are compared; their true labels are not needed.
    r : float
        Share of the rows that is there before, (0, 1).
    lam : float
        Penalty of :func:`econlib.churn.ridge.ridge_logistic`, above 0.
    n_rehearsals : int
    rng : Generator

    Returns
    -------
    Rehearsal
        Multiplicity is 0.
    """
    n = len(y)
    rows = np.array([update_rows("grow", n, r, rng)[0] for _ in range(n_rehearsals)])
    one = np.ones((len(X_test), 1))

    def weights(X: np.ndarray, y: np.ndarray) -> np.ndarray:
        with_one = np.concatenate([X, np.ones((*X.shape[:2], 1))], axis=2)
        return ridge_logistic(with_one, y, lam)

    some = weights(X[rows], y[rows])
    now, later = weights(X[None], y[None]), weights(X_new[None], y_new[None])
    test = np.concatenate([X_test, one], axis=1)
    a, b, c = (w @ test.T > 0 for w in (some, now, later))
    churns = _scaled((a != b).mean(axis=1), 0.0, r)
    return Rehearsal(churns, 0.0, (a != b).any(axis=0), b != c)


def rehearse_bank(
    X: Float[np.ndarray, "n d"],
    y: Int[np.ndarray, " n"],
    X_new: Float[np.ndarray, "n_b d"],
    y_new: Int[np.ndarray, " n_b"],
    X_test: Float[np.ndarray, "n_test d"],
    config: BankConfig,
    *,
    r: float,
    n_rehearsals: int,
    rng: np.random.Generator,
    n_updates: int = 1,
) -> Rehearsal:
    """Rehearse an update of networks, and make it.

    Parameters
    ----------
    config : BankConfig
    X, y, X_new, y_new, X_test, r, n_rehearsals, rng
        As in ``rehearse_ridge``.
    n_updates : int
        Models that are deployed and replaced, 1 or more.

    Returns
    -------
    Rehearsal
        No model that is deployed or replaces it was rehearsed with.

    Raises
    ------
    ValueError
        Fewer than two rehearsals, or no update.
    """
    if n_rehearsals < 2 or n_updates < 1:
        raise ValueError(
            f"n_rehearsals = {n_rehearsals}, n_updates = {n_updates}: expected 2 or "
            "more and 1 or more"
        )
    n, k = len(y), n_rehearsals
    rows = np.array([update_rows("grow", n, r, rng)[0] for _ in range(k)])
    seeds = rng.integers(0, 2**31 - 1, 3).tolist()
    some = ModelBank(k, config, seed=seeds[0]).fit(X, y, rows=rows).labels(X_test)
    every = ModelBank(k + n_updates, config, seed=seeds[1]).fit(X, y)
    later = ModelBank(n_updates, config, seed=seeds[2]).fit(X_new, y_new)
    others, now = np.split(every.labels(X_test), [k])
    p = others.mean(axis=0)
    V = float((2 * p * (1 - p)).mean()) * k / (k - 1)
    churns = _scaled((some != others).mean(axis=1), V, r)
    models = np.concatenate([some, others])
    suspects = (models != models[0]).any(axis=0)
    return Rehearsal(churns, V, suspects, now != later.labels(X_test))


def forecast_coverage(
    held: Bool[np.ndarray, " n_splits"], nominal: float
) -> dict[str, float]:
    """Share of intervals that held, its standard error, and the distance from nominal.

    Parameters
    ----------
    held : ndarray of bool, shape (n_splits,)
        Whether each interval held the churn.
    nominal : float
        What they were meant to have.

    Returns
    -------
    dict
        ``coverage``, ``se`` at the nominal coverage, and ``z``, coverage less nominal
        in standard errors.
    """
    if not 0 < nominal < 1 or not len(held):
        raise ValueError(f"nominal = {nominal}: expected (0, 1), and intervals")
    coverage, se = float(held.mean()), math.sqrt(nominal * (1 - nominal) / len(held))
    return {"coverage": coverage, "se": se, "z": (coverage - nominal) / se}
