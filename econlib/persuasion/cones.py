r"""Best responses with any number of signals, exactly, by cones.

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
number of states, exponentially many otherwise.  As many signals as states are enough
for it.  Ties go to the deviating sender, so that values are suprema that are attained:
a profile whose gains are zero is an equilibrium however ties are broken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from econlib.persuasion.games import (
    PersuasionGame,
    check_integer,
    check_rules,
    joint_masses,
    utilities,
)
from econlib.programs import solve

__all__ = ["Cones", "gains_by_any_rule", "likelihoods", "reply_by_cones"]

#: Joint signals of the others by which tuples of actions are grown, at most.
_MOST_OTHERS = 10_000


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


def likelihoods(
    game: PersuasionGame,
    rules: Sequence[Float[np.ndarray, "n_states _"]],
    sender: int,
) -> Float[np.ndarray, "n_others n_states"]:
    """Probability of each joint signal of the others in each state.

    Joint signals that never come are left out, and those of equal likelihood are one.

    Parameters
    ----------
    game : PersuasionGame
        Whose senders and states count.
    rules : sequence of ndarray, shape (n_states, n_signals)
        One for each sender.
    sender : int
        Who is left out.

    Raises
    ------
    ValueError
        No such sender, or more than 1,000,000 joint signals of the others.
    """
    check_integer("sender", sender, 0, game.n_senders - 1)
    others = [rule for j, rule in enumerate(rules) if j != sender]
    q = joint_masses(np.ones(game.n_states), others)
    q = q[q.max(axis=1) > 0]
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
        No such sender, rules that do not fit, more than 10,000 different joint signals
        of the others, or more cones than ``max_cones``; how many there are.

    Notes
    -----
    Cones are at most n_actions to the number of the others' joint signals, and
    polynomially many in it for a fixed number of states.  Four states, four actions
    and nine joint signals are some two hundred cones and a second.

    A tuple of actions is grown by one joint signal of the others at a time and dropped
    as soon as its cone has nothing but 0 left, which a small program tells.  Cones that
    touch others in a face only are kept: an optimum may lie there.
    """
    rules = check_rules(game, rules)
    check_integer("max_cones", max_cones)
    q = likelihoods(game, rules, sender)
    if len(q) > _MOST_OTHERS:
        raise ValueError(
            f"rules: {len(q):,} joint signals of the others, expected at most "
            f"{_MOST_OTHERS:,}; fewer senders or signals"
        )
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


def gains_by_any_rule(
    game: PersuasionGame, rules: Sequence[Float[np.ndarray, "n_states _"]]
) -> Float[np.ndarray, " n_senders"]:
    """What each sender gains by his best rule with any number of signals.

    As many signals as states are enough for it, so that for a sender who has them this
    is what :func:`econlib.persuasion.best_response.gains` finds without a box, by one
    linear program in place of a search.

    Parameters
    ----------
    game : PersuasionGame
        Prior and payoffs.
    rules : sequence of ndarray, shape (n_states, n_signals)
        The profile; its own utilities are those with ties to the first action.

    Returns
    -------
    ndarray, shape (n_senders,)
        Not below 0 but for rounding.

    Raises
    ------
    ValueError
        Rules that do not fit, or more cones than :func:`reply_by_cones` takes, with
        their number.
    """
    now = utilities(game, rules)
    best = [reply_by_cones(game, rules, i).value for i in range(game.n_senders)]
    return np.array(best) - now


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
