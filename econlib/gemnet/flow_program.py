"""Flows that bound revenue best on a coarse grid, by a linear program.

The bound of :mod:`econlib.gemnet.dual`, with the mean over a cell taken at three
equally likely points, is a linear program in the flows through faces; what its solution
proves is then evaluated like that of any other flow.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from econlib import programs
from econlib.gemnet.dual import FlowBound
from econlib.gemnet.flows import grid_edges
from econlib.gemnet.laws import Law

__all__ = ["solve_flows"]

_MOST = 6  # cells of an item: about 100,000 rows
_POINTS = (np.arange(3) + 0.5) / 3


def solve_flows(laws: tuple[Law, Law], cells: int = 4) -> FlowBound:
    """Best flows of two bidders for the bound at three points a cell.

    Parameters
    ----------
    laws : tuple of Law
        Of the bidders; the same object twice makes both flow alike.
    cells : int
        Of an item's values, 2 to 6.

    Raises
    ------
    ValueError
        Another number of cells.
    SolverError
        No optimum.
    """
    if not 2 <= cells <= _MOST:
        raise ValueError(f"cells = {cells}: expected an integer, 2 to {_MOST}")
    edges = tuple(grid_edges(law, cells) for law in laws)
    sizes = [len(e) - 1 for e in edges]
    masses = [np.diff(law.cdf(e)) for law, e in zip(laws, edges, strict=True)]
    alike = laws[0] is laws[1]
    shapes = [(2, sizes[1 - i], sizes[1 - i], sizes[i], sizes[i]) for i in (0, 1)]
    # flow through the face of a cell towards lower values: item, other's cell, own cell
    faces, n_flows = [], 0
    for i in (0, 1):
        if i == 0 or not alike:
            count = int(np.prod(shapes[i]))
            faces.append(n_flows + np.arange(count).reshape(shapes[i]))
            n_flows += count
    faces = [faces[0], faces[-1]]
    profiles = np.indices((2, *shapes[0][1:], 3, 3)).reshape(7, -1)
    j, c, d, a, b, s, r = profiles
    n_best = len(j)
    at = np.arange(n_best)
    chance = masses[0][a] * masses[0][b] * masses[1][c] * masses[1][d] / 9
    blocks = []
    for i, (own, other, point) in enumerate((((a, b), (c, d), s), ((c, d), (a, b), r))):
        item, rest = np.where(j == 0, own, own[::-1])
        level = laws[i].cdf(edges[i])[item] + masses[i][item] * _POINTS[point]
        value = laws[i].ppf(level)
        scale = 1 / (masses[i][rest] * laws[i].pdf(value))
        low = faces[i][j, *other, *own]
        inner = (
            item + 1 < sizes[i]
        )  # nothing flows in where the item's value is largest
        above = [own[0] + (j == 0), own[1] + (j == 1)]
        above = [np.minimum(z, sizes[i] - 1) for z in above]
        high = faces[i][j, *other, *above]
        rows = np.concatenate([at, at, at[inner]])
        columns = np.concatenate([low, n_flows + at, high[inner]])
        shares = _POINTS[point] * scale
        entries = np.concatenate([scale - shares, np.ones(n_best), shares[inner]])
        blocks.append((_matrix(rows, columns, entries, n_flows + n_best), value))
    lowest = np.full(n_flows + n_best, -np.inf)
    lowest[n_flows:] = 0.0
    for face in faces:
        lowest[face[0, :, :, 0]] = lowest[face[1, :, :, :, 0]] = 0.0
    program = programs.Program(
        np.concatenate([np.zeros(n_flows), chance]), lowest, np.inf, method="ipm"
    )
    for block, value in blocks:
        program.add_rows(block, lower=value)
    for i in range(1 if alike else 2):
        program.add_rows(*_conserved(faces[i], masses[i], n_flows + n_best))
    x = program.solve().x
    flows = tuple(_with_tops(x[face]) for face in faces)
    none = tuple(tuple(np.zeros_like(z) for z in both) for both in flows)
    return FlowBound(laws, edges, flows, none)


def _matrix(
    rows: np.ndarray, columns: np.ndarray, entries: np.ndarray, width: int
) -> sp.csr_matrix:
    return sp.csr_matrix((entries, (rows, columns)), (int(rows.max()) + 1, width))


def _conserved(
    face: np.ndarray, mass: np.ndarray, width: int
) -> tuple[sp.csr_matrix, np.ndarray]:
    """What comes into a cell less what leaves it, at least minus its own mass."""
    one, two = face
    at = np.arange(one.size).reshape(one.shape)
    rows = [at, at, at[:, :, :-1], at[:, :, :, :-1]]
    columns = [one, two, one[:, :, 1:], two[:, :, :, 1:]]
    signs = np.repeat([-1.0, -1.0, 1.0, 1.0], [z.size for z in rows])
    flat = [np.concatenate([z.ravel() for z in group]) for group in (rows, columns)]
    own = np.broadcast_to(mass[:, None] * mass, one.shape)
    return _matrix(*flat, signs, width), -own.ravel()


def _with_tops(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    one, two = np.array(flow)
    # a solver's zeros may be a rounding below
    one[:, :, 0] = np.maximum(one[:, :, 0], 0.0)
    two[:, :, :, 0] = np.maximum(two[:, :, :, 0], 0.0)
    return (
        np.concatenate([one, np.zeros_like(one[:, :, :1])], axis=2),
        np.concatenate([two, np.zeros_like(two[:, :, :, :1])], axis=3),
    )
