"""Long runs for several bidders and two items, kept as JSON.

``python -m econlib.gemnet.record_several`` tunes boosts through the reply, evaluates
the mechanism by points and by an independent sample, certifies it in exact arithmetic,
and writes ``data/recorded/gemnet/several_<name>.json``, about five minutes on one core;
names after it run those only.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float

from econlib.gemnet.boosts import Boosts
from econlib.gemnet.laws import market
from econlib.gemnet.several import ReplyMechanism, tune_several
from econlib.gemnet.several_certificate import clash_margins
from econlib.records import Shelf, provenance

__all__ = [
    "PLANS",
    "SHELF",
    "PairedSample",
    "critical_values",
    "load",
    "paired_sample",
    "recorded",
    "run",
]

#: Bidders, law, and values of the others in the independent sample.
#:
#: :meta hide-value:
PLANS = {
    "3x2-u01": (3, "u01", 1_000_000),
    "3x2-beta12": (3, "beta12", 250_000),
    "4x2-u01": (4, "u01", 250_000),
}

#: The records, by name.
#:
#: :meta hide-value:
SHELF = Shelf("data/recorded/gemnet/several_{}.json", PLANS, "name", "name")
load = SHELF.load

_EACH = 4


@dataclass(frozen=True)
class PairedSample:
    """The mechanism and the affine maximiser on the same profiles.

    Attributes
    ----------
    revenue, se : float
        Mean payments, and their standard error clustered over the others' values.
    gain, gain_se : float
        The same for the difference to the affine maximiser of the same boosts.
    conflicts : int
        Profiles in which two bidders may hold the same item, ties included.
    n_profiles : int
    """

    revenue: float
    se: float
    gain: float
    gain_se: float
    conflicts: int
    n_profiles: int


def paired_sample(
    mechanism: ReplyMechanism, n_values: int, seed: int = 1
) -> PairedSample:
    """Play an independent sample: values of the others, and four of bidder 1 for each.

    Parameters
    ----------
    mechanism : ReplyMechanism
    n_values : int
        2 or more.
    seed : int
    """
    if n_values < 2:
        raise ValueError(f"n_values = {n_values}: expected an integer, 2 or more")
    rng = np.random.default_rng([seed, 29])
    n, conflicts = mechanism.boosts.n_bidders, 0
    paid, gain = np.empty(n_values), np.empty(n_values)
    for begin in range(0, n_values, 50_000):
        part = slice(begin, min(begin + 50_000, n_values))
        size = part.stop - begin
        others = mechanism.law.ppf(rng.random((size, n - 1, 2)))
        own = mechanism.law.ppf(rng.random((size, _EACH, 2)))
        mine, affine, clash = mechanism.play(others, own)
        paid[part] = mine.mean(axis=1)
        gain[part] = (mine - affine).mean(axis=1)
        conflicts += int(clash.sum())
    root = np.sqrt(n_values)
    return PairedSample(
        float(paid.mean()),
        float(paid.std(ddof=1) / root),
        float(gain.mean()),
        float(gain.std(ddof=1) / root),
        conflicts,
        _EACH * n_values,
    )


def critical_values(
    mechanism: ReplyMechanism, n_random: int, n_critical: int, seed: int = 0
) -> Float[np.ndarray, "_ k 2"]:
    """Values of the others, at random and where menus bend or others are tied.

    Parameters
    ----------
    mechanism : ReplyMechanism
    n_random, n_critical : int
        How many of each.
    seed : int
    """
    law, boosts = mechanism.law, mechanism.boosts
    rng = np.random.default_rng([seed, 31])
    n = boosts.n_bidders
    one, both, split = boosts.one[0], boosts.both[0], boosts.split[0, 1]
    bends = [0.0, law.top, -one, one - both, one - split, -both / 2, both - split]
    bends = np.array(sorted(z for z in bends if 0 <= z <= law.top))
    pairs = np.array(list(product(bends, repeat=2)))
    some = pairs[rng.integers(len(pairs), size=(n_critical, n - 1))]
    some[::2, 1:] = some[::2, :1]  # every second one has all others alike
    return np.concatenate([law.ppf(rng.random((n_random, n - 1, 2))), some])


def run(
    name: str,
    *,
    log2_tune: int = 10,
    evaluations: int = 500,
    n_values: int | None = None,
    n_exact: int = 200,
) -> dict:
    """Tune, evaluate and certify one mechanism.

    Parameters
    ----------
    name : str
        One of ``PLANS``.
    log2_tune, evaluations : int
        Of :func:`econlib.gemnet.several.tune_several`.
    n_values : int, optional
        In place of those of the recorded run.
    n_exact : int
        Values that are certified in exact arithmetic, a quarter of them critical.

    Returns
    -------
    dict
        Boosts, revenue, sample, margins, seconds, machine, versions, command.
    """
    n, law, many = PLANS[SHELF.known(name)]
    began = time.process_time()
    options = {"log2_n": log2_tune, "evaluations": evaluations}
    affine = tune_several(market(law).first, n, reply=False, **options)
    tuned = tune_several(market(law).first, n, apart=True, **options)
    log2_n = log2_tune + 5
    mine, own, rest = tuned.parts(log2_n, seed=5)
    _, alone, others = affine.parts(log2_n, seed=5)
    sample = paired_sample(tuned, many if n_values is None else n_values)
    at = critical_values(tuned, n_exact - n_exact // 4, n_exact // 4)
    margins = clash_margins(tuned, at)
    lowered = clash_margins(tuned, at, tuned.reply(at) - 1 / 500)
    boosts = tuned.boosts
    return {
        "name": name,
        "n_bidders": n,
        "law": law,
        "boosts": boosts.one[1:2].tolist()
        + boosts.both[1:2].tolist()
        + ([float(boosts.split[1, 2])] if n > 2 else [float(boosts.split[0, 1])]),
        "first": [boosts.one[0], boosts.both[0], boosts.split[0, 1]],
        "log2_points": log2_n,
        "revenue": float(mine + rest),
        "reply": float(mine),
        "own affine menu": float(own),
        "tuned affine maximiser": float(alone + others),
        "sample": sample.__dict__,
        "certified": len(at),
        "violations": int((margins <= 0).sum()),
        "least margin": float(margins.min()),
        "caught when lowered": int((lowered <= 0).sum()),
        "seconds": round(time.process_time() - began, 1),
        **provenance("numpy", "scipy", "numba"),
        "command": f"python -m econlib.gemnet.record_several {name}",
    }


def recorded(name: str) -> ReplyMechanism:
    """The mechanism of a record."""
    kept = load(name)
    boosts = Boosts.alike(
        kept["n_bidders"], np.array(kept["boosts"]), np.array(kept["first"])
    )
    return ReplyMechanism(market(kept["law"]).first, boosts)


if __name__ == "__main__":
    SHELF.record(run, sys.argv[1:])
