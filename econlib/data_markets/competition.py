r"""Competing buyers with private stakes: the optima of both incentive notions.

Buyer :math:`i` has payoff

.. math::

   v_i\Big(\mathbb 1[a_i=\omega]
   -\tfrac\alpha{n-1}\sum_{j\ne i}\mathbb 1[a_j=\omega]\Big)-p_i

and opts out at the price that the seller informs all rivals.  With accuracies
:math:`x_i`, the largest prior probability :math:`\theta`, and virtual values
:math:`\phi`, revenue is

.. math::

   \sum_i\mathbb E\Big[\Big(\phi_i-\tfrac\alpha{n-1}\sum_{j\ne i}\phi_j\Big)x_i\Big]
   +(\alpha-\theta)\sum_i\underline v_i ,

to be maximised subject to :math:`\mathbb E_{-i}x_i\ge\theta` (Bayesian incentive
compatibility, BIC) or :math:`x_i\ge\theta` in every profile (ex post).  Either way
buyer :math:`i` is served while the rivals' mean virtual value lies below a cut-off
(Bonatti, Dahleh, Horel and Nouripour 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from econlib.data_markets.virtual_values import (
    VirtualValues,
    average,
    stake,
    virtual_values,
)
from econlib.valuations import Marginal

__all__ = [
    "NOTIONS",
    "SETTINGS",
    "Optimum",
    "Setting",
    "bic_uniform",
    "check_market",
    "check_notion",
    "expost_exponential",
    "expost_uniform",
    "implementation",
    "optimum",
]

#: Incentive notions: Bayesian and ex post.
NOTIONS = ("bic", "expost")


@dataclass(frozen=True)
class Setting:
    """Two buyers with private stakes.

    Attributes
    ----------
    stakes : (str, str)
        Names of the buyers' laws, of ``virtual_values.STAKES``.
    theta : float
        Largest prior probability of a state, in [1/2, 1).
    alpha : float
        Strength of the externality, 0 or more.
    """

    stakes: tuple[str, str]
    theta: float
    alpha: float

    @property
    def laws(self) -> list[Marginal]:
        """The buyers' laws."""
        return [stake(name) for name in self.stakes]


_PAIRS = {
    "U": ("uniform", "uniform"),
    "Exp": ("exponential", "exponential"),
    "Asym": ("uniform", "uniform2"),
}
#: The thirteen published settings by the row of their table.
SETTINGS = {
    f"{name}-{theta:.2f}-{alpha:g}".replace("-0.", "-.", 1): Setting(pair, theta, alpha)
    for name, pair in _PAIRS.items()
    for theta in (0.5, 0.75)
    for alpha in (0.5, 2.0)
} | {"IRR-.50-0.5": Setting(("irregular", "irregular"), 0.5, 0.5)}


@dataclass(frozen=True)
class Optimum:
    """Largest revenue, and whom it serves when.

    Attributes
    ----------
    notion : str
        ``"bic"`` or ``"expost"``.
    revenue : float
        Total over the buyers.
    by_buyer : ndarray, shape (n_buyers,)
        Shares of it, as the weight of each buyer's accuracy.
    own : tuple of ndarray
        For each buyer, quantiles of its stake (midpoints of steps).
    cutoffs : tuple of ndarray
        For each buyer, the quantile of the rivals' mean virtual value up to which it is
        served, at ``own``.
    """

    notion: str
    revenue: float
    by_buyer: Float[np.ndarray, " n_buyers"]
    own: tuple[Float[np.ndarray, " n_own"], ...]
    cutoffs: tuple[Float[np.ndarray, " n_own"], ...]

    def cutoff(
        self, buyer: int, quantile: Float[np.ndarray, "*batch"]
    ) -> Float[np.ndarray, "*batch"]:
        """Cut-off of a buyer at quantiles of its own stake."""
        return np.interp(quantile, self.own[buyer], self.cutoffs[buyer])


def check_market(n_buyers: int, alpha: float, theta: float) -> None:
    """Raise for a market that is not one.

    Raises
    ------
    ValueError
        Fewer than two buyers, a negative or infinite externality, or a prior outside
        (0, 1).
    """
    if n_buyers < 2:
        raise ValueError(f"n_buyers = {n_buyers}: expected an integer, 2 or more")
    if not 0 <= alpha < np.inf:
        raise ValueError(f"alpha = {alpha}: expected a number, 0 or more")
    if not 0 < theta < 1:
        raise ValueError(f"theta = {theta}: expected a number in (0, 1)")


def check_notion(notion: str) -> None:
    """Raise for an incentive notion that is none.

    Raises
    ------
    ValueError
        Neither ``"bic"`` nor ``"expost"``.
    """
    if notion not in NOTIONS:
        raise ValueError(f"notion = {notion!r}: expected one of {', '.join(NOTIONS)}")


def optimum(
    laws: Sequence[Marginal], alpha: float, theta: float, notion: str = "bic"
) -> Optimum:
    r"""Largest revenue among incentive-compatible, obedient mechanisms.

    Parameters
    ----------
    laws : sequence of Marginal
        One law of stakes a buyer; two or more.
    alpha : float
        Strength of the externality, 0 or more.
    theta : float
        Largest prior probability of a state, at least one over the number of states.
    notion : {"bic", "expost"}
        Whether constraints hold on average over rivals or in every profile.

    Returns
    -------
    Optimum
        Exact up to about 1e-8 with two buyers, 1e-5 with more.

    Raises
    ------
    ValueError
        A market that is not one, or another notion.

    Examples
    --------
    >>> uniform = [stake("uniform")] * 2
    >>> round(optimum(uniform, 0.5, 0.5).revenue, 6)  # 19/48
    0.395833
    >>> round(optimum(uniform, 0.5, 0.5, "expost").revenue, 6)  # 13/48
    0.270833
    """
    check_market(len(laws), alpha, theta)
    check_notion(notion)
    virtual = [virtual_values(law) for law in laws]
    parts, owns, cutoffs = [], [], []
    for i, own in enumerate(virtual):
        rivals = average(virtual[:i] + virtual[i + 1 :])
        least = theta if notion == "bic" else 0.0
        cutoff = _cutoff(own.slopes, rivals, alpha, least)
        served = own.widths @ (own.slopes * cutoff - alpha * rivals.integral(cutoff))
        if notion == "expost":
            everyone = own.low - alpha * rivals.low
            served = theta * everyone + (1 - theta) * served
        parts.append(served + (alpha - theta) * own.low)
        owns.append((own.knots[1:] + own.knots[:-1]) / 2)
        cutoffs.append(cutoff)
    return Optimum(
        notion, float(sum(parts)), np.array(parts), tuple(owns), tuple(cutoffs)
    )


def _cutoff(
    own: np.ndarray, rivals: VirtualValues, alpha: float, least: float
) -> np.ndarray:
    """Rivals' quantile where ``alpha`` times their virtual value exceeds ``own``."""
    steps = np.searchsorted(alpha * rivals.slopes, own, side="right")
    return np.maximum(rivals.knots[steps], least)


def bic_uniform(alpha: float) -> float:
    r"""Optimum for two buyers with stakes U[0, 1], prior 1/2, BIC.

    :math:`\frac14+\frac\alpha4+\frac{\alpha^2}{12}` up to :math:`\alpha=1`,
    :math:`\frac\alpha2+\frac1{12\alpha}` beyond.
    """
    check_market(2, alpha, 0.5)
    if alpha <= 1:
        return 0.25 + alpha / 4 + alpha**2 / 12
    return alpha / 2 + 1 / (12 * alpha)


def expost_uniform(alpha: float, theta: float = 0.5) -> float:
    r"""Optimum for two buyers with stakes U[0, 1], ex post.

    :math:`\frac{1-\theta}2(1+\frac{\alpha^2}3)` up to :math:`\alpha=1`,
    :math:`\frac{(1-\theta)\alpha}2(1+\frac1{3\alpha^2})` beyond.
    """
    check_market(2, alpha, theta)
    if alpha <= 1:
        return (1 - theta) / 2 * (1 + alpha**2 / 3)
    return (1 - theta) * alpha / 2 * (1 + 1 / (3 * alpha**2))


def expost_exponential(alpha: float, theta: float = 0.5) -> float:
    r"""Optimum for two buyers with unit exponential stakes, ex post.

    :math:`(1-\theta)\frac{2e^{-(1-\alpha)}}{1+\alpha}` up to :math:`\alpha=1`, and
    :math:`\alpha` times the value at :math:`1/\alpha` beyond.
    """
    check_market(2, alpha, theta)
    if alpha > 1:
        return alpha * expost_exponential(1 / alpha, theta)
    return (1 - theta) * 2 * np.exp(alpha - 1) / (1 + alpha)


def implementation(
    prior: Float[np.ndarray, " n_states"], accuracy: float
) -> Float[np.ndarray, "n_states n_states"]:
    r"""Interim experiment that names the state with a given probability, obediently.

    A buyer who is told the truth with probability :math:`x` and something wrong
    otherwise obeys if :math:`x` is at least the largest prior probability and wrong
    signals of each state name the others in proportion to their priors:
    :math:`\theta_k(1-x)\frac{\theta_s}{1-\theta_k}\le\theta_sx` is
    :math:`x\ge\theta_k`.

    Parameters
    ----------
    prior : ndarray, shape (n_states,)
        Positive probabilities that sum to one.
    accuracy : float
        :math:`x`, from the largest prior probability to 1.

    Returns
    -------
    ndarray, shape (n_states, n_states)
        Row-stochastic: states by signals.

    Raises
    ------
    ValueError
        A prior that is none, or an accuracy outside its range.
    """
    prior = np.asarray(prior, dtype=float)
    if len(prior) < 2 or (prior <= 0).any() or abs(prior.sum() - 1) > 1e-9:
        raise ValueError(
            f"prior = {prior.tolist()}: expected two or more positive probabilities "
            "that sum to one"
        )
    if not prior.max() - 1e-12 <= accuracy <= 1:
        raise ValueError(
            f"accuracy = {accuracy}: expected a number in [{prior.max():.6g}, 1]"
        )
    wrong = prior / (1 - prior[:, None])
    np.fill_diagonal(wrong, 0.0)
    return accuracy * np.eye(len(prior)) + (1 - accuracy) * wrong
