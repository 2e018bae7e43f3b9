"""Records of several bidders: what they hold, and their cheapest slice again."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.gemnet import record_several as records
from econlib.gemnet.several_certificate import clash_margins


@pytest.mark.parametrize("name", records.PLANS)
def test_records_are_whole_and_within_bounds(name):
    kept = records.load(name)
    assert kept["name"] == name
    assert kept["n_bidders"] == records.PLANS[name][0]
    assert kept["violations"] == 0
    assert kept["sample"]["conflicts"] == 0
    assert kept["sample"]["n_profiles"] == 4 * records.PLANS[name][2]
    assert kept["reply"] > kept["own affine menu"]
    assert kept["caught when lowered"] > 0
    # sample and points agree
    gap = kept["sample"]["revenue"] - kept["revenue"]
    assert abs(gap) < 4 * kept["sample"]["se"]
    gain = kept["reply"] - kept["own affine menu"]
    assert abs(kept["sample"]["gain"] - gain) < 4 * kept["sample"]["gain_se"]


@pytest.mark.parametrize("name", records.PLANS)
def test_recorded_boosts_earn_what_the_record_says(name):
    kept, mechanism = records.load(name), records.recorded(name)
    mine, own, rest = mechanism.parts(11, seed=7)
    assert mine + rest == pytest.approx(kept["revenue"], abs=3e-3)
    assert mine > own
    at = records.critical_values(mechanism, 4, 4, seed=9)
    assert (clash_margins(mechanism, at) > 0).all()


def test_a_short_run_has_the_same_entries():
    short = records.run("3x2-u01", log2_tune=5, evaluations=20, n_values=400, n_exact=8)
    assert list(short) == list(records.load("3x2-u01"))
    assert short["violations"] == 0
    assert short["sample"]["conflicts"] == 0


def test_critical_values_are_values_of_the_others():
    mechanism = records.recorded("4x2-u01")
    v = records.critical_values(mechanism, 5, 6)
    assert v.shape == (11, 3, 2)
    assert ((v >= 0) & (v <= 1)).all()
    assert np.array_equal(v[5, 1], v[5, 0])


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="name = '9x9': expected one of 3x2-u01"):
        records.run("9x9")
    with pytest.raises(ValueError, match="n_values = 1"):
        records.paired_sample(records.recorded("3x2-u01"), 1)
