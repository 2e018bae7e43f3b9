r"""A small combat game with sight ranges, after the StarCraft benchmarks.

Two teams start on the two sides of a square map with random places and kinds of unit.
A unit has a health in [0, 1], a place, and a kind: *shooters* see 11, reach 6 and hurt
by 0.12, *fighters* see 8, reach 2, hurt by 0.25 and are faster.  In a step every living
unit, with probability ``noise``, moves at random; otherwise it strikes the nearest
opponent in reach, which hits four times in five, or walks towards the nearest opponent
that is seen, and towards the other side where none is.  All act at once.

The state is, a unit, health, abscissa, ordinate and kind, each scaled to [-1, 1]
(health -1, other entries 0 when dead).  Two ways of seeing:

* *partition*: ally :math:`i` sees itself and the enemies :math:`j` with
  :math:`j\bmod n=i`.  Together the allies know the state, by construction.
* *sight*: ally :math:`i` sees itself and the living units within its sight.  A state is
  *covered* if every unit is an ally or in the sight of a living ally, or dead; what is
  out of sight and what is dead look the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["PER_UNIT", "Battle", "Battles", "advance", "fight", "observe", "seen"]

#: Numbers a unit in a state.
PER_UNIT = 4
_SIGHT, _REACH = np.array([11.0, 8.0]), np.array([6.0, 2.0])
_HURT, _STRIDE = np.array([0.12, 0.25]), np.array([1.5, 2.5])
_COMPASS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])


@dataclass(frozen=True)
class Battle:
    """Rules of a battle.

    Attributes
    ----------
    n_allies, n_enemies : int
        Units of a team, 1 to 10.
    side : float
        Length of the map's side, [8, 64].
    noise : float
        Probability of a random move, [0, 1].
    n_steps : int
        Steps that are kept, 1 or more.
    """

    n_allies: int = 3
    n_enemies: int = 3
    side: float = 32.0
    noise: float = 0.3
    n_steps: int = 24

    def __post_init__(self) -> None:
        faults = []
        for name in ("n_allies", "n_enemies"):
            value = getattr(self, name)
            if not 1 <= value <= 10:
                faults.append(f"{name} = {value}: expected an integer, 1 to 10")
        if not 8 <= self.side <= 64:
            faults.append(f"side = {self.side}: expected a number in [8, 64]")
        if not 0 <= self.noise <= 1:
            faults.append(f"noise = {self.noise}: expected a number in [0, 1]")
        if self.n_steps < 1:
            faults.append(f"n_steps = {self.n_steps}: expected an integer, 1 or more")
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def n_units(self) -> int:
        """Units of both teams, allies first."""
        return self.n_allies + self.n_enemies

    @property
    def d(self) -> int:
        """Length of a state."""
        return PER_UNIT * self.n_units


@dataclass(frozen=True)
class Battles:
    """Episodes.

    Attributes
    ----------
    health : ndarray, shape (n_episodes, n_steps, n_units)
        0 when dead.
    place : ndarray, shape (n_episodes, n_steps, n_units, 2)
        Coordinates, 0 to the side.
    kind : ndarray of int, shape (n_episodes, n_units)
        0 shooter, 1 fighter.
    """

    health: Float[np.ndarray, "n_episodes n_steps n_units"]
    place: Float[np.ndarray, "n_episodes n_steps n_units 2"]
    kind: Int[np.ndarray, "n_episodes n_units"]

    def states(self, rules: Battle) -> Float[np.ndarray, "n_episodes n_steps d"]:
        """State vectors."""
        alive = self.health > 0
        kind = np.broadcast_to(2.0 * self.kind[:, None] - 1, alive.shape)
        parts = np.concatenate(
            [
                (2 * self.health - 1)[..., None],
                (2 * self.place / rules.side - 1) * alive[..., None],
                (kind * alive)[..., None],
            ],
            axis=-1,
        )
        return parts.reshape(*alive.shape[:2], rules.d)


def fight(rules: Battle, n_episodes: int, rng: np.random.Generator) -> Battles:
    """Play battles by the rules' policy.

    Parameters
    ----------
    rules : Battle
        Sizes and noise.
    n_episodes : int
        1 or more.
    rng : Generator
        Source of starts, random moves and misses.
    """
    if n_episodes < 1:
        raise ValueError(f"n_episodes = {n_episodes}: expected an integer, 1 or more")
    B, n = n_episodes, rules.n_units
    kind = rng.integers(0, 2, (B, n))
    place = rng.random((B, n, 2)) * rules.side * np.array([0.4, 1.0])
    place[:, rules.n_allies :, 0] = rules.side - place[:, rules.n_allies :, 0]
    health = np.ones((B, n))
    kept_health = np.empty((B, rules.n_steps, n))
    kept_place = np.empty((B, rules.n_steps, n, 2))
    for t in range(rules.n_steps):
        kept_health[:, t], kept_place[:, t] = health, place
        health, place = advance(rules, health, place, kind, rng)
    return Battles(kept_health, kept_place, kind)


def advance(
    rules: Battle,
    health: Float[np.ndarray, "n n_units"],
    place: Float[np.ndarray, "n n_units 2"],
    kind: Int[np.ndarray, "n n_units"],
    rng: np.random.Generator,
    orders: Int[np.ndarray, "n n_allies"] | None = None,
) -> tuple[Float[np.ndarray, "n n_units"], Float[np.ndarray, "n n_units 2"]]:
    """Health and places after one step of several battles.

    Parameters
    ----------
    rules : Battle
        Sizes and noise.
    health, place, kind : ndarray
        Of the units now.
    rng : Generator
        Source of random moves and misses.
    orders : ndarray of int, shape (n, n_allies), optional
        What allies do in place of the policy: 0 stays, 1 to 4 walks east, north, west
        or south, ``5 + j`` strikes enemy ``j``, or stays if it is out of reach.
    """
    B, n, m = len(health), rules.n_units, rules.n_allies
    ally, alive = np.arange(n) < m, health > 0
    foe = ally[:, None] != ally[None]
    home = np.where(ally, 1.0, -1.0)[None, :, None] * np.array([1.0, 0.0])
    step = place[:, None] - place[:, :, None]
    away = np.sqrt((step**2).sum(axis=-1))
    away = np.where(foe & alive[:, None] & alive[:, :, None], away, np.inf)
    target = away.argmin(axis=2)
    near = np.take_along_axis(away, target[..., None], axis=2)[..., 0]
    towards = np.take_along_axis(step, target[..., None, None], axis=2)[:, :, 0]
    unit = towards / np.where(np.isfinite(near) & (near > 0), near, 1.0)[..., None]
    unit = np.where((near <= _SIGHT[kind])[..., None], unit, home)
    angle = 2 * np.pi * rng.random((B, n))
    stray = rng.random((B, n)) < rules.noise
    wander = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    move = np.where(stray[..., None], wander, unit) * _STRIDE[kind][..., None]
    strikes = alive & ~stray & (near <= _REACH[kind])
    if orders is not None:
        target[:, :m] = m + np.maximum(orders - 5, 0)
        near = np.take_along_axis(away, target[..., None], axis=2)[..., 0]
        strikes[:, :m] = (orders >= 5) & (near <= _REACH[kind])[:, :m]
        move[:, :m] = _COMPASS[np.minimum(orders, 5) % 5] * _STRIDE[kind[:, :m], None]
    hits = strikes & (rng.random((B, n)) < 0.8)
    harm = np.zeros((B, n))
    np.add.at(harm, (np.nonzero(hits)[0], target[hits]), _HURT[kind][hits])
    place = np.clip(place + move * (alive & ~strikes)[..., None], 0.0, rules.side)
    health = np.maximum(health - harm, 0.0)
    health[health < 1e-9] = 0.0
    return health, place


def seen(
    rules: Battle, battles: Battles, variant: str
) -> Bool[np.ndarray, "n_allies n_episodes n_steps n_units"]:
    """Whose features each ally sees, by ``variant``, partition or sight.

    Raises
    ------
    ValueError
        Another variant.
    """
    if variant not in ("partition", "sight"):
        raise ValueError(f"variant = {variant!r}: expected one of partition, sight")
    n, m = rules.n_units, rules.n_allies
    own = np.eye(m, n, dtype=bool)[:, None, None]
    shape = (m, *battles.health.shape)
    if variant == "partition":
        dealt = np.arange(m)[:, None] == (np.arange(n) - m)[None] % m
        dealt[:, :m] = False
        return np.broadcast_to(own | dealt[:, None, None], shape).copy()
    step = battles.place[:, :, None] - battles.place[:, :, :m, None]
    away = np.sqrt((step**2).sum(axis=-1)).transpose(2, 0, 1, 3)
    alive = battles.health > 0
    reach = _SIGHT[battles.kind[:, :m]].T[:, :, None, None]
    looks = alive[:, :, :m].transpose(2, 0, 1)[..., None]
    return own | ((away <= reach) & alive[None] & looks)


def observe(
    rules: Battle, battles: Battles, variant: str
) -> Float[np.ndarray, "n_allies n_episodes n_steps n_features"]:
    """What each ally sees as numbers: of each unit a mark and its state, or zeros."""
    mark = seen(rules, battles, variant)
    states = battles.states(rules)
    state = states.reshape(1, *states.shape[:2], rules.n_units, PER_UNIT)
    rows = np.concatenate([mark[..., None], state * mark[..., None]], axis=-1)
    return rows.reshape(*mark.shape[:3], -1)
