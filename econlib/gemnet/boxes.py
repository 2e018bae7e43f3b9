"""Boxes of a bidder's values: a grid, or a tree of cuts that grows where it pays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from jaxtyping import Float, Int

__all__ = ["MAX_TUPLES", "Boxes", "check_size"]

#: Largest number of tuples of boxes, one of each bidder, that is held in memory.
MAX_TUPLES = 2**24


@dataclass(frozen=True)
class Boxes:
    """One bidder's values, cut into boxes.

    Attributes
    ----------
    low, high : ndarray, shape (n_boxes, n_items)
        Corners.
    nodes : ndarray of int, shape (n_nodes, 3)
        Tree of cuts from its root: item, and the nodes below and from the cut on; a
        leaf has item -1 and the number of its box.
    cuts : ndarray, shape (n_nodes,)
        Where the item is cut.
    """

    low: Float[np.ndarray, "n_boxes m"]
    high: Float[np.ndarray, "n_boxes m"]
    nodes: Int[np.ndarray, "n_nodes 3"]
    cuts: Float[np.ndarray, " n_nodes"]

    @classmethod
    def whole(cls, top: float | Float[np.ndarray, " m"], n_items: int) -> Boxes:
        """One box, from 0 to ``top`` in each item."""
        if n_items < 1 or not np.min(top) > 0:
            raise ValueError(
                f"n_items = {n_items}, top = {top}: expected 1 or more, above 0"
            )
        high = np.broadcast_to(np.asarray(top, float), n_items).copy()[None]
        return cls(np.zeros((1, n_items)), high, np.array([[-1, 0, 0]]), np.zeros(1))

    @classmethod
    def grid(
        cls, edges: Float[np.ndarray, " n_edges"], n_items: int, n_bidders: int = 1
    ) -> Boxes:
        """A grid with the same edges in each item.

        Parameters
        ----------
        edges : ndarray, shape (n_edges,)
            From 0 to the largest value, increasing.
        n_items : int
            1 or more.
        n_bidders : int
            Who will be cut alike: a product that will not fit is an error here.

        Raises
        ------
        ValueError
            Edges that do not increase from 0, or more boxes than fit.
        """
        edges = np.asarray(edges, float)
        if len(edges) < 2 or edges[0] != 0 or not (np.diff(edges) > 0).all():
            raise ValueError("edges: expected two or more, increasing from 0")
        check_size([(len(edges) - 1) ** n_items] * n_bidders)
        boxes = cls.whole(edges[-1], n_items)
        for item in range(n_items):
            boxes = boxes._slice(item, edges[1:-1])
        return boxes

    def _slice(self, item: int, at: np.ndarray) -> Boxes:
        """Boxes that hold these values inside, cut there, the middle value first."""
        if len(at) == 0:
            return self
        k = len(at) // 2
        inside = (self.low[:, item] < at[k]) & (at[k] < self.high[:, item])
        which = np.flatnonzero(inside)
        boxes = self.cut(which, np.full(len(which), item), at[k])
        return boxes._slice(item, at[:k])._slice(item, at[k + 1 :])

    def __len__(self) -> int:
        return len(self.low)

    @property
    def centres(self) -> Float[np.ndarray, "n_boxes m"]:
        """Middles of the boxes."""
        return (self.low + self.high) / 2

    @property
    def halves(self) -> Float[np.ndarray, "n_boxes m"]:
        """Half-widths of the boxes."""
        return (self.high - self.low) / 2

    def cut(
        self,
        which: Int[np.ndarray, " n"],
        items: Int[np.ndarray, " n"],
        at: float | Float[np.ndarray, " n"],
    ) -> Boxes:
        """Cut some boxes in two; the upper parts come last.

        Parameters
        ----------
        which : ndarray of int, shape (n,)
            Boxes.
        items : ndarray of int, shape (n,)
            Along which item each is cut.
        at : float or ndarray, shape (n,)
            Strictly inside the box.
        """
        at = np.broadcast_to(np.asarray(at, float), len(which))
        low, high = self.low.copy(), self.high.copy()
        new_low, new_high = low[which], high[which]
        rows = np.arange(len(which))
        if not ((new_low[rows, items] < at) & (at < new_high[rows, items])).all():
            raise ValueError("at: expected values strictly inside the boxes")
        new_low[rows, items] = at
        high[which, items] = at
        leaf = np.empty(len(self), dtype=int)
        ends = np.flatnonzero(self.nodes[:, 0] < 0)
        leaf[self.nodes[ends, 1]] = ends
        n, first = len(which), len(self.nodes)
        nodes = np.concatenate([self.nodes, np.full((2 * n, 3), -1)])
        nodes[first : first + n, 1] = which
        nodes[first + n :, 1] = len(self) + rows
        nodes[leaf[which]] = np.stack([items, first + rows, first + n + rows], axis=1)
        cuts = np.append(self.cuts, np.zeros(2 * n))
        cuts[leaf[which]] = at
        low, high = np.concatenate([low, new_low]), np.concatenate([high, new_high])
        return Boxes(low, high, nodes, cuts)

    def bisect(self, which: Int[np.ndarray, " n"]) -> Boxes:
        """Cut some boxes through their middle, across the longest side."""
        items = self.halves[which].argmax(axis=1)
        return self.cut(which, items, self.centres[which, items])

    def locate(self, values: Float[np.ndarray, "n_values m"]) -> np.ndarray:
        """The box of each value; on a cut, the upper one."""
        m = self.low.shape[1]
        top = self.high.max(axis=0)
        if values.shape[1] != m or not ((values >= 0) & (values <= top)).all():
            raise ValueError(f"values: expected {m} numbers each, from 0 to {top}")
        at = np.zeros(len(values), dtype=int)
        rows = np.arange(len(values))
        while True:
            item = self.nodes[at, 0]
            inner = item >= 0
            if not inner.any():
                return self.nodes[at, 1]
            up = values[rows, np.maximum(item, 0)] >= self.cuts[at]
            at = np.where(inner, np.where(up, self.nodes[at, 2], self.nodes[at, 1]), at)


def check_size(n_boxes: Sequence[int]) -> int:
    """Tuples of boxes; ValueError where there are more than fit."""
    total = prod(int(n) for n in n_boxes)
    if total > MAX_TUPLES:
        shown = " x ".join(str(n) for n in n_boxes)
        raise ValueError(
            f"boxes: {shown} = {total:,} tuples of cells do not fit, at most "
            f"{MAX_TUPLES:,} do. Lower the cells of an axis, the largest number of "
            "cells, the bidders or the items."
        )
    return total
