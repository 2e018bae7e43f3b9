"""Figures: axes where they belong, and the same style each time."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from econlib import plotting


@pytest.fixture(autouse=True)
def _headless():
    with plt.rc_context():
        mpl.use("Agg")
        yield
        plt.close("all")


def test_first_index_of_a_map_runs_to_the_right_and_the_second_upwards():
    values = np.zeros((4, 3))
    values[3, 0] = 1.0  # far right, bottom
    _, ax = plt.subplots()
    image = plotting.signed_map(ax, values)
    shown = image.get_array()
    assert image.origin == "lower"
    assert shown.shape == (3, 4)
    assert shown[0, 3] == 1.0
    assert image.get_clim() == (-1.0, 1.0)


def test_style_is_the_same_after_foreign_settings():
    plotting.use_style()
    before = dict(mpl.rcParams)
    mpl.rcParams["font.size"] = 3
    mpl.rcParams["axes.grid"] = False
    plotting.use_style()
    assert dict(mpl.rcParams) == before
    assert before["figure.facecolor"] == "white"


def test_band_spans_the_runs_around_their_mean():
    _, ax = plt.subplots()
    runs = np.array([[0.0, 1.0], [2.0, 5.0]])
    plotting.band(ax, np.array([0.0, 1.0]), runs, label="seeds")
    assert ax.lines[0].get_ydata().tolist() == [1.0, 3.0]
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.0, 5.0)


def test_panels_are_side_by_side_and_limited():
    fig, axes = plotting.panels(3)
    assert len(axes) == 3
    assert fig.get_size_inches().tolist() == list(plotting.WIDE)
    with pytest.raises(ValueError, match="n = 5: expected an integer, 1 to 4"):
        plotting.panels(5)


def _luminance(colour: str) -> float:
    """Relative luminance as the accessibility guidelines define it."""
    parts = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_the_three_roles_differ_in_more_than_colour_and_stand_out_on_white():
    roles = [plotting.OURS, plotting.EXACT, plotting.PAPER]
    looks = {(r["linestyle"], r.get("linewidth")) for r in roles}
    assert len(looks) == 3
    assert plotting.PAPER == {"color": "#000000", "linestyle": "--"}
    for role in roles:
        # 3 : 1 is asked of graphics
        assert 1.05 / (_luminance(role["color"]) + 0.05) >= 3


def test_lines_take_the_cycles_colours_in_order():
    plotting.use_style()
    _, ax = plt.subplots()
    lines = [ax.plot([0, 1])[0].get_color() for _ in plotting.CYCLE]
    assert lines == list(plotting.CYCLE)
    assert len({*plotting.CYCLE}) == len(plotting.CYCLE)


def test_map_puts_zero_in_the_middle_and_takes_other_rectangles():
    _, ax = plt.subplots()
    values = np.array([[-0.5, 0.5]])
    image = plotting.signed_map(ax, values, extent=(0.4, 0.6, 0.0, 2.0), limit=0.5)
    assert image.get_extent() == [0.4, 0.6, 0.0, 2.0]
    low, high = image.norm(values.ravel())
    assert (low, high) == (0.0, 1.0)
    middle = image.cmap(image.norm(0.0))
    assert min(middle[:3]) > 0.95  # no trade is white
    red, blue = image.cmap(1.0), image.cmap(0.0)
    assert red[0] > red[2]
    assert blue[2] > blue[0]


@pytest.mark.parametrize("n", [0, 5, -1])
def test_number_of_panels_is_limited(n):
    with pytest.raises(ValueError, match=f"n = {n}: expected an integer, 1 to 4"):
        plotting.panels(n)


def test_one_panel_has_the_size_of_one():
    fig, axes = plotting.panels(1)
    assert len(axes) == 1
    assert fig.get_size_inches().tolist() == list(plotting.SINGLE)


def test_band_of_one_run_is_its_line():
    _, ax = plt.subplots()
    plotting.band(ax, np.array([0.0, 1.0]), np.array([[2.0, 3.0]]), color="#D55E00")
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (2.0, 3.0)
    assert ax.lines[0].get_color() == "#D55E00"
