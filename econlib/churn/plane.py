r"""All affine classifiers of points in the plane.

A line through no point can be moved until it passes through two of them without any
other point changing sides.  So the lines through pairs of points, the two points given
all four label pairs, both orientations, and the two constants are all labelings: of
:math:`n` points in general position Cover's

.. math:: 2\Big(1+(n-1)+\tbinom{n-1}2\Big) .
"""

from __future__ import annotations

import itertools

import numpy as np
from jaxtyping import Float, Int

__all__ = ["MAX_POINTS", "affine_labelings", "cover_count", "example_points"]

#: Most points whose labelings are listed: about 30,000 of them.
MAX_POINTS = 120


def cover_count(n: int) -> int:
    """Labelings of n points in general position by affine classifiers in the plane."""
    if n < 1:
        raise ValueError(f"n = {n}: expected an integer, 1 or more")
    return 2 * (1 + (n - 1) + (n - 1) * (n - 2) // 2)


def affine_labelings(
    X: Float[np.ndarray, "n 2"],
) -> Int[np.ndarray, "n_labelings n"]:
    """List the labelings that some line makes, each once, as binary strings in order.

    Parameters
    ----------
    X : ndarray, shape (n, 2)
        Points in general position, 1 to ``MAX_POINTS``.

    Raises
    ------
    ValueError
        Too many points, missing values, or three points on a line (within rounding).

    Examples
    --------
    >>> X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.1, 1.2]])
    >>> len(affine_labelings(X)), cover_count(4)
    (14, 14)
    """
    n = len(X)
    if not np.isfinite(X).all():
        raise ValueError("X: missing or infinite values")
    if X.ndim != 2 or X.shape[1] != 2 or not 1 <= n <= MAX_POINTS:
        raise ValueError(
            f"X: shape {X.shape}, expected (n, 2) with n from 1 to {MAX_POINTS}"
        )
    found = [np.zeros((1, n), bool), np.ones((1, n), bool)]
    if n == 1:
        return np.concatenate(found).astype(np.int64)
    size = max(1.0, float(np.ptp(X, axis=0).max()) ** 2)
    first, second = np.triu_indices(n, 1)
    step = X[second] - X[first]
    away = X[None] - X[first][:, None]
    side = step[:, :1] * away[:, :, 1] - step[:, 1:] * away[:, :, 0]
    pair, row = np.arange(len(first)), np.zeros(side.shape, bool)
    row[pair, first] = row[pair, second] = True
    if (np.abs(side[~row]) < 1e-12 * size).any():
        raise ValueError("X: three points on a line; expected general position")
    for a, b in itertools.product((False, True), repeat=2):
        h = side > 0
        h[pair, first], h[pair, second] = a, b
        found += [h, ~h]
    return np.unique(np.concatenate(found), axis=0).astype(np.int64)


def example_points(
    n: int, flip: int
) -> tuple[Float[np.ndarray, "n 2"], Int[np.ndarray, " n"]]:
    r"""Points of a low-discrepancy sequence, labelled by a line with some labels wrong.

    :math:`x_i=(\{i\varphi\},\{i^2\sqrt2\})`, label :math:`1[x_{i1}+x_{i2}>1]`, reversed
    where ``flip`` divides :math:`i`, for :math:`i=1..n`; braces are fractional parts.

    Parameters
    ----------
    n : int
        Points, 1 to ``MAX_POINTS``.
    flip : int
        1 or more.
    """
    if not 1 <= n <= MAX_POINTS:
        raise ValueError(f"n = {n}: expected an integer, 1 to {MAX_POINTS}")
    if flip < 1:
        raise ValueError(f"flip = {flip}: expected an integer, 1 or more")
    i = np.arange(1, n + 1)
    golden, root = (np.sqrt(5) - 1) / 2, np.sqrt(2) - 1
    X = np.column_stack([i * golden % 1, i * i * root % 1])
    y = (X.sum(axis=1) > 1) ^ (i % flip == 0)
    return X, y.astype(np.int64)
