r"""Best responses, exactly: by cones, or with a given number of signals by integers.

Fix the others.  With :math:`q_t(\omega)=\prod_{j\ne i}\pi_j(t_j\mid\omega)` a signal of
sender :math:`i` that has masses :math:`x(\omega)` makes the receiver take
:math:`\alpha_t` after the others' signals :math:`t` exactly if

.. math::

   x\in C_\alpha=\Big\{x\ge0:\ \sum_\omega x(\omega)q_t(\omega)
   \big(r(\omega,\alpha_t)-r(\omega,b)\big)\ge0\ \ \forall t,b\Big\},

and is then worth :math:`\langle w_\alpha,x\rangle`,
:math:`w_\alpha(\omega)=\sum_tq_t(\omega)v_i(\omega,\alpha_t)`.  So the best response is

.. math::

   \max\sum_\alpha\langle w_\alpha,x_\alpha\rangle\quad\text{s.t.}\quad
   x_\alpha\in C_\alpha,\quad\sum_\alpha x_\alpha=\mu ,

a linear program over the cones that are not empty: polynomially many for a fixed
number of states, exponentially many otherwise.  With :math:`k` signals only, and in a
box about a rule, binaries choose the tuple of each signal.  Ties go to the deviating
sender, so that values are suprema that are attained: a profile whose gains are zero is
an equilibrium however ties are broken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from econlib.persuasion.games import (
    PersuasionGame,
    check_rules,
    joint_masses,
    utilities,
)
from econlib.programs import SolverError, solve

__all__ = ["Cones", "Reply", "gains", "reply_by_cones", "reply_by_integers"]


@dataclass(frozen=True)
class Cones:
    """A best response with as many signals as it needs.

    Attributes
    ----------
    value : float
        The sender's utility.
    actions : ndarray of int, shape (n_cones, n_others)
        The receiver's action after each joint signal of the others, for each cone that
        is not empty.
    masses : ndarray, shape (n_cones, n_states)
        Of the states, for the signal that each cone stands for.
    """

    value: float
    actions: Int[np.ndarray, "n_cones n_others"]
    masses: Float[np.ndarray, "n_cones n_states"]


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


def _likelihoods(
    game: PersuasionGame, rules: Sequence[np.ndarray], sender: int
) -> np.ndarray:
    """Probability of each joint signal of the others in each state, zeros left out."""
    if not 0 <= sender < game.n_senders:
        raise ValueError(
            f"sender = {sender}: expected an integer, 0 to {game.n_senders - 1}"
        )
    others = [rule for j, rule in enumerate(rules) if j != sender]
    q = joint_masses(np.ones(game.n_states), others)
    q = q[q.max(axis=1) > 0]
    # joint signals of equal likelihood, as a code's, are one
    kept, where = np.unique(q, axis=0, return_inverse=True)
    merged = np.zeros_like(kept)
    np.add.at(merged, where.ravel(), q)
    return merged


def reply_by_cones(
    game: PersuasionGame,
    rules: Sequence[Float[np.ndarray, "n_states _"]],
    sender: int,
    max_cones: int = 20_000,
    *,
    prune: bool = False,
) -> Cones:
    """Best response with any number of signals.

    Parameters
    ----------
    game : PersuasionGame
        Prior and payoffs.
    rules : sequence of ndarray, shape (n_states, n_signals)
        One for each sender; that of ``sender`` does not matter.
    sender : int
        Who deviates.
    max_cones : int
        At which the enumeration gives up.
    prune : bool
        Whether actions are left out that another action beats in every state in which
        the others' signal can come, at no loss to the sender where they are tied: the
        value is the same, by fewer cones.

    Returns
    -------
    Cones
        Value and an optimal split of the prior into signals.

    Raises
    ------
    ValueError
        No such sender, rules that do not fit, or more cones than ``max_cones``.

    Notes
    -----
    A tuple of actions is grown by one joint signal of the others at a time and dropped
    as soon as its cone has nothing but 0 left, which a small program tells.  Cones that
    touch others in a face only are kept: an optimum may lie there.
    """
    rules = check_rules(game, rules)
    q = _likelihoods(game, rules, sender)
    m, n = game.n_states, game.n_actions
    # rows[t, a, b]: how much better a is than b after t, by the mass of each state
    rows = q[:, None, None] * (game.receiver.T[:, None] - game.receiver.T[None])
    # each tuple with masses that show its cone is not empty
    found: list[tuple[tuple[int, ...], np.ndarray]] = [((), np.full(m, 1 / m))]
    for t in range(len(q)):
        worse = _beaten(game, sender, q[t] > 0) if prune else set()
        alone = [
            a for a in range(n) if a not in worse and _witness(rows[t, a]) is not None
        ]
        grown = []
        for prefix, x in found:
            obey = rows[np.arange(t), list(prefix)].reshape(-1, m)
            for a in alone:
                seen = x if (rows[t, a] @ x >= 0).all() else None
                if seen is None:
                    seen = _witness(np.concatenate([obey, rows[t, a]]))
                if seen is not None:
                    grown.append(((*prefix, a), seen))
        found = grown
        if len(found) > max_cones:
            raise ValueError(
                f"{len(found)} cones after {t + 1} of {len(q)} joint signals of the "
                f"others: expected at most max_cones = {max_cones}; fewer states, "
                "actions or signals, or reply_by_integers"
            )
    actions = np.array([a for a, _ in found], dtype=int).reshape(len(found), len(q))
    worth = np.stack([(q * game.senders[sender][:, a].T).sum(axis=0) for a in actions])
    blocks = sp.block_diag(
        [rows[np.arange(len(q)), a].reshape(-1, m) for a in actions], format="csr"
    )
    split = sp.hstack([sp.eye_array(m)] * len(actions))
    solved = solve(
        worth.ravel(),
        sp.vstack([blocks, split]),
        np.concatenate([np.zeros(blocks.shape[0]), game.prior]),
        np.concatenate([np.full(blocks.shape[0], np.inf), game.prior]),
        maximise=True,
    )
    return Cones(solved.objective, actions, solved.x.reshape(len(actions), m))


def _beaten(game: PersuasionGame, sender: int, come: np.ndarray) -> set[int]:
    """Actions that another one beats in all of some states, at no loss to a sender."""
    r, v = game.receiver[come], game.senders[sender][come]
    beaten: set[int] = set()
    for a in range(game.n_actions):
        for b in set(range(game.n_actions)) - {a} - beaten:
            lead = r[:, b] - r[:, a]
            if (lead >= 0).all() and (v[:, b] >= v[:, a])[lead == 0].all():
                beaten.add(a)
                break
    return beaten


def _witness(obey: np.ndarray) -> np.ndarray | None:
    """Masses that add up to 1 and obey some rows; None where there are none."""
    m = obey.shape[1]
    # how far below 0 the worst row must be
    found = solve(
        np.append(np.zeros(m), 1.0),
        np.block(
            [[obey, np.ones((len(obey), 1))], [np.ones((1, m)), np.zeros((1, 1))]]
        ),
        np.append(np.zeros(len(obey)), 1.0),
        np.append(np.full(len(obey), np.inf), 1.0),
    )
    return found.x[:m] if found.objective < 1e-11 else None


def reply_by_integers(
    game: PersuasionGame,
    rules: Sequence[Float[np.ndarray, "n_states _"]],
    sender: int,
    n_signals: int | None = None,
    radius: float = 1.0,
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
    time_limit : float
        Seconds of the search.

    Returns
    -------
    Reply
        Value, rule and bound.

    Raises
    ------
    ValueError
        No such sender, or a number out of range.
    SolverError
        Out of time.

    Notes
    -----
    Binaries :math:`z_{sta}` name the action after :math:`(s,t)`, shares
    :math:`y_{sta}(\omega)\le z_{sta}` carry :math:`\pi_i(s\mid\omega)` there, and
    obedience is asked of :math:`y`; no large number enters.  Rows are scaled: with
    masses in place of shares the search called a worse reply optimal in about one of a
    hundred games with rare states.
    """
    rules = check_rules(game, rules)
    q = _likelihoods(game, rules, sender)
    m, n = game.n_states, game.n_actions
    k = rules[sender].shape[1] if n_signals is None else n_signals
    if k < 1:
        raise ValueError(f"n_signals = {n_signals}: expected an integer, 1 or more")
    if not 0 < radius <= 1:
        raise ValueError(f"radius = {radius}: expected a number above 0, at most 1")
    if radius < 1 and k != rules[sender].shape[1]:
        raise ValueError(
            f"n_signals = {k}, radius = {radius}: expected radius 1, or the "
            f"{rules[sender].shape[1]} signals that the rule has"
        )
    T = len(q)
    n_z, n_x = k * T * n, k * m
    x0, y0 = n_z, n_z + n_x
    z = np.arange(n_z).reshape(k, T, n)
    x = x0 + np.arange(n_x).reshape(k, m)
    y = y0 + np.arange(k * T * n * m).reshape(k, T, n, m)
    # everything in the units of the rule, so that bounds are 1 whatever the prior
    low, high = np.zeros(y0 + y.size), np.ones(y0 + y.size)
    if radius < 1:
        about = rules[sender].T
        low[x0:y0] = np.maximum(about - radius, 0.0).ravel()
        high[x0:y0] = np.minimum(about + radius, 1.0).ravel()
    table = _Rows(len(low))
    table.add(z.reshape(-1, n), np.ones(n), 1.0, 1.0)
    table.add(x.T, np.ones(k), 1.0, 1.0)
    # y adds up to x over actions
    carried = np.concatenate(
        [
            np.moveaxis(y, 2, 3).reshape(-1, n),
            np.repeat(x[:, None], T, 1).reshape(-1, 1),
        ],
        axis=1,
    )
    table.add(carried, np.append(np.ones(n), -1.0), 0.0, 0.0)
    # y is 0 where another action is taken
    pairs = np.stack([y.ravel(), np.repeat(z.ravel(), m)], axis=1)
    table.add(pairs, np.array([1.0, -1.0]), -np.inf, 0.0)
    # obedience, row (s, t, a, b), its largest weight 1
    better = game.receiver.T[:, None] - game.receiver.T[None]  # (a, b, w)
    for a in range(n):
        for b in range(n):
            if a != b:
                weights = game.prior * q * better[a, b]
                largest = np.abs(weights).max(axis=1, keepdims=True)
                weights = weights / np.where(largest > 0, largest, 1.0)
                table.add(
                    y[:, :, a].reshape(-1, m), np.tile(weights, (k, 1)), 0.0, np.inf
                )
    cost = np.zeros(len(low))
    worth = game.prior * q[:, None] * game.senders[sender].T  # (t, a, w)
    cost[y0:] = np.tile(worth, (k, 1, 1)).ravel()
    rows = table.stacked()
    whole = np.arange(len(low)) < n_z
    options = {"maximise": True, "integer": whole, "time_limit": time_limit}
    try:
        search = solve(cost, *rows, low, high, **options)
    except SolverError:
        # the present rule is feasible, whatever presolve finds near a boundary
        search = solve(cost, *rows, low, high, presolve=False, **options)
    # a binary may be off a little, and its mass with it: once more with actions fixed
    low[whole] = high[whole] = np.round(search.x[whole])
    solved = solve(cost, *rows, low, high, maximise=True)
    rule = solved.x[x0:y0].reshape(k, m).T
    rule = np.maximum(rule, 0) / np.maximum(rule, 0).sum(axis=1, keepdims=True)
    return Reply(solved.objective, rule, search.bound, search.seconds)


class _Rows:
    """Sparse rows that are added in blocks of equal width."""

    def __init__(self, n_vars: int) -> None:
        self.n_vars, self.blocks, self.low, self.high = n_vars, [], [], []

    def add(self, columns: np.ndarray, weights: np.ndarray, low: object, high: object):
        """Rows with these weights at these columns, between two bounds."""
        n, width = columns.shape
        values = np.broadcast_to(weights, (n, width)).ravel()
        where = (np.repeat(np.arange(n), width), columns.ravel())
        self.blocks.append(sp.csr_matrix((values, where), shape=(n, self.n_vars)))
        self.low.append(np.broadcast_to(np.asarray(low, float), n))
        self.high.append(np.broadcast_to(np.asarray(high, float), n))

    def stacked(self) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
        """All of them, and their bounds."""
        return (
            sp.vstack(self.blocks, format="csr"),
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
