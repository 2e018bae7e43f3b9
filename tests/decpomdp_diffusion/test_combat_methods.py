"""Methods on battles: errors of known answers, orders, and their record."""

from __future__ import annotations

import numpy as np
import pytest

from econlib import records
from econlib.decpomdp_diffusion import combat_data
from econlib.decpomdp_diffusion.combat import PER_UNIT, Battle, fight, observe
from econlib.decpomdp_diffusion.combat_methods import (
    ERRORS,
    METHODS,
    battle_errors,
    moments,
    reconstruct,
)
from econlib.decpomdp_diffusion.record import COMBAT, COMBAT_FILE, combat

RULES = Battle(2, 2, n_steps=6)
BATTLES = fight(RULES, 300, np.random.default_rng(0))


def held(variant, n_test=40):
    return moments(RULES, BATTLES, variant, n_test, np.random.default_rng(1))


def test_both_ways_of_seeing_are_asked_about_the_same_moments():
    part, sight = held("partition"), held("sight")
    assert (part.truth == sight.truth).all() and (part.clean == sight.clean).all()
    assert part.in_sight.all() and not sight.in_sight[sight.alive].all()
    states, rows = BATTLES.states(RULES), observe(RULES, BATTLES, "sight")
    train = {row.tobytes() for row in states[:240].reshape(-1, RULES.d)}
    assert {row.tobytes() for row in part.clean} == train
    test = states[240:].reshape(-1, RULES.d)
    for k in range(5):  # an observation stands beside its own state
        at = int((test == sight.truth[k]).all(axis=1).argmax())
        own = rows[:, 240 + at // RULES.n_steps, at % RULES.n_steps]
        assert (sight.asked[:, k] == own).all()


def test_errors_of_known_answers():
    own = held("sight")
    units = own.alive
    answer = np.broadcast_to(own.truth[:, None], (3, 40, 2, RULES.d)).copy()
    assert (battle_errors(RULES, own, [answer], units) == 0).all()
    off = answer.reshape(3, 40, 2, RULES.n_units, PER_UNIT).copy()
    off[0, ..., 1] += 3.0 / 16  # three cells east and four north
    off[0, ..., 2] += 4.0 / 16
    off[1, ..., 0] += 0.5  # a quarter of full health
    off[2, ..., 3] *= -1.0  # the other kind
    found = battle_errors(RULES, own, [off.reshape(answer.shape)], units)
    assert found == pytest.approx(np.diag([5.0, 0.25, 1.0]))
    half = battle_errors(RULES, own, [off.reshape(answer.shape), answer], units)
    assert half == pytest.approx(found / 2)


@pytest.fixture(scope="module")
def errors():
    settings = {"n_steps": 800, "width": 48, "last_noise": 0.1, "seed": 0}
    own = held("partition", 100)
    answers = reconstruct(own, n_seeds=2, **settings)
    return {
        name: battle_errors(RULES, own, many, own.alive)
        for name, many in answers.items()
    }


def test_methods_rank_as_they_should(errors):
    assert tuple(errors) == METHODS
    place = {name: e[0] for name, e in errors.items()}
    assert (place["composite"] < place["one ally"]).all()
    assert (place["centralised"] < place["composite"]).all()
    assert (place["regression"] < place["one ally"]).all()  # a mean, not a draw
    assert errors["composite"][2].mean() < errors["regression"][2].mean() - 0.1


def test_the_record_is_whole_and_made_by_its_command():
    kept = records.load(COMBAT_FILE)
    assert kept["settings"] == COMBAT
    tiny = combat(COMBAT | {"n_seeds": 2, "n_test": 20, "n_steps": 2, "width": 8})
    for variant, groups in tiny["errors"].items():
        assert set(groups) == set(kept["errors"][variant])
        for rows in kept["errors"][variant].values():
            assert tuple(rows) == METHODS
            for row in rows.values():
                assert tuple(row) == ERRORS
                assert all(len(v) == COMBAT["n_seeds"] for v in row.values())
    battles = combat_data.load()
    assert len(battles.health) == combat_data.N_EPISODES


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("300 battles, n_test = 0", lambda: held("sight", 0)),
        ("variant = 'fog'", lambda: held("fog")),
        (
            "units: expected at least one",
            lambda: battle_errors(RULES, held("sight"), [], np.zeros((40, 4), bool)),
        ),
    ],
)
def test_bad_questions_are_refused(message, call):
    with pytest.raises(ValueError, match=message):
        call()
