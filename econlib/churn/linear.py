r"""All linear classifiers of a few cells, listed.

With a row of features :math:`u_c` a cell, weights :math:`|w_j|\le1` and labels
:math:`p_c\in\{0,1\}`, a labeling is linear iff for a small margin :math:`g`

.. math::

   u_c\cdot w\ge g\ \text{ where }p_c=1,\qquad u_c\cdot w\le-g\ \text{ where }p_c=0 .

The list grows one cell after another; where the weights at hand do not reach a label,
a linear program looks for others.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from econlib.programs import Program

__all__ = ["MARGIN", "check_features", "linear_labelings", "separator"]

#: Least distance of a score from 0, with weights of at most 1.
MARGIN = 1e-4


def check_features(U: np.ndarray) -> None:
    """Raise ValueError unless every cell has a feature, all finite."""
    if U.ndim != 2 or 0 in U.shape or not np.isfinite(U).all():
        raise ValueError(f"U: shape {U.shape}, expected finite (n_cells, n_features)")
    if (U == 0).all(axis=1).any():
        raise ValueError("U: a cell has no feature; add an intercept")


def linear_labelings(
    U: Float[np.ndarray, "n_cells n_features"], margin: float = MARGIN
) -> Int[np.ndarray, "n_labelings n_cells"]:
    """List every labeling that some linear classifier makes.

    Parameters
    ----------
    U : ndarray, shape (n_cells, n_features)
        Features, with a column of ones for an intercept; at most 30 cells.
    margin : float
        Least distance of scores from 0 with weights in [-1, 1], above 0.

    Returns
    -------
    ndarray of int, shape (n_labelings, n_cells)
        In the order of binary strings.

    Raises
    ------
    ValueError
        Too many cells, a cell without features, or a margin that is not positive.

    Examples
    --------
    >>> linear_labelings(np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])).tolist()
    [[0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    check_features(U)
    if len(U) > 30:
        raise ValueError(f"U: {len(U)} cells, expected at most 30; use LinearCells")
    if not margin > 0:
        raise ValueError(f"margin = {margin}: expected a number above 0")
    known: list[tuple[list[int], np.ndarray]] = [([], np.zeros(U.shape[1]))]
    for k in range(len(U)):
        longer = []
        for labels, w in known:
            for label in (0, 1):
                side = (2 * label - 1) * (U[k] @ w)
                more = np.array([*labels, label])
                at = w if side >= margin else separator(U[: k + 1], more)
                if at is not None:
                    longer.append(([*labels, label], at))
        known = [(h, w) for h, w in longer if _margin(U[: k + 1], h, w) >= margin]
    return np.array([labels for labels, _ in known], dtype=np.int64)


def _margin(U: np.ndarray, labels: list[int], w: np.ndarray) -> float:
    return float(((2 * np.array(labels) - 1) * (U @ w)).min())


def separator(
    U: Float[np.ndarray, "n_cells n_features"], labels: Int[np.ndarray, " n_cells"]
) -> Float[np.ndarray, " n_features"] | None:
    """Weights in [-1, 1] that make some labels with the largest margin.

    Parameters
    ----------
    U : ndarray, shape (n_cells, n_features)
    labels : ndarray of int, shape (n_cells,)
        0 and 1.

    Returns
    -------
    ndarray or None
        None where no linear classifier makes them.
    """
    sign = 2.0 * labels - 1
    n = U.shape[1]
    program = Program(
        np.eye(n + 1)[n],
        np.append(np.full(n, -1.0), 0.0),
        np.ones(n + 1),
        maximise=True,
    )
    program.add_rows(np.column_stack([sign[:, None] * U, -np.ones(len(U))]), 0.0)
    x = program.solve().x
    return x[:n] if x[n] > 1e-9 else None
