"""Values of decision processes against known numbers and a second route."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.abcs.mdp import (
    chain,
    finite_horizon,
    from_gymnasium,
    policy_value,
    random_mdp,
    value_iteration,
)


@pytest.mark.parametrize(
    ("size", "slippery", "gamma", "value"),
    [
        ("4x4", True, 1.0, 14 / 17),
        ("4x4", True, 0.99, 0.5420259320),
        ("4x4", True, 0.95, 0.1804715784),
        ("8x8", True, 1.0, 1.0),
        ("8x8", True, 0.99, 0.4146403618),
        ("8x8", True, 0.95, 0.0482502041),
        ("4x4", False, 0.99, 0.9509900499),
    ],
)
def test_frozen_lake(size, slippery, gamma, value):
    mdp = from_gymnasium("FrozenLake-v1", gamma, map_name=size, is_slippery=slippery)
    found = value_iteration(mdp)
    assert found.converged
    assert found.start == pytest.approx(value, abs=1e-8)


def test_frozen_lake_with_a_limit_on_steps():
    mdp = from_gymnasium("FrozenLake-v1", 1.0, map_name="4x4", is_slippery=True)
    assert finite_horizon(mdp, 100) == pytest.approx(0.7441902878, abs=1e-9)
    assert finite_horizon(mdp, 0) == 0


@pytest.mark.parametrize("gamma", [1.0, 0.99, 0.95])
def test_cliff_walking_takes_thirteen_steps(gamma):
    # one up, eleven to the right, one down, each at a cost of 1; entering the goal ends
    mdp = from_gymnasium("CliffWalking-v1", gamma)
    cost = sum(gamma**k for k in range(13))
    assert value_iteration(mdp).v[36] == pytest.approx(-cost, abs=1e-9)
    assert value_iteration(mdp).start == pytest.approx(-cost, abs=1e-9)
    # the corner above the start's column, three rows up, is one step further away
    far = cost + gamma**13
    assert value_iteration(mdp).v[0] == pytest.approx(-far, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_greedy_policies_earn_the_optimum_and_others_no_more(seed):
    rng = np.random.default_rng(seed)
    mdp = random_mdp(8, 3, rng)
    best = value_iteration(mdp)
    assert policy_value(mdp, best.q.argmax(axis=1)) == pytest.approx(best.v, abs=1e-9)
    other = policy_value(mdp, rng.integers(3, size=8))
    assert (other <= best.v + 1e-9).all()


def test_chain_in_closed_form():
    # v = .9 γ (v' - v₀) + γ v₀ upwards, so one equation in v₀
    mdp = chain(1, 3, gamma=0.9)
    assert value_iteration(mdp).start == pytest.approx(0.9 / (1 - 0.09))
    assert value_iteration(chain(6, 4)).q.argmax(axis=1).tolist() == [0, 1, 2, 3, 0, 1]


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="no table"):
        from_gymnasium("CartPole-v1", 1.0)
    with pytest.raises(ValueError, match=r"gamma = 1\.5"):
        chain(2, 2).discounted(1.5)
    with pytest.raises(ValueError, match="n_actions = 0"):
        random_mdp(3, 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="stop = 0"):
        random_mdp(3, 2, np.random.default_rng(0), stop=0.0)
    with pytest.raises(ValueError, match="never end"):
        policy_value(from_gymnasium("CliffWalking-v1", 1.0), np.zeros(48, dtype=int))
