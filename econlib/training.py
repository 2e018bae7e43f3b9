"""One fit loop: seeded, annealed, with a history; and where tensors live."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

__all__ = ["FitResult", "TrainingError", "fit", "generator", "pick_device"]


class TrainingError(RuntimeError):
    """A loss was not finite; the message says at which step."""


@dataclass(frozen=True)
class FitResult:
    """What a fit did.

    Attributes
    ----------
    steps : ndarray, shape (n_logged,)
        Steps at which the loss was logged.
    losses : ndarray, shape (n_logged,)
        Mean loss since the last one.
    n_steps : int
        Steps taken.
    converged : bool
        Whether the loss moved by less than ``tolerance`` over the last tenth.
    seconds : float
        Wall-clock time.
    """

    steps: Float[np.ndarray, " n_logged"]
    losses: Float[np.ndarray, " n_logged"]
    n_steps: int
    converged: bool
    seconds: float


def pick_device(device: str = "auto") -> torch.device:
    """Device by name; ``auto`` is a GPU where there is one, else the CPU.

    Raises
    ------
    ValueError
        No such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as err:
        reason = str(err).splitlines()[0]
        raise ValueError(f"device = {device!r}: not available: {reason}") from None


def generator(seed: int, device: str | torch.device = "cpu") -> torch.Generator:
    """Source of randomness on a device; the same seed gives the same draws there."""
    return torch.Generator(device=device).manual_seed(seed)


def fit(
    loss: Callable[[int], Tensor],
    parameters: Iterable[Tensor],
    n_steps: int,
    *,
    lr: float = 1e-2,
    lr_end: float | None = None,
    n_log: int = 50,
    on_log: Callable[[int], None] | None = None,
    tolerance: float = 1e-3,
    bar: bool = False,
) -> FitResult:
    """Minimise a stochastic loss by Adam with a linearly falling learning rate.

    Parameters
    ----------
    loss : callable
        Takes the step, 0 to ``n_steps - 1``, and returns a scalar; draws its own
        sample, anneals its own temperature.
    parameters : iterable of Tensor
        What is trained, in place.
    n_steps : int
        1 or more.
    lr, lr_end : float
        Learning rate at the first step and at the last (by default a hundredth of it).
    n_log : int
        How often the loss is logged, 1 or more.
    on_log : callable, optional
        Called with the number of steps taken, before the first step and at each log.
    tolerance : float
        Relative movement of the loss below which a fit counts as converged.
    bar : bool
        Whether to show a progress bar, which leaves nothing behind.

    Returns
    -------
    FitResult
        History, steps, seconds.

    Raises
    ------
    TrainingError
        The loss was not finite.

    Warns
    -----
    UserWarning
        The loss still moved at the end.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps = {n_steps}: expected an integer, 1 or more")
    lr_end = lr / 100 if lr_end is None else lr_end
    optimiser = torch.optim.Adam(parameters, lr=lr, betas=(0.9, 0.99))
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, lr_end / lr, n_steps)
    every = max(1, n_steps // n_log)
    steps, losses, recent = [], [], []
    start = time.perf_counter()
    if on_log is not None:
        on_log(0)
    for step in tqdm(range(n_steps), disable=not bar, leave=False):
        optimiser.zero_grad(set_to_none=True)
        value = loss(step)
        value.backward()
        optimiser.step()
        decay.step()
        recent.append(value.detach())
        if (step + 1) % every == 0 or step + 1 == n_steps:
            mean = float(torch.stack(recent).mean())
            if not np.isfinite(mean):
                raise TrainingError(
                    f"the loss is {mean} within {every} steps of step {step + 1}. "
                    "Try a smaller lr"
                )
            steps.append(step + 1)
            losses.append(mean)
            recent.clear()
            if on_log is not None:
                on_log(step + 1)
    last = losses[-max(2, len(losses) // 10) :]
    moved = abs(last[-1] - last[0])
    converged = len(losses) > 1 and moved <= tolerance * max(abs(last[-1]), 1e-12)
    if not converged:
        warnings.warn(
            f"the loss moved by {moved:.2g} over its last tenth: {last[-1]:.5g} after "
            f"{n_steps} steps. Try more steps",
            stacklevel=2,
        )
    return FitResult(
        np.array(steps, float),
        np.array(losses),
        n_steps,
        bool(converged),
        time.perf_counter() - start,
    )
