"""One style for every figure: opaque ground, colour-blind safe, the same meaning."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = [
    "CYCLE",
    "EXACT",
    "OURS",
    "PAPER",
    "WIDE",
    "band",
    "panels",
    "signed_map",
    "use_style",
]

#: Okabe and Ito's colours, blue first; black is the paper's, grey the exact solution's.
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
OURS = {"color": CYCLE[0], "linestyle": "-"}
EXACT = {"color": "#6e6e6e", "linestyle": "-", "linewidth": 2.4}
PAPER = {"color": "#000000", "linestyle": "--"}

#: Size in inches of a figure with one panel, and with two.
SINGLE, WIDE = (6.4, 3.6), (7.2, 3.2)


def use_style() -> None:
    """Set the book's figure style for this kernel."""
    plt.rcdefaults()
    mpl.rcParams.update(
        {
            "figure.figsize": SINGLE,
            "figure.dpi": 110,
            "savefig.dpi": 110,
            "figure.constrained_layout.use": True,
            "figure.facecolor": "white",
            "axes.facecolor": "white",
            "axes.prop_cycle": mpl.cycler(color=CYCLE),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e6e6e6",
            "grid.linewidth": 0.8,
            "font.size": 10,
            "axes.labelsize": 10,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "legend.frameon": False,
            "lines.linewidth": 1.6,
            "lines.markersize": 4.5,
            "image.origin": "lower",
            "mathtext.fontset": "dejavusans",
        }
    )


def panels(n: int = 2, **options: object) -> tuple[Figure, np.ndarray]:
    """Open a figure with ``n`` panels side by side, 1 to 4; options as ``subplots``."""
    if not 1 <= n <= 4:
        raise ValueError(f"n = {n}: expected an integer, 1 to 4")
    options.setdefault("figsize", SINGLE if n == 1 else WIDE)
    fig, axes = plt.subplots(1, n, squeeze=False, **options)
    return fig, axes[0]


def band(
    ax: Axes,
    x: Float[np.ndarray, " n_points"],
    runs: Float[np.ndarray, "n_runs n_points"],
    *,
    color: str = CYCLE[0],
    label: str | None = None,
    **options: object,
) -> None:
    """Draw the mean of several runs, and the range from the least to the largest.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    x : ndarray, shape (n_points,)
        Common horizontal positions.
    runs : ndarray, shape (n_runs, n_points)
        One row a run, such as a seed.
    color, label : str
        Of the line; the band is the same colour, lighter.
    **options
        Passed to ``plot``.
    """
    ax.fill_between(x, runs.min(axis=0), runs.max(axis=0), color=color, alpha=0.2, lw=0)
    ax.plot(x, runs.mean(axis=0), color=color, label=label, **options)


def signed_map(
    ax: Axes,
    values: Float[np.ndarray, "n_x n_y"],
    *,
    extent: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 1.0),
    limit: float = 1.0,
) -> mpl.image.AxesImage:
    """Draw a signed quantity over a rectangle, colours centred on zero.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    values : ndarray, shape (n_x, n_y)
        ``values[i, j]`` belongs to the i-th horizontal and the j-th vertical position
        (``indexing="ij"``), counted from the lower left.
    extent : (float, float, float, float)
        Left, right, bottom, top.
    limit : float
        Colours run from ``-limit`` to ``limit``.

    Returns
    -------
    AxesImage
        For a colour bar.
    """
    ax.grid(False)
    return ax.imshow(
        np.asarray(values).T,
        origin="lower",
        extent=extent,
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        interpolation="nearest",
        aspect="equal",
    )
