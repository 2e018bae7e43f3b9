"""Which pairs are child stationary: by the oracle, by hand, by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.abcs.stationarity import child_distribution, children, stationary_oracle
from econlib.abcs.tree import from_openspiel, kuhn, weighted_rps


@pytest.mark.parametrize(
    ("name", "pairs", "stationary", "whole"),
    [
        ("kuhn_poker", 24, 12, None),
        ("leduc_poker", 2184, 774, 60),
        ("liars_dice(numdice=1,dice_sides=3)", 378, 163, None),
    ],
)
def test_how_many_pairs_are_child_stationary(name, pairs, stationary, whole):
    tree = from_openspiel(name)
    found = stationary_oracle(tree)
    assert tree.legal.sum() == pairs
    assert found.sum() == stationary
    assert not (found & ~tree.legal).any()
    if whole is not None:
        assert (found | ~tree.legal).all(axis=1).sum() == whole


def test_kuhns_stationary_pairs_are_those_with_one_outcome():
    tree = kuhn()
    found = stationary_oracle(tree)
    by_hand = {(key, 0) for key in ("0b", "1b", "2b", "0pb", "1pb", "2pb")}  # folds
    by_hand |= {(key, 1) for key in ("0b", "2b", "0pb", "2pb")}  # sure calls
    by_hand |= {("0p", 0), ("2p", 0)}  # sure showdowns
    assert {(tree.keys[s], a) for s, a in zip(*found.nonzero(), strict=True)} == by_hand
    assert stationary_oracle(kuhn(4)).sum() == 14


def test_child_law_of_kuhn_by_hand():
    tree = kuhn()
    policy = tree.uniform()
    policy[tree.keys.index("1p")] = 0.75, 0.25
    policy[tree.keys.index("2p")] = 0.4, 0.6
    law = child_distribution(tree, policy, tree.keys.index("0"), 0)
    # after a jack's pass: a bet of queen or king leads to a decision, a pass loses 1
    below = {k: p for k, p in law.items() if k < tree.n_nodes}
    assert sorted(below.values()) == pytest.approx([0.125, 0.3])
    assert sum(law.values()) == pytest.approx(1)
    with pytest.raises(ValueError, match="no such pair"):
        child_distribution(tree, policy, 0, 2)


def test_own_moves_do_not_matter():
    tree = from_openspiel("leduc_poker")
    rng = np.random.default_rng(0)
    one, two = tree.random_policy(rng), tree.random_policy(rng)
    mixed = np.where((tree.owner == 0)[:, None], two, one)
    below = children(tree)
    pair, _, p = below.laws(one)
    _, _, q = below.laws(mixed)
    mine = tree.owner[pair // tree.max_actions] == 0
    assert p[mine] == pytest.approx(q[mine], abs=1e-12)
    assert np.abs(p[~mine] - q[~mine]).max() > 0.01


def test_weighted_rps_has_no_stationary_pair_and_probes_are_checked():
    assert not stationary_oracle(weighted_rps()).any()
    with pytest.raises(ValueError, match="n_probe = 1"):
        stationary_oracle(kuhn(), n_probe=1)
