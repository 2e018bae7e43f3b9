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
