"""Methods compared, decisions on states, and the record."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from econlib import records
from econlib.decpomdp_diffusion.decisions import (
    best_plans,
    local_policies,
    scan_rewards,
)
from econlib.decpomdp_diffusion.reconstruction import (
    METRICS,
    compare,
    judge,
    sensitivity,
    sweeps,
    train_case,
)
from econlib.decpomdp_diffusion.record import (
    FILE,
    LARGE,
    LARGE_FILE,
    SETTINGS,
    large,
    main,
    reconstruction,
)
from econlib.decpomdp_diffusion.sensor_env import scan_reward
from econlib.decpomdp_diffusion.sensors import sensor_network

SMALL = sensor_network((2, 2), 2)


@pytest.fixture(scope="module")
def case():
    return train_case(
        SMALL,
        length=1,
        n_seeds=2,
        n_episodes=3000,
        n_histories=30,
        n_steps=1200,
        width=64,
        seed=0,
    )


def test_methods_rank_as_they_should(case):
    found = compare(case, n_steps=1000, width=48, seed=0)
    accuracy = {name: row[0].mean() for name, row in found.items()}
    assert accuracy["exact Bayes"] == 1.0
    assert accuracy["composite"] > 0.9 and accuracy["centralised"] > 0.9
    assert accuracy["experts"] > 0.9
    assert accuracy["one agent"] < accuracy["composite"] - 0.1
    validity = {name: row[2].mean() for name, row in found.items()}
    assert validity["regression"] < validity["one agent"]
    tv = found["composite"][3].mean()
    assert tv == pytest.approx(1 - accuracy["composite"], abs=1e-9)  # one state is true


def test_metrics_of_known_points(case):
    truth = np.broadcast_to(case.held.states[:, None], (2, 30, 3, 5))
    shared = case.local.all(axis=0)
    assert judge(case, truth, shared)[:, 0] == pytest.approx([1, 0, 1, 0])
    off = judge(case, truth + 0.3, shared)  # 0.67 away, still nearest
    assert off[:, 0] == pytest.approx([1, 0.3 * np.sqrt(5), 0, 0])
    other = SMALL.states[(case.held.index + 1) % 10]
    wrong = np.broadcast_to(other[:, None], truth.shape)
    assert judge(case, wrong, shared)[[0, 2, 3], 0] == pytest.approx([0, 0, 1])


def test_sweeps_and_sensitivity(case):
    path = sweeps(case, 0.25, 3, 0)
    assert path["composite"].shape == (2, 4)
    assert path["composite"][:, 0] == pytest.approx(path["one agent"][:, 0])
    assert (path["composite"][:, -1] < path["one agent"][:, -1]).all()
    row = sensitivity(case, 0.25, 0)
    assert row["fixed"].min() > 0.9 and row["composite"].min() > 0.9


def test_plans_are_the_best_scans():
    """All 9^4 joint scans of a small network, by another count of the rewards."""
    net = sensor_network((2, 2), 1)
    plans = best_plans(net)
    every = np.array(list(itertools.product(range(9), repeat=4)))
    for k in range(net.n_states):
        value = scan_rewards(net, np.full(len(every), k), every)
        assert value[:50] == pytest.approx(
            [scan_reward(net, net.states[k], row) for row in every[:50]]
        )
        best = scan_rewards(net, np.array([k]), plans[k : k + 1])[0]
        assert best == value.max()


def test_local_policies_lie_between_guessing_and_knowing():
    net, rng = sensor_network((2, 3), 2), np.random.default_rng(0)
    numbers = np.arange(net.n_states)
    weight = net.merge(net.b0[None])[0]
    known = weight @ scan_rewards(net, numbers, best_plans(net))
    value, scans = local_policies(net, rng, 10)
    assert value == pytest.approx(weight @ scan_rewards(net, numbers, scans))
    assert 0 < value < known
    first = np.array([np.flatnonzero(net.lump == k)[0] for k in numbers])
    for i, law in enumerate(net.O):  # a function of what the agent sees
        code = law.argmax(axis=1)[first]
        for c in np.unique(code):
            assert len(np.unique(scans[code == c, i])) == 1
    one = sensor_network((2, 3), 1)
    top = one.merge(one.b0[None])[0] @ scan_rewards(one, np.arange(9), best_plans(one))
    assert local_policies(one, rng, 1)[0] == pytest.approx(top)


def test_too_many_joint_scans_are_refused(monkeypatch):
    monkeypatch.setattr("econlib.decpomdp_diffusion.decisions.MAX_JOINT", 10)
    with pytest.raises(ValueError, match="joint scans, expected at most 10"):
        best_plans(sensor_network((2, 3), 2))


def test_the_record_is_whole_and_made_by_its_command():
    kept = records.load(FILE)
    assert kept["settings"] == SETTINGS
    n_seeds = SETTINGS["n_seeds"]
    for rows in kept["table"].values():
        for row in rows.values():
            assert set(row) == set(METRICS)
            assert all(len(v) in (1, n_seeds) for v in row.values())
            assert all(0 <= a <= 1 for a in row["accuracy"])
    own = {k: v for k, v in SETTINGS.items() if k != "peer_steps"}
    own |= {"n_steps": 1, "width": 8}  # the held-out histories come from the seed
    for name, active in (("all sensors", None), ("sensors 0 and 5", [0, 5])):
        again = train_case(sensor_network((2, 3), 2, active), length=4, **own)
        best = again.env.states[again.joint.argmax(axis=1)][None, :, None]
        found = judge(again, best, again.local.all(axis=0))
        rows = kept["table"][name]["exact Bayes"]
        assert [rows[m][0] for m in METRICS] == pytest.approx(found[:, 0], abs=1e-4)


def test_a_tiny_run_of_the_record_has_its_parts():
    tiny = {"n_seeds": 2, "n_episodes": 300, "n_histories": 6, "n_steps": 5}
    made = reconstruction(tiny | {"peer_steps": 5, "width": 8, "seed": 1})
    kept = records.load(FILE)
    for part in ("table", "sweeps", "sensitivity", "orders"):
        assert set(made[part]) == set(kept[part])


def test_the_record_of_the_largest_network_has_the_parts_of_a_tiny_run():
    kept = records.load(LARGE_FILE)
    assert kept["settings"] == LARGE
    tiny = {"n_episodes": 300, "n_histories": 6, "n_steps": 5, "width": 8}
    made = large(LARGE | tiny | {"n_seeds": 2})
    for part in ("sweeps", "sensitivity"):
        assert set(made[part]) == set(kept[part])
        for name, runs in kept[part].items():
            assert len(runs) == LARGE["n_seeds"]
            assert np.shape(runs)[1:] == np.shape(made[part][name])[1:]


def test_an_unknown_record_is_refused():
    with pytest.raises(SystemExit, match="expected one name"):
        main(["everything"])
