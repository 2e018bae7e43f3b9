r"""A two-dimensional slice of the space of profiles, on which a utility can be seen.

Two senders with two states and two signals; :math:`x=\pi_1(1\mid\omega_1)` and
:math:`y=\pi_2(1\mid\omega_1)` move, :math:`\pi_j(1\mid\omega_2)=c_j` stay.  The axes
belong to different senders, so that the borders between the receiver's actions are
curved.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import binary_dilation
from torch import Tensor

__all__ = ["cliffs", "grid_points", "slice_rules"]


def grid_points(n: int) -> Float[Tensor, "n_points 2"]:
    """Middles (x, y) of n by n cells, off the lines of ties; y changes fastest."""
    if n < 2:
        raise ValueError(f"n = {n}: expected an integer, 2 or more")
    line = (torch.arange(n) + 0.5) / n
    return torch.cartesian_prod(line, line)


def slice_rules(
    points: Float[Tensor, "n_points 2"], other: Sequence[float]
) -> Float[Tensor, "n_points 2 2 2"]:
    """Profiles of the slice.

    Parameters
    ----------
    points : Tensor, shape (n_points, 2)
        x and y, in [0, 1].
    other : sequence of float
        What each sender's first signal has in the second state, in [0, 1].

    Returns
    -------
    Tensor, shape (n_points, 2, 2, 2)
        Of the points' type: sender, state, signal.

    Raises
    ------
    ValueError
        Numbers that are no probabilities.
    """
    c = torch.as_tensor(other, dtype=points.dtype)
    if (
        c.shape != (2,)
        or min(c.min(), points.min()) < 0
        or max(c.max(), points.max()) > 1
    ):
        raise ValueError(f"points, other = {list(other)}: expected numbers in [0, 1]")
    first = torch.stack([points, c.expand(len(points), 2)], dim=2)
    return torch.stack([first, 1 - first], dim=3)


def cliffs(
    values: Float[np.ndarray, "n n"], jump: float = 0.05, reach: int = 2
) -> Bool[np.ndarray, "n n"]:
    """Points of a grid that are near a jump.

    Parameters
    ----------
    values : ndarray, shape (n, n)
        Of a function.
    jump : float
        Least difference of neighbours that counts, as a share of the range of values.
    reach : int
        How many steps from such a pair a point may be, 1 or more.
    """
    least = jump * np.ptp(values)
    edge = np.zeros(values.shape, bool)
    for axis in (0, 1):
        found = np.abs(np.diff(values, axis=axis)) > least
        low = [(0, 1) if a == axis else (0, 0) for a in (0, 1)]
        high = [(1, 0) if a == axis else (0, 0) for a in (0, 1)]
        edge |= np.pad(found, low) | np.pad(found, high)
    return binary_dilation(edge, np.ones((3, 3)), iterations=reach)
