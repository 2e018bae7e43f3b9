"""Battles on file: ``python -m econlib.decpomdp_diffusion.combat_data`` writes them.

Health in thousandths, places in thousandths of the map's side.  The checksum is that of
the numbers, not of the compressed file; reading checks it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from econlib.decpomdp_diffusion.combat import Battle, Battles, fight

__all__ = ["CHECKSUM", "N_EPISODES", "SEED", "generate", "load", "main"]

#: Episodes on file, and the seed that makes them.
N_EPISODES, SEED = 3000, 20260
#: SHA-256 of the numbers on file.
#:
#: :meta hide-value:
CHECKSUM = "024c34c5c4626db53630b3e22762eb49d608968a96e97f3768cdfe21ec930af4"

_FILE = Path(__file__).resolve().parents[2] / "data/decpomdp_diffusion/combat.npz"


def generate() -> dict[str, np.ndarray]:
    """The arrays on file, made anew."""
    rules = Battle()
    battles = fight(rules, N_EPISODES, np.random.default_rng(SEED))
    return {
        "health": np.rint(battles.health * 1000).astype(np.int16),
        "place": np.rint(battles.place / rules.side * 1000).astype(np.int16),
        "kind": battles.kind.astype(np.int8),
    }


def checksum(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 of the arrays' numbers, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def load() -> Battles:
    """The battles on file.

    Raises
    ------
    ValueError
        The file's numbers are not those of :data:`CHECKSUM`.
    """
    with np.load(_FILE) as held:
        arrays = {name: held[name] for name in held.files}
    found = checksum(arrays)
    if found != CHECKSUM:
        raise ValueError(
            f"{_FILE.name}: checksum {found}, expected {CHECKSUM}. Write it again by "
            "python -m econlib.decpomdp_diffusion.combat_data"
        )
    return Battles(
        arrays["health"] / 1000,
        arrays["place"] / 1000 * Battle().side,
        arrays["kind"].astype(np.int64),
    )


def main() -> str:
    """Write the file; returns its checksum."""
    arrays = generate()
    _FILE.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(_FILE, **arrays)
    return checksum(arrays)


if __name__ == "__main__":
    print(main())
