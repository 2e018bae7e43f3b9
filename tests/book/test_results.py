"""Named results: plain finite numbers, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from econlib.book import results


def test_scalars_of_numpy_and_torch_become_plain_numbers(monkeypatch):
    shown = []
    monkeypatch.setattr(results, "display", lambda bundle, raw: shown.append(bundle))
    results.record(a=np.float32(0.5), b=torch.tensor(2), c=True, d=3)
    assert shown[0][results.MIME] == {"a": 0.5, "b": 2, "c": True, "d": 3}
    assert shown[0]["text/plain"].startswith("recorded: a = 0.5")


@pytest.mark.parametrize("value", [float("inf"), "1", None, [1.0]])
def test_what_is_not_a_finite_number_is_refused(value):
    with pytest.raises(ValueError, match=r"x = .*: expected a finite number"):
        results.record(x=value)


def test_nothing_is_refused():
    with pytest.raises(ValueError, match="expected name=number"):
        results.record()
