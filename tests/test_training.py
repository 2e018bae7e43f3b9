"""The fit loop: it minimises, it says where it stands, it refuses nonsense."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from econlib.training import TrainingError, fit, generator, pick_device


def test_fit_finds_the_minimum_of_a_parabola_and_says_so():
    w = torch.tensor([3.0, -2.0], requires_grad=True)
    goal = torch.tensor([1.0, 4.0])
    done = fit(lambda _: ((w - goal) ** 2).sum() + 1, [w], 2000, lr=0.05)
    assert w.tolist() == pytest.approx([1.0, 4.0], abs=1e-3)
    assert done.converged
    assert done.n_steps == 2000
    assert done.losses[-1] == pytest.approx(1.0, abs=1e-5)
    assert (np.diff(done.steps) > 0).all()
    assert done.steps[-1] == 2000


def test_fit_that_still_moves_warns():
    w = torch.tensor([100.0], requires_grad=True)
    with pytest.warns(UserWarning, match="moved by"):
        done = fit(lambda _: (w**2).sum(), [w], 20, lr=1.0, lr_end=1.0)
    assert not done.converged


def test_loss_that_is_not_finite_stops_the_fit():
    w = torch.tensor([1.0], requires_grad=True)
    with pytest.raises(TrainingError, match=r"nan within .* Try a smaller lr"):
        fit(lambda step: w.sum() * float("nan"), [w], 10)


def test_log_is_called_before_the_first_step_and_at_the_end():
    w = torch.tensor([1.0], requires_grad=True)
    seen: list[int] = []
    fit(lambda _: (w**2).sum() + 1, [w], 10, n_log=5, on_log=seen.append, tolerance=9.0)
    assert seen == [0, 2, 4, 6, 8, 10]


def test_learning_rate_falls_to_its_end():
    w = torch.tensor([0.0], requires_grad=True)
    moves: list[float] = []
    last = 0.0

    def loss(step: int) -> torch.Tensor:
        nonlocal last
        moves.append(abs(float(w.detach()[0]) - last))
        last = float(w.detach()[0])
        return -w.sum()  # a constant slope: each move is the learning rate

    with pytest.warns(UserWarning, match="moved"):
        fit(loss, [w], 100, lr=0.1, lr_end=0.01)
    assert moves[1] == pytest.approx(0.1, rel=0.02)
    assert moves[-1] == pytest.approx(0.01, rel=0.2)


def test_seed_fixes_the_draws_and_devices_are_named():
    assert torch.equal(
        torch.rand(3, generator=generator(4)), torch.rand(3, generator=generator(4))
    )
    assert pick_device("cpu").type == "cpu"
    assert pick_device().type in ("cpu", "cuda")
    with pytest.raises(ValueError, match="device = 'gpu0': not available"):
        pick_device("gpu0")


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="n_steps = 0"):
        fit(lambda _: torch.zeros(()), [], 0)
