r"""Nash equilibria of two-player zero-sum games by linear programs, with certificates.

In sequence form :cite:p:`koller1996efficient` player 1 solves

.. math::

   \max_{x\ge0,\,q} f^\top q\quad\text{s.t.}\quad M^\top x-F^\top q\ge0,\quad Ex=e,

and the duals of its first rows are player 2's plan.  Whatever a solver returns, the
policies are judged by exact best responses: their exploitability is the certificate.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from econlib.abcs.sequence_form import (
    SequenceForm,
    behaviour,
    best_response_value,
    exploitability,
)
from econlib.programs import Program

__all__ = ["ZeroSumSolution", "kuhn_equilibrium", "solve_zero_sum"]


@dataclass(frozen=True)
class ZeroSumSolution:
    """An equilibrium and how far it is from one.

    Attributes
    ----------
    value : float
        Of the game, to player 1.
    policy : ndarray, shape (n_infosets, n_actions)
        Of both players.
    gap : float
        Between the program's objective and its dual bound.
    lower, upper : float
        What player 1's policy is sure to get, and player 2's to hold it to, by exact
        best responses; the value lies between.
    exploitability : float
        Half of ``upper - lower``.
    seconds : float
        Wall-clock time.
    """

    value: float
    policy: Float[np.ndarray, "n_infosets n_actions"]
    gap: float
    lower: float
    upper: float
    exploitability: float
    seconds: float


def solve_zero_sum(form: SequenceForm, method: str = "choose") -> ZeroSumSolution:
    """Solve a game by one linear program.

    Parameters
    ----------
    form : SequenceForm
        The game.
    method : {"choose", "simplex", "ipm"}
        HiGHS's solver; ``"ipm"`` for more than about 50 000 nodes.

    Returns
    -------
    ZeroSumSolution
        With a certificate that does not rely on the solver.

    Raises
    ------
    SolverError
        HiGHS did not finish.

    Notes
    -----
    The matrix :math:`M` has one entry for each pair of sequences that ends a play:
    .3 s for Leduc poker, about 20 s for liar's dice with six sides, on one core.
    """
    start = time.perf_counter()
    E, e = form.constraints(0)
    F, f = form.constraints(1)
    n, m = form.n_sequences[0], F.shape[0]
    lower = np.concatenate([np.zeros(n), np.full(m, -np.inf)])
    cost = np.concatenate([np.zeros(n), f])
    program = Program(cost, lower, np.inf, maximise=True, method=method)
    program.add_rows(sp.hstack([form.transposed, -F.T], format="csr"), 0.0, np.inf)
    program.add_rows(sp.hstack([E, sp.csr_matrix((E.shape[0], m))], format="csr"), e, e)
    solution = program.solve()
    y = -solution.duals[: form.n_sequences[1]]
    policy = behaviour(form, (solution.x[:n], y))
    high = best_response_value(form, policy, 0)
    low = -best_response_value(form, policy, 1)
    return ZeroSumSolution(
        value=solution.objective,
        policy=policy,
        gap=solution.gap,
        lower=low,
        upper=high,
        exploitability=exploitability(form, policy),
        seconds=time.perf_counter() - start,
    )


def kuhn_equilibrium(
    form: SequenceForm, α: float
) -> Float[np.ndarray, "n_infosets n_actions"]:
    r"""Kuhn's equilibria for three cards, one for each :math:`\alpha\in[0,1/3]`.

    Player 1 bets the jack with :math:`\alpha` and the king with :math:`3\alpha`, and
    calls with the queen with :math:`\alpha+1/3`; player 2 bets the jack after a pass
    with 1/3 and calls with the queen with 1/3.

    Parameters
    ----------
    form : SequenceForm
        Kuhn's game from OpenSpiel or from :func:`econlib.abcs.tree.kuhn`, whose keys
        are card and moves.
    α : float
        0 to 1/3.

    Returns
    -------
    ndarray, shape (12, 2)
        Probabilities of passing and of betting.
    """
    if not 0 <= α <= 1 / 3 + 1e-12:
        raise ValueError(f"α = {α}: expected a number in [0, 1/3]")
    bets = {
        "0": α,
        "1": 0.0,
        "2": 3 * α,
        "0pb": 0.0,
        "1pb": α + 1 / 3,
        "2pb": 1.0,
        "0p": 1 / 3,
        "1p": 0.0,
        "2p": 1.0,
        "0b": 0.0,
        "1b": 1 / 3,
        "2b": 1.0,
    }
    if set(form.tree.keys) != set(bets):
        raise ValueError(f"form: {form.tree.name}: expected Kuhn's game, three cards")
    rows = np.array([bets[key] for key in form.tree.keys])
    return np.stack([1 - rows, rows], axis=1)
