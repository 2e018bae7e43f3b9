"""The page on data says what the files hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from econlib.churn.tables import NAMES, load, split

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "chapters" / "churn" / "data.md").read_text()
TITLES = {"adult": "Adult", "credit": "Credit", "compas": "COMPAS", "hmda": "HMDA"}


def percent(x: float) -> str:
    return f"{100 * x:.1f} %"


def card(name: str) -> str:
    return PAGE.split(f"## {TITLES[name]}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_overview_is_that_of_the_file(name):
    table = load(name)
    row = next(r for r in PAGE.splitlines() if r.startswith(f"| {TITLES[name]} |"))
    cells = [c.strip() for c in row.strip("|").split("|")]
    assert cells[1] == f"{len(table):,}"
    assert cells[2] == str(table.shape[1] - 1)
    assert cells[4] == percent(table["label"].mean())
    assert cells[5] == str(table.duplicated().sum())
    assert table.notna().all().all()
    assert set(table["label"]) == {0, 1}


@pytest.mark.parametrize("name", NAMES)
def test_checksums_hold_rows_and_rates(name):
    kept = json.loads((ROOT / "data/churn/checksums.json").read_text())[name]
    table = load(name)
    assert (kept["rows"], kept["columns"]) == table.shape
    assert kept["label_rate"] == pytest.approx(table["label"].mean(), abs=1e-6)
    assert kept["sha256"] in (ROOT / "data/README.md").read_text()


def facts(name: str, t: pd.DataFrame) -> list[str]:
    rate = t["label"].groupby
    if name == "adult":
        by_sex = rate(t["sex"], observed=True).mean()
        return [
            f"{percent((t['sex'] == 'Female').mean())} are women",
            f"{percent((t['race'] == 'White').mean())} are coded White",
            f"{percent((t['native-country'] == 'United-States').mean())} were born",
            f"{percent(by_sex['Female'])} of women, {percent(by_sex['Male'])} of men",
            f"{48_842 - len(t)} of the 48,842",
            f"The gain of {(t['capital-gain'] == 99_999).sum()} people",
        ]
    if name == "credit":
        by_sex = rate(t["SEX"]).mean()
        unknown = t["EDUCATION"].isin(["0", "5", "6"]).sum()
        return [
            f"{percent(t['SEX'].mean())} are women (`SEX` 1), "
            f"aged {t['AGE'].min()} to {t['AGE'].max()}",
            f"{percent(by_sex[1])} of women, {percent(by_sex[0])} of men",
            f"{unknown} people have an education",
            f"{(t['MARRIAGE'] == '0').sum()} a marriage of 0",
        ]
    if name == "compas":
        by_race = rate(t["race"]).mean()
        charges = t["c-charge-desc"].value_counts()
        return [
            f"{percent(t['sex'].mean())} are men",
            f"{percent(t['race'].mean())} are coded 1",
            f"{percent(by_race[1])} of those coded 1, {percent(by_race[0])} of",
            f"{t.duplicated().sum()} rows repeat another one",
            f"Of {len(charges)} descriptions of the charge {(charges < 5).sum()} occur",
        ]
    by_group = rate(t["afam"], observed=True).mean()
    refused = t[t["insurance"] == "yes"]
    return [
        f"{percent((t['afam'] == 'yes').mean())} are African American",
        f"{percent(by_group['yes'])} of African Americans",
        f"{percent(by_group['no'])} of others",
        f"{len(t) // 4} people",
        f"{percent(refused['label'].mean())} of the {len(refused)} people",
        f"exceeds one for {(t['pirat'] > 1).sum()} people",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_each_card_says_what_the_file_holds(name):
    text = re.sub(r"\s+", " ", card(name))
    for fact in facts(name, load(name)):
        assert fact in text


def test_most_of_credit_has_a_status_that_the_source_does_not_explain():
    status = load("credit")["PAY_0"]
    assert status.isin([-2, 0]).mean() > 0.5
    assert (load("credit")["BILL_AMT1"] < 0).any()


def test_age_groups_of_compas_meet_in_one_year():
    table = load("compas")
    ages = table.groupby("age-cat", observed=True)["age-num"].agg(["min", "max"])
    assert ages.loc["Less than 25", "max"] < 25
    assert ages.loc["Greater than 45", "min"] == 45


def test_a_split_drops_what_hardly_varies():
    found = split("adult", cap=200)
    assert (found.X_train.std(axis=0) > 0).all()
    with pytest.raises(ValueError, match="cap = 50"):
        split("hmda", cap=50)
    with pytest.raises(ValueError, match="seed = -1"):
        split("hmda", -1)
