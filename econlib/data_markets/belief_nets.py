r"""RegretNet for two buyers with private beliefs, judged by dense search.

One network takes both beliefs to :math:`\pi_{11},\pi_{22}` of the first, one takes a
belief to the share :math:`\rho` of the surplus over opting out that is paid.
Obedience and incentives are penalties, as in :mod:`econlib.data_markets.regret_nets`.
The published version averages over a sample of rivals that is drawn once, and lets a
liar only obey; both are options here, since both raise the revenue that it reports.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from econlib.data_markets.allocation_nets import StackedMLP
from econlib.data_markets.private_beliefs import deviations, uniform_beliefs
from econlib.training import FitResult, fit, generator

__all__ = ["BeliefNet", "BeliefVerdict", "judge_beliefs", "train_beliefs"]


class BeliefNet(nn.Module):
    """Experiments and payment shares for uniform private beliefs.

    Parameters
    ----------
    alpha : float
        Strength of the externality, 0 or more.
    width, depth : int
        Hidden units and layers, 1 or more.
    seed : int
        Of the initial weights.
    """

    def __init__(
        self, alpha: float, *, width: int = 64, depth: int = 2, seed: int = 0
    ) -> None:
        super().__init__()
        if not 0 <= alpha < np.inf:
            raise ValueError(f"alpha = {alpha}: expected a number, 0 or more")
        rng = generator(seed)
        self.alpha = alpha
        self.experiments = StackedMLP(1, 2, 2, width, depth, rng)
        self.shares = StackedMLP(1, 1, 1, width, depth, rng)

    def interim(
        self, own: Float[Tensor, " n_own"], rivals: Float[Tensor, " n_rivals"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Interim experiments of oneself and of the rival, and payment shares.

        Parameters
        ----------
        own, rivals : Tensor
            Reported beliefs in [0, 1].

        Returns
        -------
        own, rival : Tensor, shape (n_own, 2)
            Means over rivals, of this buyer's and of the rival's experiment.
        shares : Tensor, shape (n_own,)
            Shares of the surplus that are paid.
        """
        mine, theirs = torch.meshgrid(own, rivals, indexing="ij")
        both = torch.stack(
            [torch.stack([mine, theirs], -1), torch.stack([theirs, mine], -1)]
        )
        out = torch.sigmoid(5 * self.experiments(both.reshape(1, -1, 2)))
        out = out.reshape(2, len(own), len(rivals), 2).mean(2)
        rho = torch.sigmoid(self.shares(own.reshape(1, -1, 1)))
        return out[0], out[1], rho.flatten()


def _payoffs(net: BeliefNet, own: Tensor, rivals: Tensor) -> tuple[Tensor, ...]:
    """Payoffs by rule, type and report; payments; obedience shortfalls."""
    mine, theirs, rho = net.interim(own, rivals)
    belief = torch.stack([own, 1 - own], -1)
    obey, other = belief @ mine.T, belief @ theirs.T
    one = own[:, None].expand_as(obey)
    best = torch.maximum(own, 1 - own)
    surplus = obey.diagonal() - net.alpha * other.diagonal() - best + net.alpha
    paid = rho * surplus
    rules = torch.stack([obey, one, 1 - one, 1 - obey]) - net.alpha * other - paid
    return rules, paid, torch.relu(best - obey.diagonal())


def train_beliefs(
    net: BeliefNet,
    n_steps: int = 2000,
    *,
    n_reports: int = 48,
    n_rivals: int = 48,
    fixed_rivals: bool = False,
    double_deviations: bool = True,
    lr: float = 2e-3,
    seed: int = 0,
) -> tuple[FitResult, Float[np.ndarray, " n_rivals"]]:
    """Maximise revenue less penalties by the augmented Lagrangian.

    Parameters
    ----------
    net : BeliefNet
        Trained in place.
    n_steps : int
        Steps, 1 or more.
    n_reports, n_rivals : int
        Beliefs a step, 2 or more; those of the buyer are also the misreports.
    fixed_rivals : bool
        Whether rivals are independent draws made once; otherwise they are stratified
        and new in each step.
    double_deviations : bool
        Whether a liar may also disobey.
    lr : float
        First learning rate.
    seed : int
        Of the draws.

    Returns
    -------
    FitResult
        History of the loss.
    ndarray, shape (n_rivals,)
        Rivals of the last step; with ``fixed_rivals`` those of every step.
    """
    if min(n_reports, n_rivals) < 2:
        raise ValueError(
            f"n_reports, n_rivals = {n_reports}, {n_rivals}: expected 2 or more each"
        )
    rng = generator(seed)
    rivals = torch.rand(n_rivals, generator=rng, dtype=torch.float64)
    lambdas, weight = torch.full((2,), 10.0, dtype=torch.float64), 10.0

    def stratified(n: int) -> Tensor:
        inside = torch.rand(n, generator=rng, dtype=torch.float64)
        return (torch.arange(n, dtype=torch.float64) + inside) / n

    def loss(step: int) -> Tensor:
        nonlocal rivals, weight
        if not fixed_rivals:
            rivals = stratified(n_rivals)
        rules, paid, short = _payoffs(net, stratified(n_reports), rivals)
        lies = rules if double_deviations else rules[:1]
        truth = rules[0].diagonal()
        regret = torch.relu(lies.amax(dim=(0, 2)) - truth)
        parts = torch.stack([short.mean(), regret.mean()])
        if step and step % 100 == 0:
            with torch.no_grad():
                lambdas.add_(weight * parts)
            weight += 10.0
        return lambdas @ parts + weight * (parts**2).sum() - 2 * paid.mean()

    history = fit(loss, net.parameters(), n_steps, lr=lr)
    return history, rivals.numpy()


@dataclass(frozen=True)
class BeliefVerdict:
    """A learnt mechanism by dense search.

    Attributes
    ----------
    revenue : float
        Total of both buyers that it claims.
    mean_regret, max_regret : float
        Over types, by search of all reports with all four action rules.
    obedient_regret : float
        The mean when a liar can only obey.
    obedience : float
        Largest shortfall of accuracy below the prior's.
    own : ndarray, shape (n_types, 2)
        Interim experiments.
    payments : ndarray, shape (n_types,)
        Interim payments.
    """

    revenue: float
    mean_regret: float
    max_regret: float
    obedient_regret: float
    obedience: float
    own: Float[np.ndarray, "n_types 2"]
    payments: Float[np.ndarray, " n_types"]


@torch.no_grad()
def judge_beliefs(
    net: BeliefNet,
    n_types: int = 200,
    rivals: Float[np.ndarray, " n_rivals"] | None = None,
) -> BeliefVerdict:
    """Judge a learnt mechanism on a grid of types.

    Parameters
    ----------
    net : BeliefNet
        After training.
    n_types : int
        Types, reports and rivals, 2 or more.
    rivals : ndarray, optional
        Rivals in place of the grid, such as those of the training.
    """
    theta, _ = uniform_beliefs(n_types)
    own = torch.tensor(theta)
    others = own if rivals is None else torch.tensor(rivals)
    mine, theirs, _ = net.interim(own, others)
    _, paid, short = _payoffs(net, own, others)
    mine, paid = mine.numpy(), paid.numpy()
    rules = deviations(theta, mine, theirs.numpy(), paid, net.alpha)
    truth = np.diagonal(rules[0])
    regret = np.maximum(rules.max(axis=(0, 2)) - truth, 0)
    obedient = np.maximum(rules[0].max(axis=1) - truth, 0)
    return BeliefVerdict(
        float(2 * paid.mean()),
        float(regret.mean()),
        float(regret.max()),
        float(obedient.mean()),
        float(short.max()),
        mine,
        paid,
    )
