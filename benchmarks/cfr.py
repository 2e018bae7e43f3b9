"""Game solvers against OpenSpiel's, in Python and in C++, on Kuhn and Leduc poker.

Full-width CFR is the same algorithm on both sides, to the last digits of its policy.
External sampling is the same too, with regret matching, but for random numbers; the
paper's baseline, with Hedge, costs the same pairs of an own history and an action.
Seconds are per iteration, or per evaluation of exploitability; construction of a solver
is counted on both sides.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyspiel
from open_spiel.python import policy as peer_policy
from open_spiel.python.algorithms import cfr as peer_cfr
from open_spiel.python.algorithms import exploitability as peer_exploitability
from open_spiel.python.algorithms import external_sampling_mccfr as peer_mccfr

from benchmarks.record import Timing, alternate
from econlib.abcs.cfr import run_cfr
from econlib.abcs.learners import solve
from econlib.abcs.sequence_form import exploitability, sequence_form
from econlib.abcs.simulators import game
from econlib.abcs.tree import DECISION, from_openspiel

__all__ = ["measure"]

#: Iterations of full-width CFR and of sampling that both sides do.
ITERATIONS = {"kuhn_poker": (2000, 20_000), "leduc_poker": (20, 2000)}


def _repeat(step: Callable[[], object], n: int) -> None:
    for _ in range(n):
        step()


def measure(n_runs: int = 5) -> list[Timing]:
    """Time full-width CFR, external sampling and exploitability, per iteration."""
    rows = [_one(name, *n, n_runs) for name, n in ITERATIONS.items()]
    return [timing for row in rows for timing in row]


def _one(name: str, n_full: int, n_sampled: int, n_runs: int) -> list[Timing]:
    peer = pyspiel.load_game(name)
    tree = from_openspiel(peer)
    form, env = sequence_form(tree), game(tree)
    tabular = peer_policy.TabularPolicy(peer)
    policy = tree.random_policy(np.random.default_rng(0))
    for key, row in zip(tree.keys, policy, strict=True):
        s = tabular.state_lookup[key]
        tabular.action_probability_array[s, tabular.legal_actions_mask[s] > 0] = row[
            row > 0
        ]
    plain = pyspiel.TabularPolicy(_as_cpp(tabular))
    probe = solve(env, "es_rm", 20_000, 0)
    nodes = int(n_sampled * probe.nodes[-1] / probe.iterations[-1])
    n_python = max(1, n_full // 20)
    rows = [
        (
            f"{name}: iterations of full-width CFR, both players in turn",
            "econlib.abcs.cfr.run_cfr",
            {
                "ours": (
                    lambda: run_cfr(form, n_full, marks=np.array([n_full])),
                    n_full,
                ),
                "OpenSpiel C++ CFRSolver": (
                    lambda: _repeat(
                        pyspiel.CFRSolver(peer).evaluate_and_update_policy, n_full
                    ),
                    n_full,
                ),
                "OpenSpiel Python CFRSolver": (
                    lambda: _repeat(
                        peer_cfr.CFRSolver(peer).evaluate_and_update_policy,
                        n_python,
                    ),
                    n_python,
                ),
            },
        ),
        (
            f"{name}: iterations of external sampling, by regret matching",
            "econlib.abcs.learners.solve, method es_rm",
            {
                "ours": (lambda: solve(env, "es_rm", nodes, 0, n_points=1), n_sampled),
                "OpenSpiel C++ ExternalSamplingMCCFRSolver": (
                    lambda: _repeat(
                        pyspiel.ExternalSamplingMCCFRSolver(peer, 0).run_iteration,
                        n_sampled,
                    ),
                    n_sampled,
                ),
                "OpenSpiel Python ExternalSamplingSolver": (
                    lambda: _repeat(
                        peer_mccfr.ExternalSamplingSolver(peer).iteration,
                        n_sampled // 20,
                    ),
                    n_sampled // 20,
                ),
            },
        ),
        (
            f"{name}: exploitability of a random policy",
            "econlib.abcs.sequence_form.exploitability",
            {
                "ours": (lambda: exploitability(form, policy), 1),
                "OpenSpiel C++": (lambda: pyspiel.exploitability(peer, plain), 1),
                "OpenSpiel Python": (
                    lambda: peer_exploitability.exploitability(peer, tabular),
                    1,
                ),
            },
        ),
    ]
    timings = []
    pairs = {
        rows[0][0]: int(tree.n_children[tree.kind == DECISION].sum()),
        rows[1][0]: nodes / n_sampled,
    }
    reached = {
        "exploitability, ours": exploitability(form, policy),
        "C++": pyspiel.exploitability(peer, plain),
    }
    for task, ours_is, sides in rows:
        run = {k: f for k, (f, _) in sides.items()}
        seconds = alternate(run, n_runs, warm_up=True)
        each = {k: [s / sides[k][1] for s in v] for k, v in seconds.items()}
        for other in sides:
            if other == "ours":
                continue
            quality = dict(reached)
            if task in pairs:
                quality = {"nodes an iteration": pairs[task]}
                for side, key in (("ours", "ours"), ("peer", other)):
                    speed = pairs[task] / np.median(each[key])
                    quality[f"nodes a second, {side}"] = float(speed)
            timings.append(
                Timing(task, ours_is, other, each["ours"], each[other], quality)
            )
    return timings


def _as_cpp(tabular: peer_policy.TabularPolicy) -> dict:
    """Infostate to (action, probability), as the C++ side takes it."""
    return {
        key: [
            (a, float(p))
            for a, p in enumerate(tabular.action_probability_array[s])
            if tabular.legal_actions_mask[s][a]
        ]
        for key, s in tabular.state_lookup.items()
    }
