r"""Full-width counterfactual regret minimisation, compiled, on the sequence form.

At each iteration player :math:`i` sees the counterfactual values
:math:`g=M\,y` of its sequences, walks its infostates from the last to the first,

.. math::

   v(s)=\sum_a\pi(a\mid s)\,w(s,a),\qquad w(s,a)=g(s,a)+\sum_{s'\ \text{below}}v(s'),

adds :math:`w(s,a)-v(s)` to the regrets :math:`R(s,a)`, and plays
:math:`\pi\propto R^+` :cite:p:`zinkevich2007regret`.

- ``cfr``: plain regrets, players in turn, average policy with equal weights;
- ``cfr+``: regrets are cut at zero, the average weighs iteration :math:`t` by
  :math:`t` :cite:p:`tammelin2014solving`;
- ``pcfr+``: the same with the last instantaneous regret as a prediction of the next,
  :math:`\pi\propto[R+m]^+`, and weights :math:`t^2` :cite:p:`farina2021faster`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from econlib.abcs.sequence_form import SequenceForm, behaviour, exploitability

__all__ = ["VARIANTS", "CfrResult", "run_cfr"]

#: Variants, with the power of t that weighs the average policy.
VARIANTS = {"cfr": 0, "cfr+": 1, "pcfr+": 2}


@dataclass(frozen=True)
class CfrResult:
    """A run of full-width regret minimisation.

    Attributes
    ----------
    variant : str
        Which.
    iterations : ndarray of int, shape (n_points,)
        When the average policy was scored; an iteration updates both players.
    nodes : ndarray of int, shape (n_points,)
        Own histories times actions until then, the measure of the sampled methods.
    exploitability : ndarray, shape (n_points,)
        Of the average policy.
    seconds : ndarray, shape (n_points,)
        Until then, scoring left out.
    policy : ndarray, shape (n_infosets, n_actions)
        Average policy at the end.
    """

    variant: str
    iterations: Int[np.ndarray, " n_points"]
    nodes: Int[np.ndarray, " n_points"]
    exploitability: Float[np.ndarray, " n_points"]
    seconds: Float[np.ndarray, " n_points"]
    policy: Float[np.ndarray, "n_infosets n_actions"]


def run_cfr(
    form: SequenceForm,
    n_iterations: int,
    variant: str = "cfr",
    marks: Int[np.ndarray, " n_marks"] | None = None,
) -> CfrResult:
    """Minimise regrets of both players in turn.

    Parameters
    ----------
    form : SequenceForm
        The game.
    n_iterations : int
        1 or more.
    variant : {"cfr", "cfr+", "pcfr+"}
        Which.
    marks : ndarray of int, optional
        Iterations after which to score, by default powers of two and the last.

    Returns
    -------
    CfrResult
        Scores, seconds, average policy.

    Raises
    ------
    ValueError
        An unknown variant, or no iteration.
    """
    if variant not in VARIANTS:
        raise ValueError(
            f"variant = {variant!r}: expected one of {', '.join(VARIANTS)}"
        )
    if n_iterations < 1:
        raise ValueError(
            f"n_iterations = {n_iterations}: expected an integer, 1 or more"
        )
    if marks is None:
        marks = 2 ** np.arange(int(np.log2(n_iterations)) + 1)
    marks = np.unique(np.append(np.asarray(marks), n_iterations))
    if marks[0] < 1 or marks[-1] > n_iterations:
        raise ValueError(f"marks: expected iterations from 1 to {n_iterations}")
    M, T = form.payoffs, form.transposed
    n = form.n_sequences
    start = [s.astype(np.int64) for s in form.start]
    above = [s.astype(np.int64) for s in form.above]
    regret = [np.zeros(k) for k in n]
    guess = [np.zeros(k) for k in n]
    total = [np.zeros(k) for k in n]
    plans = [np.ones(k) for k in n]
    work = [np.zeros(k) for k in n]
    sparse = [(A.indptr, A.indices, A.data) for A in (M, T)]
    for i in (0, 1):
        _play(regret[i], guess[i], plans[i], start[i], above[i])
    found, seconds, done = [], [], 0
    for mark in marks:
        began = time.perf_counter()
        _iterate(
            *sparse[0], *sparse[1], *start, *above, *regret, *guess, *total, *plans,
            *work, VARIANTS[variant], done, int(mark),
        )  # fmt: skip
        seconds.append(time.perf_counter() - began)
        done = int(mark)
        policy = behaviour(form, (total[0], total[1]))
        found.append(exploitability(form, policy))
    touched = int(form.tree.n_children[form.tree.kind == 1].sum())
    return CfrResult(
        variant=variant,
        iterations=marks.astype(int),
        nodes=marks.astype(int) * touched,
        exploitability=np.array(found),
        seconds=np.cumsum(seconds),
        policy=policy,
    )


@njit(cache=True, error_model="numpy")
@no_type_check
def _play(regret, guess, plan, start, above):
    """Realisation plan of regret matching on regret plus guess, parents first."""
    for j in range(len(above)):
        mass = 0.0
        for q in range(start[j], start[j + 1]):
            mass += max(regret[q] + guess[q], 0.0)
        for q in range(start[j], start[j + 1]):
            p = 1.0 / (start[j + 1] - start[j])
            if mass > 0:
                p = max(regret[q] + guess[q], 0.0) / mass
            plan[q] = plan[above[j]] * p


@njit(cache=True, error_model="numpy")
@no_type_check
def _improve(ptr, idx, data, sign, other, start, above, regret, guess, plan, g, kind):
    """One update of a player's regrets against the other's plan, then its new plan."""
    for p in range(len(g)):
        g[p] = 0.0
        for k in range(ptr[p], ptr[p + 1]):
            g[p] += data[k] * other[idx[k]]
        g[p] *= sign
    for j in range(len(above) - 1, -1, -1):
        low, high, mass, value = start[j], start[j + 1], 0.0, 0.0
        for q in range(low, high):
            mass += max(regret[q] + guess[q], 0.0)
        for q in range(low, high):
            p = 1.0 / (high - low)
            if mass > 0:
                p = max(regret[q] + guess[q], 0.0) / mass
            value += p * g[q]
        for q in range(low, high):
            regret[q] += g[q] - value
            if kind > 0:
                regret[q] = max(regret[q], 0.0)
            if kind == 2:
                guess[q] = g[q] - value
        g[above[j]] += value
    _play(regret, guess, plan, start, above)


@njit(cache=True, error_model="numpy")
@no_type_check
def _iterate(
    p0, i0, d0, p1, i1, d1, s0, s1, a0, a1, r0, r1, m0, m1, t0, t1, x, y, w0, w1,
    kind, done, until,
):  # fmt: skip
    for t in range(done + 1, until + 1):
        weight = float(t) ** kind
        for q in range(len(x)):
            t0[q] += weight * x[q]
        _improve(p0, i0, d0, 1.0, y, s0, a0, r0, m0, x, w0, kind)
        for q in range(len(y)):
            t1[q] += weight * y[q]
        _improve(p1, i1, d1, -1.0, x, s1, a1, r1, m1, y, w1, kind)
