"""The search for flows that bound revenue well (:mod:`econlib.gemnet.dual`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from econlib.gemnet.dual import FlowBound
from econlib.gemnet.laws import Law
from econlib.training import TrainingError

__all__ = ["Tightened", "grid_edges", "tighten"]

_MOST = 2_000_000  # cells of pairs of values


def grid_edges(law: Law, cells: int) -> Float[np.ndarray, " n"]:
    """Edges of cells of equal width, with the breaks of a law among them.

    Parameters
    ----------
    law : Law
    cells : int
        About; each piece between breaks gets its share, one at least.
    """
    b = law.breaks
    counts = np.maximum(1, np.rint(np.diff(b) / law.top * cells).astype(int))
    parts = [np.linspace(b[i], b[i + 1], n + 1)[:-1] for i, n in enumerate(counts)]
    return np.append(np.concatenate(parts), law.top)


@dataclass(frozen=True)
class Tightened:
    """A bound and how it was found.

    Attributes
    ----------
    bound : FlowBound
    curve : ndarray, shape (n_steps,)
        The bound by three points a cell at each step, a little below the proved one.
    """

    bound: FlowBound
    curve: Float[np.ndarray, " n_steps"]


class _Field(nn.Module):
    """Free numbers of one bidder's flow, which is feasible whatever they are.

    Every cell sends its own mass and what comes in on to lower values of either item,
    or keeps it, in shares; a circulation is added, and what is kept may turn negative
    by it a little, which the bound pays for.
    """

    def __init__(self, law: Law, edges: np.ndarray, n_other: int, ironed: bool) -> None:
        super().__init__()
        n = len(edges) - 1
        self.n, self.ironed = n, ironed
        mass = np.diff(law.cdf(edges))
        self.register_buffer("mass", torch.as_tensor(mass))
        t = (np.arange(3) + 0.5) / 3
        levels = law.cdf(edges[:-1])[:, None] + mass[:, None] * t
        values = law.ppf(levels)
        self.register_buffer("t", torch.as_tensor(t))
        self.register_buffer("values", torch.as_tensor(values))
        self.register_buffer("density", torch.as_tensor(law.pdf(values)))
        a = torch.arange(n)
        s = torch.arange(2 * n - 1)[:, None] - a
        self.register_buffer("inside", (s >= 0) & (s < n))
        # mass of the cells (a, s - a) of a diagonal
        own = self.mass * self.mass[s.clamp(0, n - 1)] * self.inside
        self.register_buffer("own", own)
        shares = torch.zeros(2 * n - 1, n_other, n_other, n, 3, dtype=torch.float64)
        shares[..., 2] = -3.0
        self.shares = nn.Parameter(shares)
        other = (n_other, n_other)
        zeros = torch.zeros(*other, n - 1, n - 1, dtype=torch.float64)
        self.turning = nn.Parameter(zeros)
        if ironed:
            low = torch.full((*other, n - 1, n), -2.0, dtype=torch.float64)
            self.iron_one = nn.Parameter(low)
            self.iron_two = nn.Parameter(low.transpose(-1, -2).clone())

    def flows(self) -> tuple[Tensor, Tensor]:
        """Through faces with a lower neighbour or the edge 0, each (..., n, n)."""
        n = self.n
        share = torch.softmax(self.shares, dim=-1)
        one, two = [], []
        shape = self.shares.shape[1:4]
        right = top = torch.zeros(shape, dtype=torch.float64)
        for s in range(2 * n - 2, -1, -1):
            full = self.own[s] + (right + top) * self.inside[s]
            out = full[..., None] * share[s]
            one.append(out[..., 0])
            two.append(out[..., 1])
            right = nn.functional.pad(out[..., 1:, 0], (0, 1))
            top = out[..., 1]
        a = torch.arange(n)
        s = a[:, None] + a
        faces = [
            torch.stack(z[::-1])[s, :, :, a[:, None]].permute(2, 3, 0, 1)
            for z in (one, two)
        ]
        psi = nn.functional.pad(self.turning / n, (1, 1, 1, 1))
        return (
            faces[0] + psi[..., :-1, 1:] - psi[..., :-1, :-1],
            faces[1] - psi[..., 1:, :-1] + psi[..., :-1, :-1],
        )

    def ironing(self) -> tuple[Tensor, Tensor]:
        """K at faces, 0 at both ends of an axis."""
        if not self.ironed:
            other, n = self.shares.shape[1], self.n
            none = torch.zeros(other, other, n + 1, n, dtype=torch.float64)
            return none, none.transpose(-1, -2)
        small = [
            nn.functional.softplus(4 * z) / (4 * self.n**2)
            for z in (self.iron_one, self.iron_two)
        ]
        pad = nn.functional.pad
        return pad(small[0], (0, 0, 1, 1)), pad(small[1], (1, 1))

    def virtual_values(self) -> tuple[Tensor, Tensor]:
        """Of both items at three points a cell, each (..., n, n, 3), own axis last."""
        out = []
        pad = nn.functional.pad
        flows, irons = self.flows(), self.ironing()
        for j in (0, 1):
            w = pad(flows[j], (0, 0, 0, 1) if j == 0 else (0, 1))
            k = irons[j]
            if j == 0:
                w, k = w.transpose(-1, -2), k.transpose(-1, -2)
            w = w / self.mass[:, None]
            k = torch.diff(k, dim=-1) / (self.mass[:, None] * self.mass)
            at = w[..., :-1, None] + torch.diff(w, dim=-1)[..., None] * self.t
            out.append(self.values - at / self.density - k[..., None])
        return out[0], out[1]

    def kept(self) -> Tensor:
        """Mass that comes into each cell less what leaves it, (..., n, n)."""
        pad = nn.functional.pad
        one, two = self.flows()
        return (
            self.mass[:, None] * self.mass
            + torch.diff(pad(one, (0, 0, 0, 1)), dim=-2)
            + torch.diff(pad(two, (0, 1)), dim=-1)
        )


def tighten(
    laws: tuple[Law, ...],
    *,
    cells: int = 8,
    steps: int = 400,
    lr: float = 0.05,
    ironing: bool = False,
) -> Tightened:
    """Find flows with a low bound, by Adam from equal shares.

    Parameters
    ----------
    laws : tuple of Law
        One or two bidders; the same object twice makes both flow alike.
    cells : int
        Of an item's values, 2 or more.
    steps : int
        1 or more.
    lr : float
        First learning rate, falling to a fiftieth along a cosine.
    ironing : bool
        Whether to iron along the axes, of use where a law is not regular.

    Raises
    ------
    ValueError
        Numbers out of range, or too many cells.
    TrainingError
        A bound that is not finite.
    """
    if len(laws) not in (1, 2):
        raise ValueError(f"laws: {len(laws)} of them, expected 1 or 2")
    if cells < 2 or steps < 1 or not lr > 0:
        raise ValueError(
            f"cells = {cells}, steps = {steps}, lr = {lr}: expected 2 or more, "
            "1 or more, and above 0"
        )
    if cells ** (2 * len(laws)) > _MOST:
        raise ValueError(
            f"cells = {cells}: {cells ** (2 * len(laws))} cells of pairs, expected at "
            f"most {_MOST}; lower cells"
        )
    edges = tuple(grid_edges(law, cells) for law in laws)
    sizes = [len(e) - 1 for e in edges]
    alike = len(laws) == 2 and laws[0] is laws[1]
    fields = [
        _Field(law, e, sizes[1 - i] if len(laws) == 2 else 1, ironing)
        for i, (law, e) in enumerate(zip(laws, edges, strict=True))
    ]
    if alike:
        fields[1] = fields[0]
    numbers = [z for field in dict.fromkeys(fields) for z in field.parameters()]
    adam = torch.optim.Adam(numbers, lr=lr)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps, eta_min=lr / 50)
    curve = np.empty(steps)
    weights = [f.mass[:, None] * f.mass for f in fields]
    for step in range(steps):
        adam.zero_grad()
        loss = _sampled(fields, weights, alike)
        if not torch.isfinite(loss):
            raise TrainingError(f"the bound is not finite at step {step}")
        loss.backward()
        adam.step()
        decay.step()
        curve[step] = float(loss.detach())
    flows, irons = [], []
    with torch.no_grad():
        for field in fields:
            one, two = (z.numpy() for z in field.flows())
            top = np.zeros_like(one[..., :1, :])
            ends = np.zeros_like(two[..., :1])
            flows.append(
                (np.concatenate([one, top], 2), np.concatenate([two, ends], 3))
            )
            irons.append(tuple(z.numpy() for z in field.ironing()))
    return Tightened(FlowBound(laws, edges, tuple(flows), tuple(irons)), curve)


def _sampled(fields: list[_Field], weights: list[Tensor], alike: bool) -> Tensor:
    """The bound by three points a cell, with what negative mass is worth."""
    values = [f.virtual_values() for f in (fields[:1] if alike else fields)]
    total = torch.zeros((), dtype=torch.float64)
    for j in (0, 1):
        # axes: other's cell (2), own cell (other item, item), point
        p = values[0][j]
        if len(fields) == 1:
            total = total + (weights[0] * torch.relu(p[0, 0]).mean(-1)).sum()
            continue
        q = values[-1][j]
        if j == 0:
            # others' cells come as (item 1, item 2): turn to (other item, item)
            p, q = p.transpose(0, 1), q.transpose(0, 1)
        q = q.permute(2, 3, 0, 1, 4)
        best = torch.relu(torch.maximum(p[..., :, None], q[..., None, :]))
        mean = best.mean(dim=(-1, -2))
        total = total + torch.einsum("cdab,cd,ab->", mean, weights[1], weights[0])
    for i, field in enumerate(fields[:1] if alike else fields):
        lost = torch.relu(-field.kept()).sum(dim=(2, 3))
        other = weights[1 - i] if len(fields) == 2 else torch.ones(1, 1)
        total = total + 2 * (1 + alike) * (lost * other).sum()
    return total
