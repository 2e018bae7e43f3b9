r"""A bimatrix game inside a persuasion game: why equilibria are hard to find.

States are 0, which has mass :math:`\mu_0`, and :math:`e_1..e_{k_1}`,
:math:`f_1..f_{k_2}`, in which a row and a column are identified.  An action names a row
or blanks it, and names a column or blanks it.  In :math:`\Phi(p,q)` the first sender
names the true row in :math:`e`, mixes by :math:`p` in state 0 and is uniform in
:math:`f`; the second the other way round.  Then

.. math::

   u_1=\tfrac{1-\mu_0}2B+\mu_0\,p^\top Rq,\qquad
   \text{gain}_1=\mu_0\Big(\max_i(Rq)_i-p^\top Rq\Big)

over all of his rules, and the same for the second with :math:`C`: the profile is an
equilibrium exactly if :math:`(p,q)` is one.  The reverse does not hold for all
equilibria: a sender who misuses his freedom in the other's identifying states can keep
up a profile that decodes to no equilibrium (:func:`threat`).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from econlib.persuasion.games import (
    PersuasionGame,
    check_distribution,
    check_integer,
    check_table,
)

__all__ = ["bimatrix_gains", "hidden_bimatrix", "identifying_rules", "threat"]


def hidden_bimatrix(
    rows: Float[np.ndarray, "k1 k2"],
    columns: Float[np.ndarray, "k1 k2"],
    mass: float = 0.5,
    *,
    stake: float = 10.0,
    penalty: float = 10.0,
    blank: float | None = None,
    mistake: float = 10.0,
) -> PersuasionGame:
    """The persuasion game that holds a bimatrix game.

    Parameters
    ----------
    rows, columns : ndarray, shape (k1, k2)
        Payoffs R and C of the row and the column player.
    mass : float
        Of state 0, inside (0, 1).
    stake : float
        B, what a sender gains where his name is told, above 0.
    penalty : float
        K, what both lose in state 0 by a blank, above 0 and above any loss in R, C.
    blank : float, optional
        What the receiver gains by a blank in state 0, above 0; by default half of
        (1 - mass) / (2 mass k1 k2), below which she names row and column in every
        profile Φ, or 0.01 if that is less.
    mistake : float
        What she loses by a wrong name where it is identified, above 0.

    Returns
    -------
    PersuasionGame
        States 0, e, f; action (i, j) is ``i * (k2 + 1) + j``, the last of each a blank.

    Raises
    ------
    ValueError
        Payoffs of different shapes or not finite, or a number out of range.
    """
    R, C = _payoffs(rows, columns)
    if not 0 < mass < 1:
        raise ValueError(f"mass = {mass}: expected a number inside (0, 1)")
    k1, k2 = R.shape
    most = (1 - mass) / (2 * mass * k1 * k2)
    blank = min(0.01, most / 2) if blank is None else blank
    for name, x in (
        ("stake", stake),
        ("penalty", penalty),
        ("blank", blank),
        ("mistake", mistake),
    ):
        if not 0 < x < np.inf:
            raise ValueError(f"{name} = {x}: expected a number above 0")
    if blank >= most:
        raise ValueError(
            f"blank = {blank}: expected less than {most:g}, or a blank beats a name"
        )
    lowest = min(R.min(), C.min())
    if penalty <= -lowest:
        raise ValueError(
            f"penalty = {penalty}: expected more than the largest loss, {-lowest:g}"
        )
    i, j = np.divmod(np.arange((k1 + 1) * (k2 + 1)), k2 + 1)
    named = (i < k1) & (j < k2)
    receiver = np.zeros((1 + k1 + k2, len(i)))
    receiver[0] = blank * ((i == k1) * 1.0 + (j == k2))
    senders = np.zeros((2, *receiver.shape))
    senders[:, 0] = -penalty
    for sender, payoff in zip(senders, (R, C), strict=True):
        sender[0, named] = payoff[i[named], j[named]]
    for s in range(k1):
        receiver[1 + s] = np.where(i == s, 1.0, np.where(i == k1, 0.0, -mistake))
        senders[0, 1 + s] = stake * (i == s)
    for s in range(k2):
        receiver[1 + k1 + s] = np.where(j == s, 1.0, np.where(j == k2, 0.0, -mistake))
        senders[1, 1 + k1 + s] = stake * (j == s)
    prior = np.concatenate(
        [
            [mass],
            np.full(k1, (1 - mass) / (2 * k1)),
            np.full(k2, (1 - mass) / (2 * k2)),
        ]
    )
    return PersuasionGame(prior, receiver, senders)


def _payoffs(rows: object, columns: object) -> tuple[np.ndarray, np.ndarray]:
    """Payoffs of both players, checked."""
    R, C = check_table("rows", rows, "k1 k2"), check_table("columns", columns, "k1 k2")
    if R.shape != C.shape:
        raise ValueError(f"rows, columns: shapes {R.shape}, {C.shape}, expected equal")
    return R, C


def identifying_rules(
    p: Float[np.ndarray, " k1"], q: Float[np.ndarray, " k2"]
) -> list[np.ndarray]:
    """The profile Φ(p, q); ValueError where p or q is no distribution."""
    p, q = check_distribution("p", p), check_distribution("q", q)
    k1, k2 = len(p), len(q)
    first = np.concatenate([p[None], np.eye(k1), np.full((k2, k1), 1 / k1)])
    second = np.concatenate([q[None], np.full((k1, k2), 1 / k2), np.eye(k2)])
    return [first, second]


def bimatrix_gains(
    rows: Float[np.ndarray, "k1 k2"],
    columns: Float[np.ndarray, "k1 k2"],
    p: Float[np.ndarray, " k1"],
    q: Float[np.ndarray, " k2"],
) -> Float[np.ndarray, " 2"]:
    """What each player gains by a best reply to a mixed profile.

    Raises
    ------
    ValueError
        Payoffs of different shapes, p or q no distribution, or of another length.
    """
    rows, columns = _payoffs(rows, columns)
    p, q = check_distribution("p", p), check_distribution("q", q)
    if (len(p), len(q)) != rows.shape:
        raise ValueError(f"p, q: {len(p)}, {len(q)} numbers, expected {rows.shape}")
    to_rows, to_columns = rows @ q, p @ columns
    return np.array([to_rows.max() - p @ to_rows, to_columns.max() - to_columns @ q])


def threat(k1: int, k2: int) -> list[np.ndarray]:
    """First row and column in state 0, kept up by a threat; two or more of each.

    As Φ at that pure profile, but in the second row's state the second sender sends his
    last signal, and in the second column's state the first sends his last: a deviator's
    row or column would no longer be told, and blanked.
    """
    check_integer("k1", k1, 2)
    check_integer("k2", k2, 2)
    first, second = identifying_rules(np.eye(k1)[0], np.eye(k2)[0])
    second[1 + 1 : 1 + k1] = np.eye(k2)[-1]
    first[1 + k1 + 1 :] = np.eye(k1)[-1]
    return [first, second]
