"""Full-width CFR is OpenSpiel's to the last digits; its descendants are faster."""

from __future__ import annotations

import numpy as np
import pyspiel
import pytest

from econlib.abcs.cfr import run_cfr
from econlib.abcs.sequence_form import exploitability, sequence_form
from econlib.abcs.tree import from_openspiel, weighted_rps

KNOWN = {
    "kuhn_poker": 0.003330,
    "leduc_poker": 0.053838,
    "liars_dice(numdice=1,dice_sides=3)": 0.004231,
}


@pytest.mark.parametrize("name", KNOWN)
def test_two_hundred_iterations_are_the_known_ones(name):
    form = sequence_form(from_openspiel(name))
    found = run_cfr(form, 200)
    assert found.exploitability[-1] == pytest.approx(KNOWN[name], abs=1e-6)
    assert exploitability(form, found.policy) == found.exploitability[-1]
    assert run_cfr(form, 200, "cfr+").exploitability[-1] < 0.2 * KNOWN[name]
    assert run_cfr(form, 200, "pcfr+").exploitability[-1] < 0.2 * KNOWN[name]


@pytest.mark.parametrize("n", [1, 7, 40])
def test_cfr_is_the_peers_iteration_by_iteration(n):
    game = pyspiel.load_game("kuhn_poker")
    peer = pyspiel.CFRSolver(game)
    for _ in range(n):
        peer.evaluate_and_update_policy()
    theirs = pyspiel.exploitability(game, peer.average_policy())
    ours = run_cfr(sequence_form(from_openspiel("kuhn_poker")), n)
    assert ours.exploitability[-1] == pytest.approx(theirs, abs=1e-12)


def test_predictions_converge_on_weighted_rps():
    form = sequence_form(weighted_rps(3.0))
    policy = run_cfr(form, 2000, "pcfr+").policy
    assert policy == pytest.approx(np.tile([0.6, 0.2, 0.2], (2, 1)), abs=1e-3)


def test_marks_cut_a_run_without_changing_it():
    form = sequence_form(from_openspiel("kuhn_poker"))
    one = run_cfr(form, 30, "cfr+", marks=np.array([1, 4, 9]))
    two = run_cfr(form, 30, "cfr+", marks=np.array([30]))
    assert one.iterations.tolist() == [1, 4, 9, 30]
    assert np.array_equal(one.policy, two.policy)
    assert one.nodes.tolist() == [48, 192, 432, 1440]


def test_bad_arguments_are_refused():
    form = sequence_form(weighted_rps())
    with pytest.raises(ValueError, match="variant = 'dcfr'"):
        run_cfr(form, 10, "dcfr")
    with pytest.raises(ValueError, match="n_iterations = 0"):
        run_cfr(form, 0)
    with pytest.raises(ValueError, match="iterations from 1 to 10"):
        run_cfr(form, 10, marks=np.array([11]))
