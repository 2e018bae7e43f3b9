r"""Long runs beyond the published settings, kept as JSON.

``python -m econlib.abcs.beyond`` writes two files under ``data/recorded/abcs``;
a name after it makes that one only:

- ``dice``: liar's dice with one die of 3 to 6 sides, solved by a linear program with
  its value bracketed in exact arithmetic, and learned by sampling and by full-width
  regret minimisation;
- ``detectors``: ABCs with five ways of judging pairs, at the official budgets.
"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict

import numpy as np
from jaxtyping import Bool

from econlib.abcs.cfr import VARIANTS, run_cfr
from econlib.abcs.config import DETECTORS, OFFICIAL
from econlib.abcs.equilibrium import solve_zero_sum
from econlib.abcs.exact import bracket
from econlib.abcs.learners import solve
from econlib.abcs.record import PACKAGES, row
from econlib.abcs.sequence_form import exploitability, sequence_form
from econlib.abcs.simulators import Environment, game, stacked
from econlib.abcs.stationarity import stationary_oracle
from econlib.abcs.tree import FlatTree, from_openspiel
from econlib.records import Shelf, digits, provenance

__all__ = [
    "BUDGETS",
    "SHELF",
    "SIDES",
    "detectors",
    "dice",
    "ended",
    "environment",
    "liars_dice",
    "load",
    "oracle_of",
]

#: Sides of the die in the record ``dice``.
SIDES = (3, 4, 5, 6)
#: Nodes of a run in the record ``detectors``, by environment.
BUDGETS = {
    "Kuhn": 500_000,
    "dice": 500_000,
    "Leduc": 5_000_000,
    "stacked": 5_000_000,
}


def liars_dice(sides: int) -> FlatTree:
    """Liar's dice with one die of ``sides`` sides, 2 to 6, for each player."""
    if not 2 <= sides <= 6:
        raise ValueError(f"sides = {sides}: expected an integer, 2 to 6")
    return from_openspiel(f"liars_dice(numdice=1,dice_sides={sides})")


def environment(name: str) -> Environment:
    """One of the environments of ``BUDGETS``; raw labels in Cartpole."""
    if name not in BUDGETS:
        raise ValueError(f"name = {name!r}: expected one of {', '.join(BUDGETS)}")
    if name == "Kuhn":
        return game(from_openspiel("kuhn_poker"))
    if name == "dice":
        return game(liars_dice(3))
    leduc = from_openspiel("leduc_poker")
    return game(leduc) if name == "Leduc" else stacked(leduc)


def oracle_of(env: Environment) -> Bool[np.ndarray, "n_infosets n_actions"]:
    """Pairs that are child stationary for every policy of the others.

    In Cartpole nobody else moves: given the hidden state all pairs are stationary.
    (Given the bins they are not, since the law within a bin depends on the policy.)

    Examples
    --------
    >>> from econlib.abcs.tree import kuhn
    >>> int(oracle_of(game(kuhn())).sum())
    12
    """
    found = np.zeros((len(env.n_actions), int(env.n_actions.max())), dtype=bool)
    found[: env.n_bins, :2] = True
    if env.mdp is not None:
        found[:] = True
    if env.tree is not None:
        table = stationary_oracle(env.tree)
        found[env.n_bins :, : table.shape[1]] = table
    return found


def dice(
    sides: tuple[int, ...] = SIDES,
    seeds: tuple[int, ...] = (0, 1, 2),
    budget: int = 2_000_000,
    n_iterations: int = 1024,
) -> dict:
    """Solve and learn liar's dice.

    Parameters
    ----------
    sides : tuple of int
        Sides of the die, 2 to 6 each.
    seeds : tuple of int
        Of the sampled methods.
    budget : int
        Nodes touched by each run of those.
    n_iterations : int
        Of full-width regret minimisation, 1 or more.

    Returns
    -------
    dict
        What the record ``dice`` holds.
    """
    start = time.perf_counter()
    games = [_one(k, seeds, budget, n_iterations) for k in sides]
    return {
        "budget": budget,
        "seeds": list(seeds),
        "n_iterations": n_iterations,
        "config": asdict(OFFICIAL),
        "detector": "chi2",
        "seconds": round(time.perf_counter() - start, 1),
        **provenance(*PACKAGES),
        "command": "python -m econlib.abcs.beyond dice",
        "games": games,
    }


def _one(sides: int, seeds: tuple[int, ...], budget: int, n_iterations: int) -> dict:
    tree = liars_dice(sides)
    form, env = sequence_form(tree), game(tree)
    solved = solve_zero_sum(form, "ipm" if tree.n_nodes > 100_000 else "choose")
    exact = bracket(form, solved.policy)
    full = [run_cfr(form, n_iterations, v) for v in VARIANTS]
    runs = [
        row(solve(env, method, budget, seed))
        for method in ("abcs", "max_cfr", "es")
        for seed in seeds
    ]
    return {
        "sides": sides,
        "n_nodes": tree.n_nodes,
        "n_infosets": tree.n_infosets,
        "uniform": exploitability(form, tree.uniform()),
        "value": solved.value,
        "gap": solved.gap,
        "exploitability": solved.exploitability,
        "lp_seconds": round(solved.seconds, 2),
        "exact_lower": str(exact.lower),
        "exact_upper": str(exact.upper),
        "exact_gap": float(exact.gap),
        "full_width": [
            {
                "variant": r.variant,
                "iterations": r.iterations.tolist(),
                "nodes": r.nodes.tolist(),
                "exploitability": digits(r.exploitability),
                "seconds": digits(r.seconds),
            }
            for r in full
        ],
        "runs": runs,
    }


def detectors(
    budgets: dict[str, int] | None = None, seeds: tuple[int, ...] = (0, 1, 2)
) -> dict:
    """Run ABCs with each detector; ``budgets`` as ``BUDGETS``, whole or in part."""
    budgets = BUDGETS if budgets is None else budgets
    start = time.perf_counter()
    runs = []
    for name, budget in budgets.items():
        env = environment(name)
        table = oracle_of(env)
        for detector in DETECTORS:
            for seed in seeds:
                known = table if detector == "oracle" else None
                trace = solve(
                    env, "abcs", budget, seed, detector=detector, stationary=known
                )
                where = {"detector": detector, "environment": name}
                runs.append(row(trace) | where)
    return {
        "budgets": budgets,
        "seeds": list(seeds),
        "config": asdict(OFFICIAL),
        "seconds": round(time.perf_counter() - start, 1),
        **provenance(*PACKAGES),
        "command": "python -m econlib.abcs.beyond detectors",
        "runs": runs,
    }


def ended(
    runs: list[dict], score: str = "exploitability", last: int = 5, **where: object
) -> float:
    """Mean over recorded runs of their mean score at the last evaluations.

    Parameters
    ----------
    runs : list of dict
        From a record.
    score : str
        ``exploitability`` or ``regret``.
    last : int
        Evaluations of each run, 1 or more.
    **where
        What a run must have to count, such as ``method="abcs"``.

    Raises
    ------
    ValueError
        No run fits.
    """
    mine = [r for r in runs if all(r[k] == v for k, v in where.items())]
    if not mine:
        raise ValueError(f"where = {where}: no recorded run is like that")
    return float(np.mean([np.mean(r["scores"][score][-last:]) for r in mine]))


_RECORDS = {"dice": dice, "detectors": detectors}
#: The records ``dice`` and ``detectors``.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/abcs/beyond_{}.json", _RECORDS, "method")
load = SHELF.load


if __name__ == "__main__":
    SHELF.record(lambda name: _RECORDS[name](), sys.argv[1:])
