r"""Best responses with a given number of signals, and in a box, by integers.

With the others fixed a tuple of actions, one after each joint signal :math:`t` of the
others, is chosen for each signal :math:`s` of the sender: binaries :math:`z_{sta}` pick
it, and the receiver must want to obey (:mod:`econlib.persuasion.cones` has the cones of
masses in which she does).  In a box about a rule the maximum certifies a local
equilibrium.  Ties go to the deviating sender, so that values are suprema that are
attained: a profile whose gains are zero is an equilibrium however ties are broken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from econlib.persuasion.cones import likelihoods
from econlib.persuasion.games import (
    PersuasionGame,
    check_integer,
    check_rules,
    utilities,
)
from econlib.programs import Solution, SolverError, solve

__all__ = ["Reply", "gains", "reply_by_integers"]

#: Binaries of a search at most, before actions are left out.
_MOST_BINARIES = 20_000


@dataclass(frozen=True)
class Reply:
    """A best response with a given number of signals.

    Attributes
    ----------
    value : float
        The sender's utility, the receiver's ties going his way.
    rule : ndarray, shape (n_states, n_signals)
        The rule.
    bound : float
        No rule is worth more, by the search's own bound.
    seconds : float
        Wall-clock time of the search.
    """

    value: float
    rule: Float[np.ndarray, "n_states n_signals"]
    bound: float
    seconds: float


def reply_by_integers(
    game: PersuasionGame,
    rules: Sequence[Float[np.ndarray, "n_states _"]],
    sender: int,
    n_signals: int | None = None,
    radius: float = 1.0,
    margin: float = 0.0,
    time_limit: float = 120.0,
) -> Reply:
    r"""Best response with a number of signals, in a box about the present rule.

    Parameters
    ----------
    game : PersuasionGame
        Prior and payoffs.
    rules : sequence of ndarray, shape (n_states, n_signals)
        One for each sender.
    sender : int
        Who deviates.
    n_signals : int, optional
        His signals; by default as many as his rule has.  Needs ``radius`` 1 where it is
        another number.
    radius : float
        Largest change of any entry of his rule, above 0, at most 1: with 1 there is no
        box.
    margin : float
        By how much the receiver must prefer what she is to do, in her mean payoff after
        a joint signal, finite, 0 or more; above 0 ties play no part, and a value falls
        short of the best one by little.
    time_limit : float
        Seconds of the search, above 0.

    Returns
    -------
    Reply
        Value, rule and bound.

    Raises
    ------
    ValueError
        No such sender, a number out of range, or more than 20,000 binaries: signals
        times joint signals of the others times actions.
    SolverError
        Out of time ("Time limit reached"), or no rule in the box that keeps the margin.

    Notes
    -----
    Binaries :math:`z_{sta}` name the action after :math:`(s,t)`, shares
    :math:`y_{sta}(\omega)\le z_{sta}` carry :math:`\pi_i(s\mid\omega)` there, and
    obedience is asked of :math:`y`; no large number enters.  Rows are scaled, and
    shares stand where masses could: the search's tolerances are absolute, and with the
    masses of rare states a worse reply could pass for optimal.  Actions that no rule in
    the box makes best are left out beforehand.
    """
    rules = check_rules(game, rules)
    q = likelihoods(game, rules, sender)
    m, n = game.n_states, game.n_actions
    k = rules[sender].shape[1] if n_signals is None else n_signals
    check_integer("n_signals", k)
    if not 0 < radius <= 1:
        raise ValueError(f"radius = {radius}: expected a number above 0, at most 1")
    if radius < 1 and k != rules[sender].shape[1]:
        raise ValueError(
            f"n_signals = {k}, radius = {radius}: expected radius 1, or the "
            f"{rules[sender].shape[1]} signals that the rule has"
        )
    if not 0 <= margin < np.inf:
        raise ValueError(f"margin = {margin}: expected a number, 0 or more and finite")
    if not time_limit > 0:
        raise ValueError(f"time_limit = {time_limit}: expected a number above 0")
    if k * len(q) * n > _MOST_BINARIES:
        raise ValueError(
            f"{k} signals, {len(q)} joint signals of the others, {n} actions: "
            f"{k * len(q) * n:,} binaries, expected at most {_MOST_BINARIES:,}; fewer "
            "senders, signals or actions"
        )
    # everything in the units of the rule, so that bounds are 1 whatever the prior
    q = game.prior * q
    low, high = np.zeros((k, m)), np.ones((k, m))
    if radius < 1:
        about = rules[sender].T
        low, high = np.maximum(about - radius, 0.0), np.minimum(about + radius, 1.0)
    better = game.receiver.T[:, None] - game.receiver.T[None]  # (a, b, w)
    some = _possible(q[:, None, None] * better, low, high)
    worth = q[:, None] * game.senders[sender].T  # (t, a, w)
    # where one action is left it is taken, and pays by the rule itself
    alone = some & (some.sum(axis=2, keepdims=True) == 1)
    s, t, a = np.nonzero(some & ~alone)
    n_z, n_x = len(s), k * m
    x = n_z + np.arange(n_x).reshape(k, m)
    y = n_z + n_x + np.arange(n_z * m).reshape(n_z, m)
    lower = np.concatenate([np.zeros(n_z), low.ravel(), np.zeros(y.size)])
    upper = np.concatenate([np.ones(n_z), high.ravel(), high[s].ravel()])
    paid = np.einsum("sta,taw->sw", alone, worth)
    cost = np.concatenate([np.zeros(n_z), paid.ravel(), worth[t, a].ravel()])
    table = _Rows(len(cost))
    table.add(x.T, np.ones(k), 1.0, 1.0)
    # one action for each open pair of signals, and y adds up to x over actions
    _, pair = np.unique(s * len(q) + t, return_inverse=True)
    for p in range(pair.max(initial=-1) + 1):
        mine = np.flatnonzero(pair == p)
        table.add(mine[None], np.ones(len(mine)), 1.0, 1.0)
        carried = np.column_stack([y[mine].T, x[s[mine[0]]]])
        table.add(carried, np.append(np.ones(len(mine)), -1.0), 0.0, 0.0)
    # y is 0 where another action is taken, and in the box where it is not
    pairs = np.column_stack([y.ravel(), np.repeat(np.arange(n_z), m)])
    for edge, lo, up in ((high, -np.inf, 0.0), (low, 0.0, np.inf)):
        weights = np.column_stack([np.ones(y.size), -edge[s].ravel()])
        table.add(pairs, weights, lo, up)
    for b in range(n):
        rival = a != b
        weights = _scaled((q[t] * (better[a, b] - margin))[rival])
        table.add(y[rival], weights, 0.0, np.inf)
    if margin > 0:
        for one, other, c in np.argwhere(alone):
            weights = _scaled(np.delete(q[other] * (better[c] - margin), c, axis=0))
            table.add(np.tile(x[one], (n - 1, 1)), weights, 0.0, np.inf)
    rows = table.stacked()
    whole = np.arange(len(cost)) < n_z
    options = {"maximise": True, "time_limit": time_limit}
    try:
        search = solved = _search(cost, rows, lower, upper, whole, options)
    except SolverError as error:
        if margin > 0 and "nfeasible" in str(error):
            raise SolverError(
                f"margin = {margin}: no rule in the box keeps it; {error}"
            ) from error
        raise
    if n_z:
        # a binary may be off a little, and its mass too: once more with actions fixed
        lower[whole] = upper[whole] = np.round(search.x[whole])
        try:
            solved = solve(cost, *rows, lower, upper, **options)
        except SolverError:
            solved = search  # what they leave is thinner than rounding
    rule = solved.x[x].T
    rule = np.maximum(rule, 0) / np.maximum(rule, 0).sum(axis=1, keepdims=True)
    return Reply(solved.objective, rule, search.bound, search.seconds)


def _search(
    cost: np.ndarray,
    rows: tuple,
    lower: np.ndarray,
    upper: np.ndarray,
    whole: np.ndarray,
    options: dict,
) -> Solution:
    """The program solved, a second time without presolve if it has to be."""
    if not whole.any():
        return solve(cost, *rows, lower, upper, **options)
    try:
        return solve(cost, *rows, lower, upper, integer=whole, **options)
    except SolverError:
        # the present rule is feasible, whatever presolve finds near a boundary
        options["presolve"] = False
        return solve(cost, *rows, lower, upper, integer=whole, **options)


def _scaled(rows: np.ndarray) -> np.ndarray:
    """Rows whose largest weight is 1, or 0."""
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    return rows / np.where(largest > 0, largest, 1.0)


def _possible(rows: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Actions that no other beats for all masses in a box, shape (k, n_others, n)."""
    # most that a can be better than b by, over the box
    most = np.einsum("sw,tabw->stab", high, np.maximum(rows, 0))
    most += np.einsum("sw,tabw->stab", low, np.minimum(rows, 0))
    return (most >= -1e-9).all(axis=3)


class _Rows:
    """Rows of a sparse matrix that are added in blocks of equal width."""

    def __init__(self, n_vars: int) -> None:
        self.n_vars, self.n_rows = n_vars, 0
        self.blocks, self.low, self.high = [], [], []

    def add(self, columns: np.ndarray, weights: np.ndarray, low: object, high: object):
        """Add a row for each row of columns; weights and bounds broadcast."""
        n, width = columns.shape
        values = np.broadcast_to(weights, (n, width)).ravel()
        at = self.n_rows + np.repeat(np.arange(n), width)
        self.blocks.append((values, at, columns.ravel()))
        self.low.append(np.broadcast_to(np.asarray(low, float), n))
        self.high.append(np.broadcast_to(np.asarray(high, float), n))
        self.n_rows += n

    def stacked(self) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
        """The matrix, and lower and upper bounds of its rows."""
        values, at, columns = (
            np.concatenate(c) for c in zip(*self.blocks, strict=True)
        )
        shape = (self.n_rows, self.n_vars)
        return (
            sp.csr_matrix((values, (at, columns)), shape=shape),
            np.concatenate(self.low),
            np.concatenate(self.high),
        )


def gains(
    game: PersuasionGame,
    rules: Sequence[Float[np.ndarray, "n_states _"]],
    radius: float = 1.0,
) -> Float[np.ndarray, " n_senders"]:
    """What each sender gains by his best deviation in a box.

    Parameters
    ----------
    game : PersuasionGame
        Prior and payoffs.
    rules : sequence of ndarray, shape (n_states, n_signals)
        The profile; its own utilities are those with ties to the first action.
    radius : float
        Of the box, in each entry of a rule; 1 for any rule with as many signals.

    Returns
    -------
    ndarray, shape (n_senders,)
        Not below 0 but for rounding; a profile is an equilibrium where all are 0.
    """
    now = utilities(game, rules)
    best = [
        reply_by_integers(game, rules, i, radius=radius).value
        for i in range(game.n_senders)
    ]
    return np.array(best) - now
