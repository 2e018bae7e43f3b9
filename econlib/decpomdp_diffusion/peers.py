r"""Other ways to reconstruct a state from a local history, for comparison.

*Regression* predicts the mean state :math:`\mathbb E[s\mid\tau_i]`, which need not be a
state.  A *conditional variational autoencoder* has an encoder :math:`q(z\mid s,\tau_i)`
and a decoder :math:`p(s\mid z,\tau_i)=\mathcal N(\mu(z,\tau_i),\nu I)`, and minimises

.. math::

   \tfrac1{2\nu}\|s-\mu(z,\tau_i)\|^2+\operatorname{KL}\big(q(z\mid s,\tau_i)\,\|\,
   \mathcal N(0,I)\big),\qquad z\sim q ;

it reconstructs by decoding :math:`z\sim\mathcal N(0,I)`.  Both are stacks of seeds with
the sizes of the denoiser.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from econlib.decpomdp_diffusion.learning import batches
from econlib.decpomdp_diffusion.networks import SeedMLP
from econlib.training import FitResult, fit

__all__ = [
    "VarianceCoder",
    "predict",
    "sample_states",
    "train_coder",
    "train_regression",
]


class VarianceCoder(nn.Module):
    """A conditional variational autoencoder, one a seed.

    Parameters
    ----------
    n_seeds, d, n_condition : int
        Number of seeds, length of a state and of a condition.
    width, latent : int
        Of the hidden layers, and length of the latent vector.
    variance : float
        :math:`\\nu`, above 0.
    seed : int
        Of the first weights.
    """

    def __init__(
        self,
        n_seeds: int,
        d: int,
        n_condition: int,
        *,
        width: int = 128,
        latent: int = 8,
        variance: float = 0.2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if variance <= 0 or latent < 1:
            raise ValueError(
                f"variance = {variance}, latent = {latent}: expected above 0, 1 or more"
            )
        generator = torch.Generator().manual_seed(seed)
        self.latent, self.variance = latent, variance
        self.encoder = SeedMLP(
            n_seeds, (d + n_condition, width, width, 2 * latent), generator
        )
        self.decoder = SeedMLP(
            n_seeds, (latent + n_condition, width, width, width, d), generator
        )

    def loss(
        self, condition: torch.Tensor, clean: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Negative evidence bound, up to a constant, summed over seeds."""
        code = self.encoder(torch.cat([clean, condition], dim=-1))
        mean, log = code.chunk(2, dim=-1)
        z = mean + (log / 2).exp() * torch.randn(mean.shape, generator=generator)
        error = self.decoder(torch.cat([z, condition], dim=-1)) - clean
        kl = 0.5 * (mean**2 + log.exp() - 1 - log).sum(dim=-1)
        fit_term = (error**2).sum(dim=-1) / (2 * self.variance)
        return (fit_term + kl).mean(dim=1).sum()


def train_coder(
    coder: VarianceCoder,
    conditions: Float[np.ndarray, "n_agents n_samples n_condition"],
    states: Float[np.ndarray, "n_samples d"],
    n_steps: int,
    *,
    batch: int = 256,
    lr: float = 2e-3,
    seed: int = 0,
) -> FitResult:
    """Train all seeds of a coder at once, in place."""
    source = torch.Generator().manual_seed(seed)
    n_seeds = len(coder.decoder.weights[0])
    draw = batches(conditions, states, n_seeds, batch, source)
    return fit(
        lambda step: coder.loss(*draw(), source),
        coder.parameters(),
        n_steps,
        lr=lr,
        tolerance=np.inf,
    )


@torch.no_grad()
def sample_states(
    coder: VarianceCoder,
    condition: Float[np.ndarray, "n n_condition"],
    n_draws: int,
    seed: int = 0,
) -> Float[np.ndarray, "n_seeds n n_draws d"]:
    """Decode latent draws for each history."""
    n_seeds, n = len(coder.decoder.weights[0]), len(condition)
    rows = torch.as_tensor(np.repeat(condition, n_draws, axis=0), dtype=torch.float32)
    rows = rows.expand(n_seeds, *rows.shape)
    source = torch.Generator().manual_seed(seed)
    z = torch.randn(n_seeds, n * n_draws, coder.latent, generator=source)
    out = coder.decoder(torch.cat([z, rows], dim=-1)).double().numpy()
    return out.reshape(n_seeds, n, n_draws, -1)


def train_regression(
    conditions: Float[np.ndarray, "n_agents n_samples n_condition"],
    states: Float[np.ndarray, "n_samples d"],
    n_seeds: int,
    n_steps: int,
    *,
    width: int = 128,
    batch: int = 256,
    lr: float = 2e-3,
    seed: int = 0,
) -> SeedMLP:
    """Train networks that predict the state from a history by least squares."""
    source = torch.Generator().manual_seed(seed)
    sizes = (conditions.shape[2], width, width, width, states.shape[1])
    net = SeedMLP(n_seeds, sizes, source)
    draw = batches(conditions, states, n_seeds, batch, source)

    def loss(step: int) -> torch.Tensor:
        condition, clean = draw()
        return ((net(condition) - clean) ** 2).sum(dim=-1).mean(dim=1).sum()

    fit(loss, net.parameters(), n_steps, lr=lr, tolerance=np.inf)
    return net


@torch.no_grad()
def predict(
    net: SeedMLP, condition: Float[np.ndarray, "n n_condition"]
) -> Float[np.ndarray, "n_seeds n d"]:
    """Predicted states of every seed."""
    rows = torch.as_tensor(condition, dtype=torch.float32)
    return net(rows.expand(len(net.weights[0]), *rows.shape)).double().numpy()
