"""Many networks of one kind trained at once, each on data of its own.

Weights of equal shape are stacked, and a step of one is a step of all: seeds and games
of a study cost a fraction of what they cost one after another.  The networks do not
touch: each has its own data, its own batches, its own mean squared error, and Adam
scales each weight by itself.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from econlib import training
from econlib.persuasion.nets import GatedMultilinear

__all__ = ["count_weights", "fit_stack"]


def count_weights(net: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(w.numel() for w in net.parameters())


def fit_stack(
    nets: Sequence[nn.Module],
    inputs: Float[Tensor, "n_nets n_rows *shape"],
    targets: Float[Tensor, "n_nets n_rows n_out"],
    *,
    n_steps: int = 1500,
    lr: float = 1e-3,
    batch: int = 128,
    beta: tuple[float, float] = (5.0, 300.0),
    rise: float = 0.3,
    seed: int = 0,
) -> float:
    """Train networks of one architecture, in place.

    Parameters
    ----------
    nets : sequence of Module
        Of equal shapes, with weights of their own.
    inputs : Tensor, shape (n_nets, n_rows, ...)
        What each network is given.
    targets : Tensor, shape (n_nets, n_rows, n_out)
        What it is to say.
    n_steps, batch : int
        Adam steps, and rows of each.
    lr : float
        First step size, falling to a hundredth.
    beta, rise : (float, float), float
        Sharpness of gates, as in :func:`econlib.persuasion.surrogates.fit_surrogate`.
    seed : int
        Of the batches.

    Returns
    -------
    float
        Seconds of the wall clock, for all of them.

    Raises
    ------
    ValueError
        Data for another number of networks.
    """
    if not len(nets) == len(inputs) == len(targets) > 0:
        raise ValueError(
            f"nets, inputs, targets: {len(nets)}, {len(inputs)} and {len(targets)} of "
            "them, expected equally many, 1 or more"
        )
    stacked, buffers = stack_module_state(list(nets))
    weights = {name: w.detach().requires_grad_() for name, w in stacked.items()}
    base = nets[0]
    run = vmap(lambda w, b, x: functional_call(base, (w, b), (x,)))
    source = training.generator(seed, inputs.device)
    rows = torch.arange(len(nets), device=inputs.device)[:, None]
    gated = isinstance(base, GatedMultilinear)

    def loss(step: int) -> Tensor:
        if gated:
            share = min(1.0, step / n_steps / rise)
            base.beta = beta[0] * (beta[1] / beta[0]) ** share
        index = torch.randint(
            inputs.shape[1], (len(nets), batch), generator=source, device=inputs.device
        )
        off = run(weights, buffers, inputs[rows, index]) - targets[rows, index]
        return off.square().mean(dim=(1, 2)).sum()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # noise of the batches
        done = training.fit(loss, weights.values(), n_steps, lr=lr)
    with torch.no_grad():
        for k, net in enumerate(nets):
            for name, w in net.named_parameters():
                w.copy_(weights[name][k])
            if gated:
                net.beta = math.inf
    return done.seconds
