r"""Four tables of people, as shipped with the book, and how they are prepared.

Each has a label of 0 or 1 and the columns of its source; ``data/churn`` holds the files
and the script that made them.  Nothing is fetched.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

__all__ = [
    "NAMES",
    "Split",
    "encode",
    "load",
    "split",
]

#: Tables by name.
NAMES = ("adult", "credit", "compas", "hmda")
_FOLDER = Path(__file__).resolve().parents[2] / "data" / "churn"


@dataclass(frozen=True)
class Split:
    """A table cut into test rows and rows to train on, all encoded.

    Attributes
    ----------
    X_train, X_test : ndarray, shapes (n_train, n_features) and (n_test, n_features)
        Numbers standardised with the training rows' moments and clipped to 10,
        categories one-hot.
    y_train, y_test : ndarray of int
        Labels, 0 and 1.
    rows_test : ndarray of int, shape (n_test,)
        Rows of the table that the test set consists of.
    features : list of str
        Names of the encoded columns.
    """

    X_train: Float[np.ndarray, "n_train n_features"]
    y_train: Int[np.ndarray, " n_train"]
    X_test: Float[np.ndarray, "n_test n_features"]
    y_test: Int[np.ndarray, " n_test"]
    rows_test: Int[np.ndarray, " n_test"]
    features: list[str]


def load(name: str) -> pd.DataFrame:
    """A table with its label first, as its source has it.

    Parameters
    ----------
    name : {"adult", "credit", "compas", "hmda"}

    Raises
    ------
    ValueError
        An unknown name, or a file that is not the one that was shipped.
    """
    if name not in NAMES:
        raise ValueError(f"name = {name!r}: expected one of {', '.join(NAMES)}")
    path = _FOLDER / f"{name}.parquet"
    expected = json.loads((_FOLDER / "checksums.json").read_text())[name]["sha256"]
    if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
        raise ValueError(f"{path.name}: not the file of checksums.json")
    return pd.read_parquet(path)


def encode(table: pd.DataFrame, like: pd.DataFrame | None = None) -> pd.DataFrame:
    """Numbers standardised and clipped to 10, categories one-hot.

    Parameters
    ----------
    table : DataFrame
        Columns of features, without the label; no missing values.
    like : DataFrame, optional
        Rows whose moments and categories are used; those of ``table`` itself where not
        given.  A category that they lack is encoded as zeros.

    Raises
    ------
    ValueError
        Missing values, columns that differ, or columns with one value in ``like``.
    """
    like = table if like is None else like
    if list(table.columns) != list(like.columns):
        raise ValueError("table, like: expected the same columns in the same order")
    for name, frame in (("table", table), ("like", like)):
        missing = frame.columns[frame.isna().any()].tolist()
        if missing:
            raise ValueError(
                f"{name}: missing values in {', '.join(map(str, missing))}"
            )
    constant = like.columns[like.nunique() < 2].tolist()
    if constant:
        raise ValueError(
            f"like: constant features {', '.join(map(str, constant))}; drop them"
        )
    numbers = [c for c in like if pd.api.types.is_numeric_dtype(like[c])]
    others = [c for c in like if c not in numbers]
    prepare = make_column_transformer(
        (StandardScaler(), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), others),
        verbose_feature_names_out=False,
    ).fit(like)
    values = np.clip(prepare.transform(table), -10, 10)
    return pd.DataFrame(values, table.index, prepare.get_feature_names_out())


def split(
    name: str,
    seed: int = 0,
    *,
    cap: int | None = None,
    least_count: int = 30,
) -> Split:
    """Shuffle a table, keep a quarter (at most 5000 rows) as test, encode the rest.

    Parameters
    ----------
    name : {"adult", "credit", "compas", "hmda"}
    seed : int
        Of the order of the rows.
    cap : int, optional
        Most rows to train on; all where not given.
    least_count : int
        Encoded columns that are not 0 in fewer training rows than this are dropped, as
        are columns with one value.

    Raises
    ------
    ValueError
        An unknown name, a cap below 100, or a negative seed.
    """
    table = load(name)
    if seed < 0:
        raise ValueError(f"seed = {seed}: expected an integer, 0 or more")
    if cap is not None and cap < 100:
        raise ValueError(f"cap = {cap}: expected 100 rows or more")
    order = np.random.default_rng(seed).permutation(len(table))
    n_test = min(len(table) // 4, 5000)
    test, rest = order[:n_test], order[n_test:][:cap]
    X, y = table.drop(columns="label"), table["label"].to_numpy(dtype=np.int64)
    X = X.loc[:, X.iloc[rest].nunique() > 1]
    encoded = encode(X.iloc[np.append(rest, test)], X.iloc[rest])
    train, other = encoded.to_numpy()[: len(rest)], encoded.to_numpy()[len(rest) :]
    common = (train != 0).sum(axis=0) >= least_count
    return Split(
        X_train=train[:, common],
        y_train=y[rest],
        X_test=other[:, common],
        y_test=y[test],
        rows_test=test,
        features=encoded.columns[common].tolist(),
    )
