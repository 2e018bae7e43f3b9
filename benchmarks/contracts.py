"""Minimal contracts against cvxpy, and decision processes against QuantEcon."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import quantecon as qe

from benchmarks.record import Timing, alternate
from econlib.contracts.equilibrium import solve_mdp
from econlib.contracts.examples import random_mdp
from econlib.contracts.minimal import min_contract, min_contract_lp

__all__ = ["measure"]


def _problems(n: int, n_actions: int, n_outcomes: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    F = rng.dirichlet(np.ones(n_outcomes), (n, n_actions))
    qbar = -rng.uniform(0, 1, (n, n_actions))
    return qbar, F, rng.integers(0, n_actions, n)


def _rebuilt(qbar: np.ndarray, F: np.ndarray, a_p: np.ndarray) -> np.ndarray:
    """One cvxpy problem a state, as one reads eq. (3)."""
    return np.array(
        [min_contract_lp(q, f, int(a))[1] for q, f, a in zip(qbar, F, a_p, strict=True)]
    )


def _with_parameters(qbar: np.ndarray, F: np.ndarray, a_p: np.ndarray) -> np.ndarray:
    """One cvxpy problem whose numbers are parameters, solved again for each state."""
    n, n_actions, n_outcomes = F.shape
    b = cp.Variable(n_outcomes, nonneg=True)
    cost = cp.Parameter(n_outcomes)
    rows, need = cp.Parameter((n_actions - 1, n_outcomes)), cp.Parameter(n_actions - 1)
    problem = cp.Problem(cp.Minimize(cost @ b), [rows @ b >= need])
    pay = np.empty(n)
    for i in range(n):
        others = np.arange(n_actions) != a_p[i]
        cost.value = F[i, a_p[i]]
        rows.value = F[i, a_p[i]] - F[i, others]
        need.value = qbar[i, others] - qbar[i, a_p[i]]
        problem.solve(solver=cp.HIGHS)
        pay[i] = np.inf if b.value is None else problem.value
    return pay


def _programs(n_runs: int, n: int, n_actions: int, *names: str) -> list[Timing]:
    data = _problems(n, n_actions, n_actions)
    ours = min_contract(*data)
    peers = {
        "one cvxpy problem each, HiGHS": _rebuilt,
        "one cvxpy problem with parameters, HiGHS": _with_parameters,
        "one block program for all, highspy": lambda *x: (
            min_contract(*x, method="highs").pay
        ),
    }
    found = []
    for name in names or peers:
        peer = peers[name]
        theirs = peer(*data)
        same = np.isfinite(ours.pay) == np.isfinite(theirs)
        both = np.isfinite(ours.pay) & np.isfinite(theirs)
        quality = {
            "same feasibility": float(same.mean()),
            "largest difference of payments": float(
                np.abs(ours.pay - theirs)[both].max()
            ),
        }
        seconds = alternate(
            {"ours": lambda: min_contract(*data), "peer": lambda p=peer: p(*data)},
            n_runs,
        )
        found.append(
            Timing(
                task=f"{n} minimal contracts, {n_actions} actions and outcomes",
                ours_is="econlib.contracts.minimal.min_contract, all in one batch",
                peer_is=name,
                **seconds,
                quality=quality,
            )
        )
    return found


def _process(n_runs: int, n_states: int, n_actions: int) -> Timing:
    mdp = random_mdp(np.random.default_rng(0), n_states, n_actions, 5, gamma=0.95)
    reward = mdp.r + mdp.expected_rp
    P = mdp.kernel.toarray().reshape(n_states, n_actions, n_states)
    peer = qe.markov.DiscreteDP(reward, P, 0.95)
    V, _ = solve_mdp(mdp, reward)
    theirs = peer.solve("policy_iteration")
    seconds = alternate(
        {
            "ours": lambda: solve_mdp(mdp, reward),
            "peer": lambda: peer.solve("policy_iteration"),
        },
        n_runs,
    )
    return Timing(
        task=f"decision process, {n_states} states, {n_actions} actions, dense laws",
        ours_is="econlib.contracts.equilibrium.solve_mdp, policy iteration",
        peer_is="QuantEcon's DiscreteDP, policy iteration",
        **seconds,
        quality={"largest difference of values": float(np.abs(V - theirs.v).max())},
    )


def measure(n_runs: int = 5) -> list[Timing]:
    """Time both sides in turn: programs with 2 and 5 actions, then two processes."""
    found = _programs(n_runs, 1000, 5)
    found += _programs(n_runs, 1000, 2, "one cvxpy problem with parameters, HiGHS")
    return [*found, _process(n_runs, 20, 5), _process(n_runs, 500, 5)]
