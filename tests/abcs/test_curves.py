"""Curves beside the official ones: what is read, interpolated and compared."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from econlib.abcs.curves import (
    LABELS,
    Curves,
    draw_curves,
    draw_over_official,
    official,
    recorded,
    stack,
)
from econlib.abcs.learners import solve
from econlib.abcs.record import SETTINGS, load
from econlib.abcs.simulators import game
from econlib.abcs.tree import kuhn

CURVES = Path(__file__).parents[2] / "data" / "abcs" / "official_curves.csv"
SCORES = {
    "cartpole": ("regret",),
    "weighted_rps": ("nash_conv",),
    "stacked": ("regret", "exploitability"),
}
CASES = [
    (name, score, method)
    for name, setting in SETTINGS.items()
    for score in SCORES.get(name, ("exploitability",))
    for method in setting.methods
]


@pytest.mark.parametrize(("name", "score", "method"), CASES)
def test_official_curves_span_the_budget_and_end_at_the_mean_of_seeds(
    name, score, method
):
    curve = official(name, score, method)
    shares = curve.nodes / SETTINGS[name].budget
    assert shares.tolist() == [0, 0.05, 0.1, 0.25, 0.5, 0.75, 1]
    key = {"setting": name, "score": score, "method": method}
    finals = np.array(
        [
            float(row["value"])
            for row in csv.DictReader(CURVES.read_text().splitlines())
            if row["seed"] != "mean" and all(row[k] == v for k, v in key.items())
        ]
    )
    assert len(finals) == 3
    # printed to one digit less than the mean
    assert curve.mean[-1] == pytest.approx(finals.mean(), rel=0.02, abs=1e-4)


@pytest.mark.parametrize("method", ["abcs", "max_cfr", "es"])
def test_official_runs_start_from_uniform_play(method):
    known = {"kuhn_poker": 11 / 24, "leduc_poker": 2.3736111}
    for name, value in known.items():
        start = official(name, "exploitability", method).mean[0]
        assert start == pytest.approx(value, rel=1e-3)
    start = official("weighted_rps", "nash_conv", method).mean[0]
    assert start == pytest.approx(2 / 3, abs=1e-3)


def test_recorded_curves_are_the_recorded_numbers():
    curves = recorded("kuhn_poker", "exploitability", factor=2.0)
    assert list(curves) == list(SETTINGS["kuhn_poker"].methods)
    row = next(r for r in load("kuhn_poker")["runs"] if r["method"] == "es")
    ours = curves["es"].runs[0]
    assert ours[0] == pytest.approx(2 * row["scores"]["exploitability"][0], rel=1e-3)
    assert ours[-1] == pytest.approx(2 * row["scores"]["exploitability"][-1], rel=0.05)


def test_slope_and_ratio_of_a_power_law():
    x = np.arange(1.0, 101)
    one, two = Curves(x, 3 * x[None, :] ** -0.5), Curves(x, 6 * x[None, :] ** -0.5)
    assert one.slope() == pytest.approx(-0.5)
    assert two.over(one) == pytest.approx(2)
    assert one.last(1) == pytest.approx(0.3)
    with pytest.raises(ValueError, match="share = 1"):
        one.slope(1.0)
    with pytest.raises(ValueError, match="n = 0"):
        one.over(two, 0)


def test_live_runs_are_put_on_common_nodes():
    runs = [solve(game(kuhn()), "es", 2000, s) for s in (0, 1)]
    curves = stack(runs, "exploitability")
    assert curves.runs.shape == (2, 21)
    assert (np.diff(curves.nodes) > 0).all()
    ends = [t.scores["exploitability"][-1] for t in runs]
    assert curves.runs[:, -1] == pytest.approx(ends, rel=0.05)
    with pytest.raises(ValueError, match="runs: expected one or more"):
        stack([], "exploitability")


def test_drawing_stops_the_official_curve_at_our_budget():
    curves = stack([solve(game(kuhn()), "es", 2000, 0)], "exploitability")
    _, ax = plt.subplots()
    draw_curves(ax, {"es": curves}, "kuhn_poker", "exploitability")
    ours, theirs = ax.lines
    assert ours.get_label() == LABELS["es"]
    assert theirs.get_xdata()[-1] == ours.get_xdata()[-1]
    alone = draw_over_official(
        {"es": curves}, "kuhn_poker", "exploitability", yscale="log"
    )
    assert alone.axes[0].get_yscale() == "log"
    plt.close("all")


def test_unknown_curves_are_refused():
    with pytest.raises(ValueError, match="method = 'ppo'"):
        official("cartpole", "regret", "ppo")
    with pytest.raises(ValueError, match="name = 'chess'"):
        recorded("chess", "regret")
