r"""Prices that make menus compatible everywhere, by one mixed-integer program.

Every bidder's values are cut into cells with centres :math:`g_i` and half-widths
:math:`\varepsilon_i` (0 for finite types), and her menu is constant in the others'
cells.  At each profile of cells :math:`y_{ik}` marks her reference choice and
:math:`w_{ik}` elements that she may take somewhere in her cell; others lose,

.. math::

   u_i^{k'}(g)-u_i^k(g)\ \ge\ \sum_j\varepsilon_{ij}|\alpha_j^k-\alpha_j^{k'}|+\eta
   -M(1-y_{ik'})-Mw_{ik},

and elements that may be taken together are feasible together.  The flags w are needed:
a margin against elements that clash with the others' *reference* choice alone lets two
bidders leave theirs at once.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from econlib import programs
from econlib.gemnet.tables import MenuTable, play_table

__all__ = ["JointRepair", "repair"]

_FORMS = ("flags", "reference", "all")
_OBJECTIVES = ("change", "revenue")
_MOST = 200_000  # rows of a program
_SHARP = 30.0  # of the objective, so that an absolute gap of 1e-6 is small


@dataclass(frozen=True)
class JointRepair:
    """Menus after their prices were changed.

    Attributes
    ----------
    table : MenuTable
        With the new prices.
    revenue : float
        Expected payments of the dearest best elements at the centres.
    change : float
        Sum of absolute changes of prices.
    n_binaries, n_rows : int
        Size of the program.
    seconds : float
        Wall-clock time of the search.
    """

    table: MenuTable
    revenue: float
    change: float
    n_binaries: int
    n_rows: int
    seconds: float


class _Rows:
    """Rows of a program, one after the other."""

    def __init__(self) -> None:
        self.parts: list[tuple[list[int], list[float]]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def add(self, entries: dict[int, float], low: float, high: float = np.inf) -> None:
        """A row of coefficients by column, and its bounds."""
        self.parts.append((list(entries), list(entries.values())))
        self.low.append(low)
        self.high.append(high)

    def matrix(self, width: int) -> sp.csr_matrix:
        """All rows, of some number of columns."""
        at = np.repeat(np.arange(len(self.parts)), [len(c) for c, _ in self.parts])
        columns = np.concatenate([c for c, _ in self.parts])
        values = np.concatenate([v for _, v in self.parts])
        return sp.csr_matrix((values, (at, columns)), (len(self.parts), width))


def repair(
    table: MenuTable,
    chance: Float[np.ndarray, " n_profiles"],
    *,
    objective: str = "change",
    strictness: float = 1e-7,
    form: str = "flags",
    most: float = np.inf,
    time_limit: float = 60.0,
) -> JointRepair:
    """Change prices so that no item can be sold twice in any cell.

    Parameters
    ----------
    table : MenuTable
        Its prices are where changes are measured from.
    chance : ndarray, shape (n_profiles,)
        Probability of each profile of cells.
    objective : {"change", "revenue"}
        Least sum of absolute changes, or most revenue of reference choices, which are
        then best ones.
    strictness : float
        By how much an element that is not flagged loses, as a share of the largest
        value; above the tolerance of the solver, 1e-8 or more.
    form : {"flags", "reference", "all"}
        With flags; or one of two wrong forms, kept as controls: the margin only against
        elements that clash with another's reference choice, or against all elements.
    most : float
        A known bound on revenue, at which the search may stop.
    time_limit : float
        Seconds.

    Raises
    ------
    ValueError
        An unknown objective or form, a strictness out of range, or too many rows.
    SolverError
        No solution, or not in time.
    """
    if objective not in _OBJECTIVES or form not in _FORMS:
        raise ValueError(
            f"objective = {objective!r}, form = {form!r}: expected one of "
            f"{', '.join(_OBJECTIVES)}, and one of {', '.join(_FORMS)}"
        )
    if not 1e-8 <= strictness <= 0.1:
        raise ValueError(f"strictness = {strictness}: expected a number, 1e-8 to 0.1")
    profiles = table.profiles
    sizes = [b.shape[1] for b in table.bundles]
    n_rows = len(profiles) * sum(k * k for k in sizes)
    if n_rows > _MOST:
        raise ValueError(
            f"{len(profiles)} profiles of cells with {sizes} elements: about {n_rows} "
            f"rows, expected at most {_MOST}; try fewer cells or elements"
        )
    scale = table.scale
    model = _Model(table, scale, profiles, sizes, strictness)
    model.choices(form, objective)
    model.feasibility(form)
    cost = model.cost(objective, chance)
    width = len(cost)
    program = programs.Program(
        cost,
        model.lower,
        model.upper,
        maximise=objective == "revenue",
        integer=model.integer,
        time_limit=time_limit,
        gap=1e-9,
        tolerance=1e-9,
    )
    program.add_rows(
        model.rows.matrix(width), np.array(model.rows.low), np.array(model.rows.high)
    )
    if objective == "revenue" and np.isfinite(most):
        program.add_rows(sp.csr_matrix(cost), upper=_SHARP * most / scale)
    found = program.solve()
    # the solver holds prices to 1e-9: those that stay do so exactly, and a grid of 1e-8
    # gives back exact ties
    new = []
    for at, before in zip(model.price, table.prices, strict=True):
        moved = np.pad(np.round(found.x[at] * scale, 8), ((0, 0), (1, 0)))
        stays = np.abs(moved - before) <= 2e-8 * max(scale, 1.0)
        new.append(np.where(stays, before, moved))
    new = tuple(new)
    mended = replace(table, prices=new)
    change = sum(
        float(np.abs(a - b).sum()) for a, b in zip(new, table.prices, strict=True)
    )
    _, paid = play_table(mended)
    return JointRepair(
        mended,
        float(chance @ paid.sum(axis=1)),
        change,
        int(model.integer.sum()),
        found.n_rows,
        found.seconds,
    )


class _Model:
    """Columns and rows of the program: prices, references y, flags w, and the rest."""

    def __init__(
        self,
        table: MenuTable,
        scale: float,
        profiles: np.ndarray,
        sizes: list[int],
        strictness: float,
    ) -> None:
        self.table, self.scale, self.profiles = table, scale, profiles
        self.strictness, self.n = strictness, len(sizes)
        self.rows = _Rows()
        # at this price nobody takes an element wherever she is in her cell
        self.tops = []
        for a, c, w in zip(table.bundles, table.centres, table.widths, strict=True):
            most = np.einsum("okm,cm->okc", a, (c + 2 * w) / scale).max(axis=2)
            self.tops.append(most + 2 * strictness + 1e-3)
        count = 0

        def block(*shape: int) -> np.ndarray:
            nonlocal count
            at = count + np.arange(int(np.prod(shape))).reshape(shape)
            count += at.size
            return at

        p = len(profiles)
        self.price = [
            block(len(b), k - 1) for b, k in zip(table.bundles, sizes, strict=True)
        ]
        self.y = [block(p, k) for k in sizes]
        self.w = [block(p, k) for k in sizes]
        self.gap = [
            block(len(b), k - 1) for b, k in zip(table.bundles, sizes, strict=True)
        ]
        self.pay = block(p, self.n)
        self.lower, self.upper = np.zeros(count), np.ones(count)
        self.integer = np.zeros(count, dtype=bool)
        for i, (at, before) in enumerate(zip(self.price, table.prices, strict=True)):
            # a price that is above may stay there
            self.tops[i] = np.maximum(self.tops[i], before / scale)
            self.upper[at] = self.tops[i][:, 1:]
            self.lower[at] = np.minimum(before[:, 1:] / scale, 0.0)
        for at in self.gap:
            self.upper[at] = np.inf
        self.lower[self.pay], self.upper[self.pay] = -np.inf, np.inf
        for at in (*self.y, *self.w):
            self.integer[at] = True

    def choices(self, form: str, objective: str) -> None:
        """One reference each, which beats what is not flagged by the margin."""
        t = self.table
        for i in range(self.n):
            others, own = t.others(i), self.profiles[:, i]
            centres, widths = t.centres[i] / self.scale, t.widths[i] / self.scale
            for p, (row, c) in enumerate(
                zip(others.tolist(), own.tolist(), strict=True)
            ):
                a = t.bundles[i][row]
                y, w = self.y[i][p].tolist(), self.w[i][p].tolist()
                worth = a @ centres[c]
                apart = np.abs(a[:, None] - a[None]) @ widths[c]
                self.rows.add(dict.fromkeys(y, 1.0), 1.0, 1.0)
                for k in range(len(a)):
                    self.rows.add({w[k]: 1.0, y[k]: -1.0}, 0.0)
                for k, best in itertools.permutations(range(len(a)), 2):
                    # u_best - u_k >= margin, unless best is no reference or k flagged
                    row_ = self._beats(i, row, best, k)
                    least = worth[k] - worth[best]
                    margin = apart[k, best] + self.strictness
                    top = self.tops[i][row, best] if best else 0.0
                    big = max(margin + least + top, 0.0)
                    if form == "reference":
                        self._against_references(
                            i, p, row_, least, margin, big, k, y[best]
                        )
                        extra = {}
                    else:
                        extra = {} if form == "all" else {w[k]: big}
                        entries = row_ | {y[best]: -big} | extra
                        self.rows.add(entries, least + margin - big)
                    if form == "reference" or (
                        form == "flags" and objective != "change"
                    ):
                        big = max(least + top, 0.0)
                        self.rows.add(row_ | {y[best]: -big}, least - big)

    def _beats(self, i: int, row: int, best: int, k: int) -> dict[int, float]:
        """Price of k less price of best."""
        entries = {}
        if best:
            entries[int(self.price[i][row, best - 1])] = -1.0
        if k:
            entries[int(self.price[i][row, k - 1])] = 1.0
        return entries

    def _against_references(
        self,
        i: int,
        p: int,
        row_: dict[int, float],
        least: float,
        margin: float,
        big: float,
        k: int,
        y_best: int,
    ) -> None:
        """The unsound form: k loses where it clashes with another's reference."""
        t = self.table
        mine = t.bundles[i][t.others(i)[p], k]
        for j in range(self.n):
            if j == i:
                continue
            theirs = t.bundles[j][t.others(j)[p]]
            for other in np.flatnonzero((mine + theirs > 1 + 1e-9).any(axis=1)):
                entries = row_ | {y_best: -big, int(self.y[j][p, other]): -big}
                self.rows.add(entries, least + margin - 2 * big)

    def feasibility(self, form: str) -> None:
        """Elements that may be taken together do not need more than there is."""
        t = self.table
        flags = self.w if form == "flags" else self.y
        rows = [t.others(i) for i in range(self.n)]
        for p in range(len(self.profiles)):
            menus = [t.bundles[i][rows[i][p]] for i in range(self.n)]
            for chosen in self._infeasible(menus):
                entries = {int(flags[i][p, k]): 1.0 for i, k in chosen}
                self.rows.add(entries, -np.inf, len(chosen) - 1.0)

    @staticmethod
    def _infeasible(menus: list[np.ndarray]) -> list[tuple[tuple[int, int], ...]]:
        """Smallest sets of elements of different bidders that sell an item twice."""
        found: list[tuple[tuple[int, int], ...]] = []
        for size in range(2, len(menus) + 1):
            for some in itertools.combinations(range(len(menus)), size):
                for ks in itertools.product(*(range(1, len(menus[i])) for i in some)):
                    total = sum(menus[i][k] for i, k in zip(some, ks, strict=True))
                    chosen = tuple(zip(some, ks, strict=True))
                    if (total > 1 + 1e-9).any() and not any(
                        set(less) <= set(chosen) for less in found
                    ):
                        found.append(chosen)
        return found

    def cost(self, objective: str, chance: np.ndarray) -> np.ndarray:
        """Objective, and the rows that define it."""
        cost = np.zeros(len(self.lower))
        t = self.table
        if objective == "change":
            for price, gap, before in zip(self.price, self.gap, t.prices, strict=True):
                start = before[:, 1:] / self.scale
                for p, g, b in zip(
                    price.ravel().tolist(),
                    gap.ravel().tolist(),
                    start.flat,
                    strict=True,
                ):
                    self.rows.add({g: 1.0, p: -1.0}, -b)
                    self.rows.add({g: 1.0, p: 1.0}, b)
                cost[gap] = 1.0
            self.lower[self.pay] = self.upper[self.pay] = 0.0
            return cost
        for gap in self.gap:
            self.upper[gap] = 0.0
        for i in range(self.n):
            self._payments(i)
        self.lower[self.pay] = 0.0
        cost[self.pay] = _SHARP * chance[:, None]
        return cost

    def _payments(self, i: int) -> None:
        """Payments are at most the reference's price, and truth pays.

        The second follows from the rest for whole references; without them it makes the
        relaxation the linear program of the optimal auction.
        """
        t, others, own = self.table, self.table.others(i), self.profiles[:, i]
        at = {
            pair: p
            for p, pair in enumerate(zip(others.tolist(), own.tolist(), strict=True))
        }
        for p, (row, c) in enumerate(zip(others.tolist(), own.tolist(), strict=True)):
            pay, most = int(self.pay[p, i]), float(self.tops[i][row].max())
            for k, y in enumerate(self.y[i][p].tolist()):
                entries = {pay: -1.0, y: -most}
                if k:
                    entries[int(self.price[i][row, k - 1])] = 1.0
                self.rows.add(entries, -most)
            worth = t.bundles[i][row] @ t.centres[i][c] / self.scale
            truth = dict(zip(self.y[i][p].tolist(), worth, strict=True))
            self.rows.add(truth | {pay: -1.0}, 0.0)
            for told in range(len(t.centres[i])):
                if told != c:
                    q = at[row, told]
                    lie = dict(zip(self.y[i][q].tolist(), -worth, strict=True))
                    gain = truth | lie | {pay: -1.0, int(self.pay[q, i]): 1.0}
                    self.rows.add(gain, 0.0)
