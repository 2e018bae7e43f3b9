r"""People in groups: the shipped tables as cells of discrete features.

Exact sets of good models need few distinct rows.  A *cell* is one of them, with its
number of people :math:`N_c` and of positive labels :math:`P_c`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from econlib.churn.tables import load

__all__ = [
    "additive",
    "cells",
    "compas_binary",
    "compas_cells",
    "compas_wide",
    "credit_cells",
]


def cells(
    features: Int[np.ndarray, "n k"], y: Int[np.ndarray, " n"]
) -> tuple[
    Int[np.ndarray, "n_cells k"],
    Int[np.ndarray, " n_cells"],
    Int[np.ndarray, " n_cells"],
]:
    """Distinct rows of discrete features, with counts and positive counts.

    Parameters
    ----------
    features : ndarray of int, shape (n, k)
    y : ndarray of int, shape (n,)
        Labels, 0 and 1.

    Returns
    -------
    rows : ndarray, shape (n_cells, k)
        In lexicographic order.
    counts, positives : ndarray of int, shape (n_cells,)

    Raises
    ------
    ValueError
        Labels other than 0 and 1, or not one for each row.
    """
    if not np.isin(y, (0, 1)).all():
        raise ValueError("y: expected labels 0 and 1")
    if len(y) != len(features):
        raise ValueError(f"y: {len(y)} labels, expected {len(features)}")
    rows, where = np.unique(features, axis=0, return_inverse=True)
    counts = np.bincount(where, minlength=len(rows))
    return rows, counts, np.bincount(where, weights=y).astype(np.int64)


def compas_cells(
    *columns: str,
) -> tuple[
    Int[np.ndarray, "n_cells k"],
    Int[np.ndarray, " n_cells"],
    Int[np.ndarray, " n_cells"],
]:
    """Cells of COMPAS by age group, group of priors, sex and degree of the charge.

    Parameters
    ----------
    *columns : str
        Some of ``age`` (0 below 25, 1, 2 above 45), ``priors`` (0; 1; 2 to 4; 5 and
        more, as 0 to 3), ``male``, ``felony``.
    """
    table = load("compas")
    every = {
        "age": table["age-cat"]
        .astype(str)
        .map({"Less than 25": 0, "25 - 45": 1, "Greater than 45": 2}),
        "priors": pd.Series(np.digitize(table["priors-count"], [1, 2, 5])),
        "male": table["sex"],
        "felony": (table["c-charge-degree"] == "F").astype(int),
    }
    unknown = [c for c in columns if c not in every]
    if unknown or not columns:
        raise ValueError(f"columns = {columns}: expected some of {', '.join(every)}")
    values = np.column_stack([every[c].to_numpy(dtype=np.int64) for c in columns])
    return cells(values, table["label"].to_numpy(dtype=np.int64))


def compas_binary() -> tuple[
    Int[np.ndarray, "n_cells 8"],
    Int[np.ndarray, " n_cells"],
    Int[np.ndarray, " n_cells"],
]:
    """Cells of COMPAS by eight questions.

    Below 25, above 45, no priors, two or more, five or more, male, felony, any
    juvenile count.
    """
    table = load("compas")
    priors = table["priors-count"]
    juvenile = table[["juv-fel-count", "juv-misd-count", "juv-other-count"]].sum(axis=1)
    questions = [
        table["age-cat"] == "Less than 25",
        table["age-cat"] == "Greater than 45",
        priors == 0,
        priors >= 2,
        priors >= 5,
        table["sex"] == 1,
        table["c-charge-degree"] == "F",
        juvenile > 0,
    ]
    values = np.column_stack(questions).astype(np.int64)
    return cells(values, table["label"].to_numpy(dtype=np.int64))


def credit_cells() -> tuple[
    Int[np.ndarray, "n_cells 3"],
    Int[np.ndarray, " n_cells"],
    Int[np.ndarray, " n_cells"],
]:
    """Cells of Credit by two payment delays, each cut at 0, 1 and 2, and by age.

    Age is cut at 30 and 40.
    """
    table = load("credit")
    delays = [np.digitize(table[c], [0, 1, 2]) for c in ("PAY_0", "PAY_2")]
    values = np.column_stack([*delays, np.digitize(table["AGE"], [30, 40])])
    return cells(values.astype(np.int64), table["label"].to_numpy(dtype=np.int64))


def compas_wide() -> tuple[
    Int[np.ndarray, "n_cells 11"],
    Int[np.ndarray, " n_cells"],
    Int[np.ndarray, " n_cells"],
]:
    """Cells of COMPAS by eleven questions.

    Below 25, above 45, one prior, two to four, five or more, male, race as coded by the
    source, felony, and whether there is a juvenile felony, misdemeanour, other charge.
    """
    table = load("compas")
    priors = table["priors-count"]
    juvenile = ("juv-fel-count", "juv-misd-count", "juv-other-count")
    questions = [
        table["age-cat"] == "Less than 25",
        table["age-cat"] == "Greater than 45",
        priors == 1,
        priors.between(2, 4),
        priors >= 5,
        table["sex"] == 1,
        table["race"] == 1,
        table["c-charge-degree"] == "F",
        *(table[name] > 0 for name in juvenile),
    ]
    values = np.column_stack(questions).astype(np.int64)
    return cells(values, table["label"].to_numpy(dtype=np.int64))


def additive(rows: Int[np.ndarray, "n_cells k"]) -> Float[np.ndarray, "n_cells d"]:
    """Features of an additive score: one for each value of a column but one, and 1.

    Parameters
    ----------
    rows : ndarray of int, shape (n_cells, k)
        Distinct rows, such as :func:`compas_cells` returns.

    Returns
    -------
    ndarray, shape (n_cells, d)
        Indicators of all values but the least of each column, and a column of ones.
        Which value is left out changes no set of classifiers.

    Examples
    --------
    >>> additive(np.array([[0, 1], [1, 1], [2, 0]])).tolist()
    [[0.0, 0.0, 1.0, 1.0], [1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]]
    """
    columns = [
        column == value for column in rows.T for value in np.unique(column)[1:].tolist()
    ]
    return np.column_stack([*columns, np.ones(len(rows))]).astype(float)
