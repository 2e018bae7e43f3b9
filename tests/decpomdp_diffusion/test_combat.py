"""Battles: rules counted by hand, what is seen, and the file."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.decpomdp_diffusion import combat_data
from econlib.decpomdp_diffusion.combat import PER_UNIT, Battle, fight, observe, seen

RULES = Battle()
BATTLES = fight(RULES, 200, np.random.default_rng(0))


def test_units_only_lose_health_and_the_dead_stay_where_they_fell():
    health, place = BATTLES.health, BATTLES.place
    lost = -np.diff(health, axis=1)
    assert (lost > -1e-12).all() and (health >= 0).all()
    assert place.min() >= 0 and place.max() <= RULES.side
    dead = health[:, :-1] == 0
    assert (np.diff(place, axis=1)[dead] == 0).all()
    stride = np.linalg.norm(np.diff(place, axis=1), axis=-1)
    limit = np.where(BATTLES.kind == 0, 1.5, 2.5)[:, None]
    assert (stride <= limit + 1e-9).all()
    units = np.round(lost / 0.01)  # sums of 0.12 and 0.25, or what was left
    assert np.allclose(units * 0.01, lost)


def test_without_noise_two_fighters_meet_and_strike():
    rules = Battle(1, 1, side=8.0, noise=0.0, n_steps=12)
    duel = fight(rules, 400, np.random.default_rng(1))
    both = (duel.kind == 1).all(axis=1)
    gap = np.linalg.norm(duel.place[:, :, 0] - duel.place[:, :, 1], axis=-1)
    alive = (duel.health > 0).all(axis=2)
    at_hand = (gap[:, :-1] <= 2) & alive[:, :-1]
    lost = -np.diff(duel.health, axis=1)[at_hand & both[:, None]]
    rate = (lost > 0).mean()
    assert abs(rate - 0.8) < 4 * np.sqrt(0.16 / lost.size)
    assert set(np.round(lost[lost > 0], 6)) == {0.25}


def test_parts_of_the_partition_make_the_whole():
    mark = seen(RULES, BATTLES, "partition")
    assert (mark.sum(axis=0) == 1).all()
    rows = observe(RULES, BATTLES, "partition")
    blocks = rows.reshape(*rows.shape[:3], RULES.n_units, PER_UNIT + 1)[..., 1:]
    whole = blocks.sum(axis=0).reshape(200, RULES.n_steps, RULES.d)
    assert whole == pytest.approx(BATTLES.states(RULES))


def test_sight_is_a_disc_around_the_living():
    mark = seen(RULES, BATTLES, "sight")
    alive, kind = BATTLES.health > 0, BATTLES.kind
    rng = np.random.default_rng(2)
    for _ in range(300):
        b, t = rng.integers(200), rng.integers(RULES.n_steps)
        i, j = rng.integers(RULES.n_allies), rng.integers(RULES.n_units)
        gap = np.linalg.norm(BATTLES.place[b, t, i] - BATTLES.place[b, t, j])
        sees = gap <= (11.0, 8.0)[kind[b, i]] and alive[b, t, i] and alive[b, t, j]
        assert mark[i, b, t, j] == (sees or i == j)
    rows = observe(RULES, BATTLES, "sight")
    blocks = rows.reshape(*rows.shape[:3], RULES.n_units, PER_UNIT + 1)
    assert (blocks[~mark] == 0).all() and (blocks[mark][:, 0] == 1).all()


def test_the_file_is_what_the_script_makes():
    held = combat_data.load()
    again = combat_data.generate()
    assert combat_data.checksum(again) == combat_data.CHECKSUM
    assert (held.kind == again["kind"]).all() and held.health.shape == (3000, 24, 6)


def test_a_damaged_file_is_refused(monkeypatch):
    monkeypatch.setattr(combat_data, "CHECKSUM", "0" * 64)
    with pytest.raises(ValueError, match=r"combat\.npz: checksum 024c.*expected 0000"):
        combat_data.load()


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("n_allies = 0.*side = 4.0.*noise = 2.0", lambda: Battle(0, 3, 4.0, 2.0)),
        ("n_steps = 0", lambda: Battle(n_steps=0)),
        ("n_episodes = 0", lambda: fight(RULES, 0, np.random.default_rng(0))),
        ("variant = 'fog'", lambda: seen(RULES, BATTLES, "fog")),
    ],
)
def test_bad_rules_are_refused(message, call):
    with pytest.raises(ValueError, match=message):
        call()
