r"""Prioritised replay for several runs side by side.

Entry :math:`j` of a run is drawn with probability proportional to
:math:`(|\delta_j|+\varepsilon)^a`, :math:`\delta_j` its last error and :math:`a=.4`;
there are no importance weights (their exponent :math:`\beta` is 0).  Sums of priorities
stand in a binary tree for each run, so that drawing and changing one entry cost
:math:`\log_2` of the capacity.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

__all__ = ["PrioritizedReplay"]


@njit(cache=True)
@no_type_check
def _put(tree, rows, weights):
    """Set leaf weights of each run and the sums above them."""
    half = tree.shape[1] // 2
    for r in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            node = half + rows[r, j]
            tree[r, node] = weights[r, j]
            node //= 2
            while node >= 1:
                tree[r, node] = tree[r, 2 * node] + tree[r, 2 * node + 1]
                node //= 2


@njit(cache=True)
@no_type_check
def _draw(tree, u, out):
    """Leaves at shares ``u`` of each run's total."""
    half = tree.shape[1] // 2
    for r in range(u.shape[0]):
        for j in range(u.shape[1]):
            left, node = u[r, j] * tree[r, 1], 1
            while node < half:
                node *= 2
                if left >= tree[r, node] and tree[r, node + 1] > 0:
                    left -= tree[r, node]
                    node += 1
            out[r, j] = node - half


class PrioritizedReplay:
    """Rows of integers and rewards of several runs, the oldest overwritten.

    Parameters
    ----------
    n_runs, capacity : int
        Runs, and rows of each that are kept; at least 1.
    n_fields : int
        Numbers in a row.
    exponent, least : float
        :math:`a` and :math:`\\varepsilon`.

    Raises
    ------
    ValueError
        A size below 1.

    Examples
    --------
    >>> replay = PrioritizedReplay(1, 4, 1)
    >>> replay.add(np.array([[[0.0], [1.0], [2.0]]]))
    >>> replay.update(np.array([[0, 1, 2]]), np.array([[0.0, 0.0, 9.0]]))
    >>> rows, found = replay.sample(5, np.random.default_rng(0))
    >>> found[0, :, 0].tolist()
    [2.0, 2.0, 2.0, 2.0, 2.0]
    """

    def __init__(
        self,
        n_runs: int,
        capacity: int,
        n_fields: int,
        exponent: float = 0.4,
        least: float = 1e-7,
    ) -> None:
        sizes = {"n_runs": n_runs, "capacity": capacity, "n_fields": n_fields}
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"{name} = {value}: expected an integer, at least 1")
        self.capacity, self.exponent, self.least = capacity, exponent, least
        self.rows = np.zeros((n_runs, capacity, n_fields))
        self._tree = np.zeros((n_runs, 2 * max(2, 2 ** (capacity - 1).bit_length())))
        self._top = np.ones(n_runs)
        self._at = 0

    def add(self, rows: Float[np.ndarray, "n_runs n_new n_fields"]) -> None:
        """Keep new rows at the largest priority seen so far."""
        n_runs, n_new = rows.shape[:2]
        where = (self._at + np.arange(n_new)) % self.capacity
        self.rows[:, where] = rows
        self._at = (self._at + n_new) % self.capacity
        weights = np.repeat(self._top[:, None], n_new, axis=1)
        _put(self._tree, np.tile(where, (n_runs, 1)), weights)

    def sample(
        self, batch: int, rng: np.random.Generator
    ) -> tuple[Int[np.ndarray, "n_runs batch"], Float[np.ndarray, "n_runs batch k"]]:
        """Draw rows with replacement; returns where they stand and what they hold."""
        n_runs = len(self.rows)
        where = np.zeros((n_runs, batch), np.int64)
        _draw(self._tree, rng.random((n_runs, batch)), where)
        return where, np.take_along_axis(self.rows, where[:, :, None], axis=1)

    def update(
        self,
        where: Int[np.ndarray, "n_runs batch"],
        errors: Float[np.ndarray, "n_runs batch"],
    ) -> None:
        """Set priorities by absolute errors."""
        weights = (np.abs(errors).astype(float) + self.least) ** self.exponent
        self._top = np.maximum(self._top, weights.max(axis=1))
        _put(self._tree, where, weights)
