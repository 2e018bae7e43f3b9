r"""The sensor network: targets that move between sensors on a map.

An array of :math:`H\times W` sensors stands on the cells of a
:math:`(2H-1)\times(2W-1)` map whose coordinates are both even; the others are free.
Targets stand on different free cells.  In a step each target in turn draws a move of
:math:`\{-2,\dots,2\}^2`, cut off at the border of the map, until the new cell is free
and not its own.  A sensor sees its eight neighbours, a function of the state; every
free cell is seen by two to four sensors.  The state is the occupancy of the free
cells, with entries :math:`\pm1`; targets cannot be told apart.

A scan of one neighbour costs 1; a target that is scanned by 2, 3 or 4 sensors at once
yields 3, 4.5 or 6 (:data:`YIELDS`), one that a single sensor scans nothing.  Scans do
not move targets, so that posteriors do not depend on the policy.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from econlib.decpomdp_diffusion.chain import MAX_HIDDEN
from econlib.decpomdp_diffusion.model import DecPOMDP

__all__ = ["NEIGHBOURS", "YIELDS", "SensorNetwork", "sensor_network"]

#: Row and column steps to a sensor's neighbours, row by row.
NEIGHBOURS = tuple((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0))
#: What a target yields by the number of sensors that scan it.
YIELDS = (0.0, 0.0, 3.0, 4.5, 6.0)


@dataclass(frozen=True)
class SensorNetwork(DecPOMDP):
    """A sensor network as a process with exact posteriors.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the array of sensors.
    n_targets : int
        Number of targets.
    active : tuple of int
        Sensors that are agents, numbered row by row.
    cells : ndarray of int, shape (d, 2)
        Row and column of each free cell on the map.
    seen : ndarray of int, shape (n_agents, 8)
        Free cell behind each neighbour, -1 off the map.
    windows : tuple of ndarray, each of shape (n_symbols, 8)
        What an agent's symbols look like: 1 target, 0 empty, -1 off the map.
    """

    shape: tuple[int, int]
    n_targets: int
    active: tuple[int, ...]
    cells: Int[np.ndarray, "d 2"]
    seen: Int[np.ndarray, "n_agents 8"]
    windows: tuple[np.ndarray, ...]

    def features(
        self, obs: Int[np.ndarray, "n length n_agents"]
    ) -> Float[np.ndarray, "n_agents n length*8"]:
        """Each agent's history as numbers: its windows, oldest first."""
        self._check(obs, range(self.n_agents))
        n = len(obs)
        return np.stack(
            [self.windows[i][obs[:, :, i]].reshape(n, -1) for i in range(self.n_agents)]
        )


def sensor_network(
    shape: tuple[int, int] = (2, 3),
    n_targets: int = 2,
    active: Sequence[int] | None = None,
) -> SensorNetwork:
    """Build a sensor network.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the array, 2 or more each.
    n_targets : int
        1 or more; the ordered placements must not exceed ``MAX_HIDDEN``.
    active : sequence of int, optional
        Sensors that are agents, row by row from 0; all if left out.  With fewer the
        agents together may not know the state.

    Raises
    ------
    ValueError
        Sizes out of range, too many states, sensors that do not exist or repeat.

    Examples
    --------
    >>> sensor_network((2, 3), 2).n_states
    36
    >>> sensor_network((2, 3), 2, active=[0, 5]).collectively_observable()
    False
    """
    rows, columns = _sizes(shape)
    sensors = [(2 * i, 2 * j) for i in range(rows) for j in range(columns)]
    cells = [
        (i, j)
        for i in range(2 * rows - 1)
        for j in range(2 * columns - 1)
        if (i, j) not in sensors
    ]
    d = len(cells)
    if isinstance(n_targets, bool) or not isinstance(n_targets, int | np.integer):
        raise ValueError(f"n_targets = {n_targets!r}: expected an integer, 1 or more")
    if not 1 <= n_targets < d:
        raise ValueError(f"n_targets = {n_targets}: expected an integer, 1 to {d - 1}")
    n_hidden = math.perm(d, n_targets)
    if n_hidden > MAX_HIDDEN:
        raise ValueError(
            f"shape = {rows}x{columns} with n_targets = {n_targets} has {n_hidden} "
            f"placements: expected at most {MAX_HIDDEN}. Try fewer targets"
        )
    active = range(len(sensors)) if active is None else list(active)
    if not len(active) or sorted(set(active)) != sorted(active):
        raise ValueError(f"active = {list(active)}: expected different sensors")
    if min(active) < 0 or max(active) >= len(sensors):
        raise ValueError(
            f"active = {list(active)}: expected sensors 0 to {len(sensors) - 1}"
        )
    hidden = np.array(list(itertools.permutations(range(d), n_targets)))
    sets, lump = np.unique(np.sort(hidden, axis=1), axis=0, return_inverse=True)
    states = -np.ones((len(sets), d))
    np.put_along_axis(states, sets, 1.0, axis=1)
    lump = lump.ravel()
    number = {cell: k for k, cell in enumerate(cells)}
    seen = np.array(
        [
            [
                number.get((sensors[i][0] + a, sensors[i][1] + b), -1)
                for a, b in NEIGHBOURS
            ]
            for i in active
        ]
    )
    laws, windows = [], []
    for own in seen:
        view = np.where(own >= 0, states[:, own] > 0, -1)
        looks, code = np.unique(view, axis=0, return_inverse=True)
        laws.append(np.eye(len(looks))[code.ravel()][lump])
        windows.append(looks.astype(float))
    return SensorNetwork(
        states=states,
        lump=lump,
        b0=np.full(n_hidden, 1 / n_hidden),
        P=_moves(hidden, np.array(cells), rows, columns),
        O=tuple(laws),
        shape=(rows, columns),
        n_targets=int(n_targets),
        active=tuple(int(i) for i in active),
        cells=np.array(cells),
        seen=seen,
        windows=tuple(windows),
    )


def _sizes(shape: object) -> tuple[int, int]:
    good = isinstance(shape, tuple | list) and len(shape) == 2
    if not good or not all(
        isinstance(k, int | np.integer) and not isinstance(k, bool) and 2 <= k <= 8
        for k in shape
    ):
        raise ValueError(f"shape = {shape!r}: expected two integers, 2 to 8 each")
    return int(shape[0]), int(shape[1])


def _moves(
    hidden: np.ndarray, cells: np.ndarray, rows: int, columns: int
) -> tuple[sp.csr_matrix, ...]:
    """One sparse factor a target: it moves, the others stay."""
    d, (n, m) = len(cells), hidden.shape
    counts = np.zeros((d, d))
    number = {tuple(cell): k for k, cell in enumerate(cells)}
    top = (2 * rows - 2, 2 * columns - 2)
    for k, cell in enumerate(cells):
        for move in itertools.product(range(-2, 3), repeat=2):
            to = tuple(int(np.clip(cell[a] + move[a], 0, top[a])) for a in (0, 1))
            if to in number and number[to] != k:
                counts[k, number[to]] += 1
    base = d ** np.arange(m)[::-1]
    codes = hidden @ base
    order = np.argsort(codes)
    factors = []
    for k in range(m):
        weight = counts[hidden[:, k]].copy()
        for other in range(m):
            if other != k:
                weight[np.arange(n), hidden[:, other]] = 0.0
        weight /= weight.sum(axis=1, keepdims=True)
        source, to = np.nonzero(weight)
        target = codes[source] + (to - hidden[source, k]) * base[k]
        column = order[np.searchsorted(codes[order], target)]
        factors.append(
            sp.csr_matrix((weight[source, to], (source, column)), shape=(n, n))
        )
    return tuple(factors)
