"""Long training of leader's tables, kept as JSON.

``python -m econlib.gemnet.record_tables`` trains a table in every market, certifies it
in exact arithmetic at random and critical values, plays it at independent profiles, and
writes ``data/recorded/gemnet/tables/<name>.json`` after each; names after it run those
markets only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from econlib.gemnet.affine import AffineMaximiser, affine_revenue, tune_boosts
from econlib.gemnet.ascent import Stage, train_in_stages
from econlib.gemnet.certificates import certify, critical_values
from econlib.gemnet.laws import market
from econlib.gemnet.residual import LeaderTable
from econlib.gemnet.sampling import sample_revenue
from econlib.records import Shelf, digits, provenance

__all__ = ["PLANS", "SHELF", "Plan", "load", "recorded_table", "run"]


@dataclass(frozen=True)
class Plan:
    """How long to train and to check.

    Attributes
    ----------
    stages : sequence of Stage
    n_leader, n_each : int
        Independent profiles.
    n_random, n_critical : int
        Values of the leader at which exact arithmetic checks the follower's menu.
    n_fine : int
        Midpoints an axis of the finer quadrature; the other has half as many.
    """

    stages: Sequence[Stage]
    n_leader: int = 1_000_000
    n_each: int = 4
    n_random: int = 150
    n_critical: int = 50
    n_fine: int = 192


SHORTER = (Stage(11, 1500, (4e-3, 1e-4), 16, 32), Stage(0, 1500, (1e-3, 2e-5), 16, 32))

#: Plan of each market's record.
PLANS = {
    "u01": Plan(
        (
            Stage(11, 1500, (4e-3, 1e-4), 20, 40),
            Stage(0, 3500, (1e-3, 2e-5), 20, 40),
            Stage(8, 3000, (4e-4, 1e-5), 24, 48),
            Stage(10, 3000, (2e-4, 5e-6), 24, 48),
        )
    ),
    "beta12": Plan(SHORTER, 250_000),
    "irregular": Plan(SHORTER, 250_000),
    "asymmetric": Plan(SHORTER, 250_000),
}

#: The records, by market.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/gemnet/tables/{}.json", PLANS, "knots", "market")
load = SHELF.load


def run(name: str, plan: Plan | None = None, seed: int = 0) -> dict:
    """Train, certify and sample a table.

    Parameters
    ----------
    name : str
        One of ``PLANS``.
    plan : Plan, optional
        In place of that of the recorded run.
    seed : int

    Returns
    -------
    dict
        Boosts, stages with curves, the table, revenue by quadrature and by sampling,
        margins, seconds, machine, versions and command.  Prices are kept to six
        decimals; the table that is certified and sampled is the one that is kept.

    Raises
    ------
    ValueError
        An unknown market.
    """
    plan = PLANS[SHELF.known(name)] if plan is None else plan
    began, made_by = time.process_time(), provenance("numpy", "scipy", "numba")
    here = market(name)
    affine = tune_boosts(here)
    done, start = train_in_stages(here, affine, plan.stages, seed)
    seconds = time.process_time() - began
    last = done[-1].table
    table = replace(last, prices=np.round(last.prices, 6))
    values = np.concatenate(
        [
            here.first.ppf(np.random.default_rng(seed).random((plan.n_random, 2))),
            critical_values(table, plan.n_critical, seed),
        ]
    )
    found = certify(table, values)
    margins = found.margins[np.isfinite(found.margins)]
    coarse = plan.n_fine // 2
    sample = sample_revenue(table, affine, plan.n_leader, plan.n_each, seed)
    return {
        "market": name,
        "seed": seed,
        "affine": asdict(affine),
        "affine_revenue": here.unit * affine_revenue(here, affine),
        "start_revenue": start.revenue(coarse),
        "stages": [
            asdict(stage)
            | {
                "n_knots": len(t.table.knots),
                "revenue": t.table.revenue(coarse),
                # means of ten steps each
                "curve": digits(here.unit * _tens(t.curve)),
            }
            for t, stage in zip(done, plan.stages, strict=True)
        ],
        "table_knots": table.knots.tolist(),
        "prices": table.prices.reshape(-1, 3).tolist(),
        "revenue": table.revenue(coarse),
        "revenue_fine": table.revenue(plan.n_fine),
        "train_seconds": round(seconds, 1),
        "n_certified": len(values),
        "n_violations": found.n_violations,
        "least_margin": float(margins.min()),
        "sample": asdict(sample),
        "cpu_seconds": round(time.process_time() - began, 1),
        **made_by,
        "command": f"python -m econlib.gemnet.record_tables {name}",
    }


def _tens(curve: np.ndarray) -> np.ndarray:
    """Means of ten steps each."""
    return curve[: len(curve) // 10 * 10].reshape(-1, 10).mean(axis=1)


def recorded_table(name: str) -> LeaderTable:
    """The table of a record."""
    kept = load(name)
    knots = np.array(kept["table_knots"])
    fields = {
        k: tuple(v) if isinstance(v, list) else v for k, v in kept["affine"].items()
    }
    prices = np.array(kept["prices"]).reshape(len(knots), len(knots), 3)
    return LeaderTable(market(name), AffineMaximiser(**fields), knots, prices)


if __name__ == "__main__":
    SHELF.record(run, sys.argv[1:])
