r"""A network for private beliefs that cannot break incentives or obedience.

Beliefs in [0, 1] are cut into :math:`K` equal cells, an even number.  A buyer who
leans to state 2 gets :math:`\pi_{22}=1` and :math:`\pi_{11}=a[k,l]`, a network's output
sorted to rise in the own belief and to fall in the rival's; state 1 is the mirror
image.  Then obedience holds at every belief, :math:`A_k=\bar a_k-\alpha\tilde a_k`
rises and :math:`B_k=\bar b_k-\alpha\tilde b_k` falls, and prices with

.. math::

   p_m-p_{m-1}=\theta_m(A_m-A_{m-1})+(1-\theta_m)(B_m-B_{m-1}),\qquad\theta_m=m/K,

make truth the best report of every real belief that obeys; the level of prices is the
largest that all beliefs accept.  Only double deviations are left to be audited.
One experiment that is full for the state a buyer leans to is what the programs find at
small externalities; at 1 and beyond they do not, and the network stays below them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from econlib.data_markets.allocation_nets import StackedMLP
from econlib.data_markets.private_beliefs import deviations
from econlib.training import FitResult, fit, generator

__all__ = ["SortedAudit", "SortedBeliefs", "audit_beliefs", "train_sorted"]


class SortedBeliefs(nn.Module):
    """Experiments of two buyers with uniform private beliefs.

    Parameters
    ----------
    alpha : float
        Strength of the externality, 0 or more.
    n_cells : int
        Cells of beliefs; even, 2 to 400.
    width, depth : int
        Hidden units and layers, 1 or more.
    seed : int
        Of the initial weights.

    Raises
    ------
    ValueError
        A negative externality, or a number of cells that is odd or out of range.
    """

    def __init__(
        self,
        alpha: float,
        n_cells: int = 40,
        *,
        width: int = 64,
        depth: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= alpha < np.inf:
            raise ValueError(f"alpha = {alpha}: expected a number, 0 or more")
        if n_cells % 2 or not 2 <= n_cells <= 400:
            raise ValueError(f"n_cells = {n_cells}: expected an even number, 2 to 400")
        self.alpha, self.n_cells = alpha, n_cells
        self.net = StackedMLP(1, 2, 1, width, depth, generator(seed))

    def forward(self, n_cells: int | None = None) -> Float[Tensor, "n_cells n_cells 2"]:
        """Experiments by own and rival cell."""
        k = self.n_cells if n_cells is None else n_cells
        t = (torch.arange(k, dtype=torch.float64) + 0.5) / k
        pairs = torch.cartesian_prod(t[: k // 2], t)
        y = torch.sigmoid(5 * self.net(pairs[None])).reshape(k // 2, k)
        y = y.sort(0).values.sort(1, descending=True).values
        a = torch.cat([y, torch.ones_like(y)])
        return torch.stack([a, a.flip(0, 1)], -1)


def prices(
    experiments: Float[Tensor, "n_cells n_cells 2"], alpha: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Interim experiments of oneself and the rival, and the largest honest prices.

    Returns
    -------
    own, rival : Tensor, shape (n_cells, 2)
        Interim means.
    payments : Tensor, shape (n_cells,)
        Prices of the reports.
    """
    own, rival = experiments.mean(1), experiments.mean(0)
    net, k = own - alpha * rival, len(own)
    ends = torch.arange(k + 1, dtype=torch.float64) / k
    belief = torch.stack([ends, 1 - ends], -1)
    steps = (belief[1:-1] * torch.diff(net, dim=0)).sum(-1)
    relative = torch.cat([torch.zeros(1, dtype=torch.float64), steps.cumsum(0)])
    outside = torch.maximum(ends, 1 - ends) - alpha
    left = (belief[:-1] * net).sum(-1) - relative - outside[:-1]
    right = (belief[1:] * net).sum(-1) - relative - outside[1:]
    return own, rival, relative + torch.minimum(left, right).min()


def train_sorted(
    model: SortedBeliefs,
    n_steps: int = 1000,
    *,
    lr: float = 2e-3,
    penalty: float = 10.0,
) -> FitResult:
    """Maximise revenue less a penalty on gains from double deviations.

    Parameters
    ----------
    model : SortedBeliefs
        Trained in place.
    n_steps : int
        Full-batch steps, 1 or more.
    lr : float
        First learning rate.
    penalty : float
        Weight of the mean gain from disobedient lies, 0 or more.
    """
    k = model.n_cells
    theta = (torch.arange(k, dtype=torch.float64) + 0.5) / k
    belief = torch.stack([theta, 1 - theta], -1)

    def loss(step: int) -> Tensor:
        own, rival, paid = prices(model(), model.alpha)
        value = -2 * paid.mean()
        if penalty:
            obey = belief @ own.T
            best = torch.maximum(theta, 1 - theta)[:, None]
            disobey = torch.maximum(best, 1 - obey)
            cost = model.alpha * belief @ rival.T + paid
            truth = (obey - cost).diagonal()
            gain = torch.relu((disobey - cost).amax(1) - truth)
            value = value + penalty * gain.mean()
        return value

    return fit(loss, model.parameters(), n_steps, lr=lr)


@dataclass(frozen=True)
class SortedAudit:
    """A sorted mechanism, and what a dense search finds against it.

    Attributes
    ----------
    revenue : float
        Total of both buyers, exact for the continuous market.
    own : ndarray, shape (n_cells, 2)
        Interim experiments.
    payments : ndarray, shape (n_cells,)
        Interim prices.
    regret : float
        Largest gain of a lie that obeys.
    double_regret : float
        Largest gain of a lie with any action rule.
    participation, obedience : float
        Largest gain of opting out, and of disobeying after the truth.
    """

    revenue: float
    own: Float[np.ndarray, "n_cells 2"]
    payments: Float[np.ndarray, " n_cells"]
    regret: float
    double_regret: float
    participation: float
    obedience: float


@torch.no_grad()
def audit_beliefs(
    model: SortedBeliefs, n_cells: int | None = None, *, n_types: int = 4000
) -> SortedAudit:
    """Search beliefs, reports and action rules for violations.

    Parameters
    ----------
    model : SortedBeliefs
        After training.
    n_cells : int, optional
        Cells other than those of the training; even.
    n_types : int
        Evenly spaced beliefs from 0 to 1 that are searched, 2 or more.
    """
    own, rival, paid = (x.numpy() for x in prices(model(n_cells), model.alpha))
    theta = np.linspace(0, 1, n_types)
    cell = np.minimum((theta * len(own)).astype(int), len(own) - 1)
    gains = deviations(theta, own, rival, paid, model.alpha)
    truth = gains[0][np.arange(n_types), cell]
    outside = np.maximum(theta, 1 - theta)
    kept = gains[:, np.arange(n_types), cell].max(axis=0)
    return SortedAudit(
        float(2 * paid.mean()),
        own,
        paid,
        float((gains[0].max(axis=1) - truth).max()),
        float((gains.max(axis=(0, 2)) - truth).max()),
        float((outside - model.alpha - truth).max()),
        float((kept - truth).max()),
    )
