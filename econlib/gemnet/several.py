r"""Several bidders, two items: affine menus for all but one, who replies exactly.

Bidders 2, ..., n hold the menus of an affine maximiser: with boosts
:math:`\lambda_i` where i alone gets one item, :math:`\mu_i` where she gets both and
:math:`\nu_{il}` where i gets the first and l the second, i pays for the bundle S what
the others lose, boosts included.  At :math:`v_{-1}` the values of bidder 1 are cut into
polygons by the allocation that is then best.  Let :math:`D_T` be the closed region in
which the others together may take :math:`T`.  Prices :math:`(a,b,c)` for bidder 1 with

.. math::

   a>\max\Big(\sup_{D_{12}}x,\ \sup_{D_1}[x-(y-b)^+]\Big),\qquad
   c>\max\Big(\sup_{D_{12}}(x+y),\ \sup_{D_1}[x+\min(y,b)],\
   \sup_{D_2}[y+\min(x,a)]\Big)

and b as a with the items exchanged never clash with what the others take.  Her menu is
the most profitable such triple that is found: a function of :math:`v_{-1}` alone.  The
affine maximiser's own prices for her are among those tried, so that the revenue is
never below its own where :math:`2\nu_{1l}` is below :math:`\mu_1+\mu_l` and
:math:`\mu_1+\nu_{kl}`; where it leaves an item unsold she is sold it for less.  (Other
boosts make her indifferent, along a line, between items that others hold there: no
strict prices exist, and she is offered neither.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy import stats
from scipy.optimize import minimize

from econlib.gemnet import kernels
from econlib.gemnet.affine import monopoly_menu, monopoly_price
from econlib.gemnet.boosts import Boosts
from econlib.gemnet.laws import Law
from econlib.gemnet.several_kernels import replies

__all__ = ["ReplyMechanism", "tune_several"]


@dataclass(frozen=True)
class ReplyMechanism:
    """Affine menus for bidders 2 to n, and the exact reply for bidder 1.

    Attributes
    ----------
    law : Law
        Of every bidder's value of either item.
    boosts : Boosts
    """

    law: Law
    boosts: Boosts

    @cached_property
    def monopoly(self) -> Float[np.ndarray, "3"]:
        """Prices for bidder 1 if she were alone, a start of the reply."""
        return monopoly_menu(self.law)

    def reply(self, others: Float[np.ndarray, "b k 2"]) -> Float[np.ndarray, "b 3"]:
        """Prices of item 1, item 2 and both for bidder 1.

        Parameters
        ----------
        others : ndarray, shape (n_values, n_bidders - 1, 2)

        Raises
        ------
        ValueError
            Values outside the support.
        """
        self._check(others)
        return replies(
            self.law.breaks,
            self.law.coefficients,
            self.boosts.pieces(0, others),
            self.boosts.prices(0, others),
            self.monopoly,
        )

    def _check(self, values: np.ndarray) -> None:
        if not ((values >= 0) & (values <= self.law.top)).all():
            raise ValueError(f"values: expected numbers from 0 to {self.law.top:g}")

    def parts(self, log2_n: int = 13, seed: int = 0) -> Float[np.ndarray, "3"]:
        """Revenue of bidder 1's reply, of her affine menu, and of the others' menus.

        Parameters
        ----------
        log2_n : int
            Points of a scrambled Sobol sequence of others' values, 4 to 24; exact in a
            bidder's own values.
        seed : int
        """
        if not 4 <= log2_n <= 24:
            raise ValueError(f"log2_n = {log2_n}: expected an integer, 4 to 24")
        n = self.boosts.n_bidders
        points = stats.qmc.Sobol(2 * (n - 1), rng=seed).random_base2(log2_n)
        v = self.law.ppf(points).reshape(-1, n - 1, 2)
        mine = [self.reply(v), self.boosts.prices(0, v)]
        # bidders 2 to n hold different boosts only against bidder 1
        menus = [*mine, *(self.boosts.prices(i, v) for i in range(1, n))]
        weights = np.full(len(v), 1 / len(v))
        rev = [
            kernels.mean_revenue(self.law.breaks, self.law.coefficients, p, weights)
            for p in menus
        ]
        return np.array([rev[0], rev[1], sum(rev[2:])])

    def gains(self, others: Float[np.ndarray, "b k 2"]) -> Float[np.ndarray, " b"]:
        """What the reply earns more than the affine menu, exact in bidder 1's values.

        Parameters
        ----------
        others : ndarray, shape (n_values, n_bidders - 1, 2)
        """
        args = (self.law.breaks, self.law.coefficients)
        menus = zip(self.reply(others), self.boosts.prices(0, others), strict=True)
        return np.array(
            [kernels.revenue(*args, *p) - kernels.revenue(*args, *q) for p, q in menus]
        )

    def revenue(self, log2_n: int = 13, seed: int = 0) -> float:
        """Expected revenue, as in :meth:`parts`."""
        reply, _, rest = self.parts(log2_n, seed)
        return float(reply + rest)

    def play(
        self, others: Float[np.ndarray, "b k 2"], own: Float[np.ndarray, "b each 2"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Payments, what the affine maximiser earns, and conflicts.

        Parameters
        ----------
        others : ndarray, shape (n_values, n_bidders - 1, 2)
        own : ndarray, shape (n_values, n_each, 2)
            Values of bidder 1, some for each of the others'.

        Returns
        -------
        paid, affine : ndarray, shape (n_values, n_each)
            All bidders' payments for the first best element of each menu.
        clash : ndarray of bool, shape (n_values, n_each)
            Whether two bidders hold an item in common among elements within 1e-13 of
            their best.
        """
        self._check(own)
        each, n = own.shape[1], self.boosts.n_bidders
        first = np.repeat(self.reply(others), each, axis=0)
        boosted = np.repeat(self.boosts.prices(0, others), each, axis=0)
        v = np.repeat(others, each, axis=0)
        v = np.concatenate([own.reshape(-1, 1, 2), v], axis=1)
        mine, held = _chosen(v[:, 0], first)
        alone, _ = _chosen(v[:, 0], boosted)
        held, rest = held.astype(int), np.zeros(len(v))
        for i in range(1, n):
            prices = self.boosts.prices(i, np.delete(v, i, axis=1))
            more, may = _chosen(v[:, i], prices)
            rest += more
            held += may
        clash = (held > 1).any(axis=1)
        shape = own.shape[:2]
        return tuple(z.reshape(shape) for z in (mine + rest, alone + rest, clash))


def _chosen(v: np.ndarray, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Payment for the first best element, and items in any that is as good."""
    cost = np.concatenate([np.zeros((len(v), 1)), prices], axis=1)
    worth = np.column_stack([np.zeros(len(v)), v, v.sum(axis=1)])
    gains = worth - cost
    best = gains.argmax(axis=1)
    near = gains >= gains.max(axis=1, keepdims=True) - 1e-13
    may = np.stack([near[:, 1] | near[:, 3], near[:, 2] | near[:, 3]], axis=1)
    return cost[np.arange(len(v)), best], may


def tune_several(
    law: Law,
    n: int,
    *,
    reply: bool = True,
    apart: bool = False,
    log2_n: int = 10,
    seed: int = 0,
    evaluations: int = 200,
) -> ReplyMechanism:
    """Boosts of most revenue, by Nelder and Mead on a fixed set of points.

    Parameters
    ----------
    law : Law
    n : int
        Bidders, 2 or more.
    reply : bool
        Whether the revenue is that of the mechanism, or of the affine maximiser.
    apart : bool
        Whether the first bidder has boosts of her own.
    log2_n, seed : int
        As in :meth:`ReplyMechanism.parts`.
    evaluations : int
        At most this many, 10 or more.

    Notes
    -----
    Revenue on the points of the search is biased upwards: evaluate on others.
    """
    if n < 2 or evaluations < 10:
        raise ValueError(
            f"n = {n}, evaluations = {evaluations}: expected 2 and 10 or more"
        )

    def made(z: np.ndarray) -> ReplyMechanism:
        boosts = Boosts.alike(n, z[:3], z[3:] if apart else None)
        return ReplyMechanism(law, boosts)

    def loss(z: np.ndarray) -> float:
        mine, own, rest = made(z).parts(log2_n, seed)
        return -float((mine if reply else own) + rest)

    first = monopoly_price(law) * np.array([-1.2, -1.8, -2.2])
    first = np.tile(first, 2) if apart else first
    found = minimize(
        loss,
        first,
        method="Nelder-Mead",
        options={"xatol": 1e-5, "fatol": 1e-8, "maxfev": evaluations},
    )
    return made(found.x)
