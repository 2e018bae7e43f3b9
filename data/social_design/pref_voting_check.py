"""Winners by the pref_voting package, for comparison with the book's own rules.

pref_voting asks for an older numpy than the book's, so that it needs an environment of
its own, outside the repository::

    python3.11 -m venv ../pref_voting
    ../pref_voting/bin/pip install pref-voting==1.18.2
    ../pref_voting/bin/python data/social_design/pref_voting_check.py

writes ``data/recorded/social_design/pref_voting.json``: winners of five rules on all
216 profiles of three voters and three alternatives and on 300 random larger ones, with
ties broken as in the book, and how many of the 216 are manipulable by those winners.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import random
import time
from importlib.metadata import version
from pathlib import Path

from pref_voting.c1_methods import condorcet, copeland
from pref_voting.iterative_methods import instant_runoff_tb
from pref_voting.profiles import Profile
from pref_voting.scoring_methods import borda, plurality

DATA = Path(__file__).resolve().parents[1]
TARGET = DATA / "recorded" / "social_design" / "pref_voting.json"
RULES = {
    "plurality": lambda p: min(plurality(p)),
    "borda": lambda p: min(borda(p)),
    "copeland": lambda p: min(copeland(p)),
    # the first of the list is dropped first: the highest index
    "irv": lambda p: min(
        instant_runoff_tb(p, tie_breaker=sorted(p.candidates, reverse=True))
    ),
    "condorcet": lambda p: next(iter(condorcet(p)), -1) if has_winner(p) else -1,
}


def has_winner(profile: Profile) -> bool:
    """Whether one candidate beats all others; condorcet() returns all where not."""
    return profile.condorcet_winner() is not None


def winners(profiles: list) -> dict[str, list[int]]:
    """Winner of each rule at each profile; -1 where there is no Condorcet winner."""
    read = [Profile([list(ballot) for ballot in p]) for p in profiles]
    return {name: [int(rule(p)) for p in read] for name, rule in RULES.items()}


def manipulable(profiles: list, won: list[int]) -> int:
    """Profiles at which some voter's misreport wins her something better."""
    at = dict(zip(profiles, won, strict=True))
    rankings = list(itertools.permutations(range(3)))

    def gains(profile: tuple) -> bool:
        for i, truth in enumerate(profile):
            for lie in rankings:
                other = at[(*profile[:i], lie, *profile[i + 1 :])]
                if truth.index(other) < truth.index(at[profile]):
                    return True
        return False

    return sum(gains(p) for p in profiles)


def main() -> None:
    """Compute and write."""
    start = time.perf_counter()
    rankings = list(itertools.permutations(range(3)))
    everything = list(itertools.product(rankings, repeat=3))
    won = winners(everything)
    rng = random.Random(0)
    larger = []
    for _ in range(300):
        n, m = rng.randint(2, 9), rng.randint(2, 6)
        larger.append([rng.sample(range(m), m) for _ in range(n)])
    found = {
        "command": "python data/social_design/pref_voting_check.py",
        "package": "pref_voting",
        "versions": {k: version(k) for k in ("pref_voting", "numpy")},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread used",
        "order": "rankings in lexicographic order, the last voter's changing fastest",
        "winners": won,
        "manipulable": {
            name: manipulable(everything, won[name]) for name in list(RULES)[:4]
        },
        "larger": [
            {"ballots": p, **{k: v[0] for k, v in winners([p]).items()}} for p in larger
        ],
        "seconds": round(time.perf_counter() - start, 2),
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(found, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
