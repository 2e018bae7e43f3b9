r"""Learning curves beside the official code's.

The official repository keeps the scores of its own runs, three seeds a setting.
``data/abcs/official_curves.csv`` holds their mean at seven shares of the budget, and
the last score of each seed.  Curves of ours are put on common numbers of nodes by
linear interpolation, seed by seed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from econlib.abcs.learners import Trace
from econlib.abcs.record import SETTINGS, load
from econlib.plotting import CYCLE, band, panels

__all__ = [
    "LABELS",
    "Curves",
    "draw_curves",
    "draw_over_official",
    "official",
    "recorded",
    "stack",
]

#: What a method is called in figures, in the order of legends.
LABELS = {
    "abcs": "ABCs",
    "max_cfr": "MAX-CFR",
    "es": "external sampling",
    "os": "outcome sampling",
    "bql": "Boltzmann Q-learning",
}
_COLORS = {m: CYCLE[k] for m, k in zip(LABELS, (0, 2, 5, 4, 1), strict=True)}
_MARKERS = dict(zip(LABELS, "os^Dv", strict=True))
_FILE = Path(__file__).resolve().parents[2] / "data" / "abcs" / "official_curves.csv"


@dataclass(frozen=True)
class Curves:
    """Scores of several seeds at common numbers of nodes.

    Attributes
    ----------
    nodes : ndarray, shape (n_points,)
        Nodes touched.
    runs : ndarray, shape (n_seeds, n_points)
        Scores, one row a seed.
    """

    nodes: Float[np.ndarray, " n_points"]
    runs: Float[np.ndarray, "n_seeds n_points"]

    @property
    def mean(self) -> Float[np.ndarray, " n_points"]:
        """Mean over seeds."""
        return self.runs.mean(axis=0)

    def last(self, n: int = 5) -> float:
        """Mean over seeds and the last ``n`` points, which cuts the noise."""
        return float(self.runs[:, -n:].mean())

    def at(self, nodes: float) -> float:
        """Mean score when ``nodes`` were touched, between points linear."""
        return float(np.interp(nodes, self.nodes, self.mean))

    def slope(self, share: float = 0.05) -> float:
        """Slope of the mean in log-log scale, from a share of the budget to its end.

        The share is in (0, 1); scores must be positive there.
        """
        if not 0 < share < 1:
            raise ValueError(f"share = {share}: expected a number in (0, 1)")
        late = self.nodes >= share * self.nodes[-1] * (1 - 1e-9)
        x, y = np.log(self.nodes[late]), np.log(self.mean[late])
        return float(np.polyfit(x, y, 1)[0])

    def over(self, other: Curves, n: int = 5) -> float:
        """Last mean scores over another's at the same nodes, a geometric mean."""
        if n < 1:
            raise ValueError(f"n = {n}: expected an integer, 1 or more")
        x, y = self.nodes[-n:], self.mean[-n:]
        ratios = [v / other.at(k) for k, v in zip(x, y, strict=True)]
        return float(np.exp(np.mean(np.log(ratios))))


def stack(
    runs: Iterable[Trace], score: str, factor: float = 1.0, n_points: int = 20
) -> Curves:
    """Put runs of one method, one a seed, on common numbers of nodes.

    Parameters
    ----------
    runs : iterable of Trace
        One or more, of the same budget.
    score : str
        Key of ``Trace.scores``.
    factor : float
        By which scores are multiplied: 2 turns exploitability into NashConv.
    n_points : int
        Points after the first, 1 or more.
    """
    pairs = [(t.nodes, t.scores[score]) for t in runs]
    if not pairs:
        raise ValueError("runs: expected one or more")
    return _common(pairs, factor, n_points)


def _common(pairs: list, factor: float, n_points: int) -> Curves:
    first = np.mean([x[0] for x, _ in pairs])
    last = min(x[-1] for x, _ in pairs)
    nodes = last * np.arange(1, n_points + 1) / n_points
    nodes = np.concatenate([[first], nodes[nodes > first]])
    rows = [factor * np.interp(nodes, x, y) for x, y in pairs]
    return Curves(nodes, np.array(rows))


def recorded(setting: str, score: str, factor: float = 1.0) -> dict[str, Curves]:
    """Recorded full-budget curves of a setting, by method.

    Parameters
    ----------
    setting : str
        One of :data:`econlib.abcs.record.SETTINGS`.
    score : str
        ``exploitability`` or ``regret``.
    factor : float
        By which scores are multiplied.
    """
    kept = load(setting)
    return {
        m: _common(
            [
                (np.array(r["nodes"], dtype=float), np.array(r["scores"][score]))
                for r in kept["runs"]
                if r["method"] == m
            ],
            factor,
            20,
        )
        for m in SETTINGS[setting].methods
    }


@lru_cache(maxsize=1)
def _rows() -> tuple:
    with _FILE.open(newline="") as file:
        return tuple(csv.DictReader(file))


def _select(setting: str, score: str, method: str) -> list[dict]:
    key = {"setting": setting, "score": score, "method": method}
    rows = [r for r in _rows() if all(r[k] == v for k, v in key.items())]
    if not rows:
        raise ValueError(
            f"setting = {setting!r}, score = {score!r}, method = {method!r}: "
            "the official runs have no such curve"
        )
    return rows


def official(setting: str, score: str, method: str) -> Curves:
    """Mean curve of the official runs, as one row.

    Parameters
    ----------
    setting : str
        One of :data:`econlib.abcs.record.SETTINGS`.
    score : str
        ``exploitability``, ``regret``, or ``nash_conv`` for rock, paper, scissors.
    method : str
        One of :data:`LABELS` that was run there.

    Raises
    ------
    ValueError
        The official runs have no such curve.

    Examples
    --------
    >>> float(official("kuhn_poker", "exploitability", "abcs").runs[0, -1])
    0.0047
    """
    rows = [r for r in _select(setting, score, method) if r["seed"] == "mean"]
    share = np.array([float(r["share_of_budget"]) for r in rows])
    value = np.array([float(r["value"]) for r in rows])
    return Curves(share * SETTINGS[setting].budget, value[None, :])


def draw_curves(
    ax: Axes, curves: dict[str, Curves], setting: str | None = None, score: str = ""
) -> None:
    """Draw curves of some methods, and the official ones of a setting, dashed.

    Bands go from the least seed to the largest; an official curve ends where the
    budget of ours does.
    """
    for method, c in curves.items():
        color = _COLORS[method]
        band(ax, c.nodes, c.runs, color=color, label=LABELS[method])
        if setting is None:
            continue
        theirs = official(setting, score, method)
        end = c.nodes[-1]
        x = np.append(theirs.nodes[theirs.nodes < end], end)
        y = np.interp(x, theirs.nodes, theirs.mean)
        options = {"ls": "--", "lw": 1.1, "marker": _MARKERS[method], "ms": 3.5}
        ax.plot(x, y, color=color, mec="black", mew=0.5, **options)


def draw_over_official(
    curves: dict[str, Curves],
    setting: str | None = None,
    score: str = "",
    **axes: object,
) -> Figure:
    """Draw curves over the official ones of a setting, in a figure of their own.

    Without a setting there are none to draw over.  Options set the axes, such as
    ``ylabel`` and ``yscale``.
    """
    fig, (ax,) = panels(1, figsize=(6.8, 3.4), dpi=82)  # bands weigh much
    draw_curves(ax, curves, setting, score)
    if setting is not None:
        ax.plot([], [], "k--", lw=1.1, label="official code, mean")
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.xaxis.set_major_formatter(lambda x, _: f"{x / 1000:g}")
    ax.set(xlabel="nodes touched (thousands)", **axes)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig
