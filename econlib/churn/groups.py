"""Who bears churn: rates by group, with intervals and two nulls.

A group may flip more because its members are nearer the threshold, or because it is
treated unlike others at the same score.  Shuffling the groups of all people gives the
first null, no difference at all; shuffling them among people with like scores the
second, no difference beyond the score.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from econlib.churn.tables import load

__all__ = ["GROUPS", "group_rates", "groups_of", "score_strata"]

#: Groups of each table, from its columns: name, column, and what its values are called.
GROUPS: dict[str, dict[str, tuple[str, Callable[[pd.Series], np.ndarray]]]] = {
    "adult": {
        "sex": ("sex", lambda s: np.where(s == "Female", "women", "men")),
        "race": (
            "race",
            lambda s: np.where(s.isin(["White", "Black"]), s.astype(str), "other"),
        ),
        "age": ("age", lambda s: _ages(s, 30, 50)),
    },
    "credit": {
        "sex": ("SEX", lambda s: np.where(s == 1, "women", "men")),
        "age": ("AGE", lambda s: _ages(s, 30, 50)),
    },
    "compas": {
        "sex": ("sex", lambda s: np.where(s == 0, "women", "men")),
        "race": ("race", lambda s: np.where(s == 1, "White", "not White")),
        "age": ("age-num", lambda s: _ages(s, 25, 45)),
    },
    "hmda": {
        "race": (
            "afam",
            lambda s: s.astype(str).map({"yes": "Black", "no": "not Black"}),
        ),
        "status": (
            "single",
            lambda s: s.astype(str).map({"yes": "single", "no": "not single"}),
        ),
    },
}


def _ages(years: pd.Series, low: int, high: int) -> np.ndarray:
    names = np.array([f"below {low}", f"{low} to {high - 1}", f"{high} and over"])
    return names[np.digitize(years, [low, high])]


def groups_of(table: str, what: str, rows: Int[np.ndarray, " n"]) -> np.ndarray:
    """Group of each of some rows of a table.

    Parameters
    ----------
    table : {"adult", "credit", "compas", "hmda"}
    what : str
        Such as ``sex``; what a table has is in ``GROUPS``.
    rows : ndarray of int, shape (n,)
        Rows of the table, as in ``Split.rows_test``.

    Raises
    ------
    ValueError
        A table or a grouping that there is not.
    """
    if table not in GROUPS:
        raise ValueError(f"table = {table!r}: expected one of {', '.join(GROUPS)}")
    if what not in GROUPS[table]:
        raise ValueError(f"what = {what!r}: expected one of {', '.join(GROUPS[table])}")
    column, name = GROUPS[table][what]
    return np.asarray(name(load(table)[column].iloc[rows]), dtype=str)


def score_strata(
    scores: Float[np.ndarray, " n"], n_strata: int = 10
) -> Int[np.ndarray, " n"]:
    """Strata of like distance from the threshold on the same side of it.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Such as mean scores of a bank.
    n_strata : int
        Of each side, 1 or more, with as many people in each as can be.
    """
    if n_strata < 1:
        raise ValueError(f"n_strata = {n_strata}: expected an integer, 1 or more")
    strata = np.zeros(len(scores), dtype=np.int64)
    for side, sign in ((scores > 0, 1), (scores <= 0, -1)):
        rank = np.abs(scores[side]).argsort(kind="stable").argsort(kind="stable")
        strata[side] = sign * (1 + rank * n_strata // max(1, side.sum()))
    return strata


def group_rates(
    flips: Float[np.ndarray, " n"],
    groups: np.ndarray,
    strata: Int[np.ndarray, " n"],
    rng: np.random.Generator,
    *,
    n_draws: int = 400,
    level: float = 0.95,
) -> pd.DataFrame:
    """Churn of each group, its interval, and what both nulls would give.

    Parameters
    ----------
    flips : ndarray, shape (n,)
        Probability that each person's label changes, [0, 1].
    groups : ndarray of str, shape (n,)
    strata : ndarray of int, shape (n,)
        Of like scores.
    rng : Generator
    n_draws : int
        Of the bootstrap, 100 or more.
    level : float
        Of the intervals, (0, 1).

    Returns
    -------
    DataFrame
        A row a group: ``people``, ``churn``, ``low``, ``high``; for each null, ``any``
        and ``beyond`` the score, its ``mean``, and ``z``, the distance of the group's
        churn from it in standard deviations of all shuffles, exactly.

    Raises
    ------
    ValueError
        Shapes that differ, flips out of range, one group alone, or too few draws.
    """
    if not len(flips) == len(groups) == len(strata):
        raise ValueError("flips, groups, strata: expected as many of each")
    if not ((flips >= 0) & (flips <= 1)).all():
        raise ValueError("flips: expected probabilities")
    names, code = np.unique(groups, return_inverse=True)
    if len(names) < 2 or n_draws < 100 or not 0 < level < 1:
        raise ValueError(
            f"{len(names)} groups, n_draws = {n_draws}, level = {level}: expected two "
            "groups or more, 100 draws or more, and a level in (0, 1)"
        )
    people = np.bincount(code)

    def rates(values: np.ndarray) -> np.ndarray:
        return np.bincount(code, values, len(names)) / people

    found = {"people": people, "churn": rates(flips)}
    tail = (1 - level) / 2
    drawn = np.array([_resampled(flips, code, len(names), rng) for _ in range(n_draws)])
    found["low"], found["high"] = np.nanquantile(drawn, [tail, 1 - tail], axis=0)
    for null, layers in (("any", np.zeros(len(flips), int)), ("beyond", strata)):
        mean, spread = _shuffled(flips, code, layers)
        found[f"{null}, mean"] = mean
        with np.errstate(divide="ignore", invalid="ignore"):
            found[f"{null}, z"] = np.where(
                spread > 0, (rates(flips) - mean) / spread, 0
            )
    return pd.DataFrame(found, index=pd.Index(names, name="group"))


def _shuffled(
    flips: np.ndarray, code: np.ndarray, layers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each group's rate if groups are shuffled in each layer.

    A group's part of a layer is then a sample without replacement.
    """
    _, layer, size = np.unique(layers, return_inverse=True, return_counts=True)
    mean = np.bincount(layer, flips) / size
    rest = np.bincount(layer, (flips - mean[layer]) ** 2)
    variance = rest / np.maximum(size - 1, 1)
    part = np.zeros((code.max() + 1, len(size)))
    np.add.at(part, (code, layer), 1)
    people = part.sum(axis=1)
    spread = np.sqrt((part * (size - part) / size) @ variance) / people
    return part @ mean / people, spread


def _resampled(
    flips: np.ndarray, code: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    rows = rng.integers(0, len(flips), len(flips))
    with np.errstate(invalid="ignore"):
        return np.bincount(code[rows], flips[rows], n) / np.bincount(
            code[rows], minlength=n
        )
