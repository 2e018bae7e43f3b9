r"""Networks of several seeds at once: a denoiser conditioned on a local history.

One network serves all agents.  An encoder turns a local history :math:`\tau_i` and the
agent's number into a code :math:`h`; a second network predicts the clean state,

.. math::

   f_\theta(x,\sigma,\tau_i)=G_\theta\big(x/\sqrt{1+\sigma^2},\;\tfrac14\log\sigma,\;
   h\big),

and the loss is :math:`\mathbb E\|f_\theta(s+\sigma z,\sigma,\tau_i)-s\|^2`, whose
minimiser is the exact denoiser.  The *skip* form
:math:`f=c_{\rm skip}x+c_{\rm out}G`, with :math:`c_{\rm skip}=1/(1+\sigma^2)` and
:math:`c_{\rm out}=\sigma/\sqrt{1+\sigma^2}`, is near the identity at low noise.

Weights carry a leading axis of seeds, so that a batch of seeds costs one matrix product
a layer.  A condition of zeros (its last entry 0 where a real one has 1) is a history
that nobody saw: the network then learns the denoiser of the prior.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from econlib.decpomdp_diffusion.denoisers import check_sigma

__all__ = ["ConditionalDenoiser", "Flattened", "LearnedDenoiser", "SeedMLP"]

#: Rows that pass through a network at once; a tenth where slopes are taken along.
_ROWS = 200_000


class SeedMLP(nn.Module):
    """Multilayer perceptrons with SiLU, one a seed.

    Parameters
    ----------
    n_seeds : int
        1 or more.
    sizes : tuple of int
        Width of the input, of each hidden layer, and of the output.
    generator : Generator
        Source of the first weights, uniform within one over the root of the fan-in.
    """

    def __init__(
        self, n_seeds: int, sizes: tuple[int, ...], generator: torch.Generator
    ) -> None:
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for a, b in itertools.pairwise(sizes):
            for kept, shape in ((self.weights, (a, b)), (self.biases, (1, b))):
                first = torch.rand(n_seeds, *shape, generator=generator) * 2 - 1
                kept.append(nn.Parameter(first / math.sqrt(a)))

    def forward(
        self, x: Float[Tensor, "n_seeds n_rows n_in"]
    ) -> Float[Tensor, "n_seeds n_rows n_out"]:
        """Every seed's outputs of its own rows."""
        return self.after_first(torch.baddbmm(self.biases[0], x, self.weights[0]))

    def after_first(
        self, x: Float[Tensor, "n_seeds n_rows n_hidden"]
    ) -> Float[Tensor, "n_seeds n_rows n_out"]:
        """The network from the first layer's values on."""
        for w, b in zip(self.weights[1:], self.biases[1:], strict=True):
            x = torch.baddbmm(b, nn.functional.silu(x), w)
        return x

    def slopes(
        self,
        x: Float[Tensor, "n_seeds n_rows n_hidden"],
        first: Float[Tensor, "n_seeds d n_hidden"],
    ) -> Float[Tensor, "n_seeds n_rows d n_out"]:
        """Derivatives along some inputs, whose rows of the first weights are given."""
        n_seeds, n_rows, _ = x.shape
        d = first.shape[1]
        tangent = first[:, None].expand(n_seeds, n_rows, d, -1)
        for w, b in zip(self.weights[1:], self.biases[1:], strict=True):
            gate = torch.sigmoid(x)
            gate = gate * (1 + x * (1 - gate))
            tangent = (tangent * gate[:, :, None]).reshape(n_seeds, n_rows * d, -1)
            tangent = torch.bmm(tangent, w).view(n_seeds, n_rows, d, -1)
            x = torch.baddbmm(b, nn.functional.silu(x), w)
        return tangent


class ConditionalDenoiser(nn.Module):
    """Denoisers conditioned on histories, one a seed.

    Parameters
    ----------
    n_seeds, d, n_condition : int
        Number of seeds, length of a state and of a condition, 1 or more each.
    width : int
        Of the three hidden layers, 1 or more; the encoder has half of it, and codes a
        quarter.
    seed : int
        Of the first weights.
    skip : bool
        Whether to use the skip form instead of predicting the state.

    Raises
    ------
    ValueError
        A size below 1, or a width below 4.
    """

    def __init__(
        self,
        n_seeds: int,
        d: int,
        n_condition: int,
        *,
        width: int = 128,
        seed: int = 0,
        skip: bool = False,
    ) -> None:
        super().__init__()
        for name, value, low in (
            ("n_seeds", n_seeds, 1),
            ("d", d, 1),
            ("n_condition", n_condition, 1),
            ("width", width, 4),
        ):
            if value < low:
                raise ValueError(f"{name} = {value}: expected {low} or more")
        self.d, self.skip = d, skip
        generator = torch.Generator().manual_seed(seed)
        code = width // 4
        self.encoder = SeedMLP(n_seeds, (n_condition, width // 2, code), generator)
        sizes = (d + 1 + code, width, width, width, d)
        self.body = SeedMLP(n_seeds, sizes, generator)

    def encode(
        self, condition: Float[Tensor, "n_seeds n_rows n_condition"]
    ) -> Float[Tensor, "n_seeds n_rows n_hidden"]:
        """What a history adds to the first layer of the body."""
        code = self.encoder(condition)
        return torch.baddbmm(
            self.body.biases[0], code, self.body.weights[0][:, self.d + 1 :]
        )

    def forward(
        self,
        x: Float[Tensor, "n_seeds n_rows d"],
        sigma: Float[Tensor, "n_seeds n_rows 1"],
        encoded: Float[Tensor, "n_seeds n_rows n_hidden"],
    ) -> Float[Tensor, "n_seeds n_rows d"]:
        """Predicted states from noisy ones, noise levels, and encoded histories."""
        first, out = self._first(x, sigma, encoded), 1 + sigma**2
        value = self.body.after_first(first)
        return x / out + sigma / out.sqrt() * value if self.skip else value

    def jacobian(
        self,
        x: Float[Tensor, "n_seeds n_rows d"],
        sigma: Float[Tensor, "n_seeds n_rows 1"],
        encoded: Float[Tensor, "n_seeds n_rows n_hidden"],
    ) -> Float[Tensor, "n_seeds n_rows d d"]:
        """Derivative of each output (third axis) by each input (fourth)."""
        first, out = self._first(x, sigma, encoded), (1 + sigma**2)[..., None]
        slope = self.body.slopes(first, self.body.weights[0][:, : self.d])
        slope = slope.transpose(-1, -2) / out.sqrt()
        if not self.skip:
            return slope
        return torch.eye(self.d) / out + sigma[..., None] / out.sqrt() * slope

    def _first(self, x: Tensor, sigma: Tensor, encoded: Tensor) -> Tensor:
        seen = torch.cat([x / (1 + sigma**2).sqrt(), sigma.log() / 4], dim=-1)
        return torch.baddbmm(encoded, seen, self.body.weights[0][:, : self.d + 1])


class LearnedDenoiser:
    """A network at fixed histories, as a map of NumPy points.

    Points have the shape (n_seeds, n_histories, n_starts, d).

    Parameters
    ----------
    net : ConditionalDenoiser
        Trained.
    condition : ndarray, shape (n_histories, n_condition)
        The same histories for every seed.
    """

    def __init__(
        self,
        net: ConditionalDenoiser,
        condition: Float[np.ndarray, "n_histories n_condition"],
    ) -> None:
        self.net = net
        n_seeds = len(net.body.weights[0])
        rows = torch.as_tensor(condition, dtype=torch.float32)
        with torch.no_grad():
            self.encoded = net.encode(rows.expand(n_seeds, *rows.shape).contiguous())

    @property
    def shape(self) -> tuple[int, int]:
        """Number of seeds and of histories."""
        return tuple(self.encoded.shape[:2])

    @torch.no_grad()
    def __call__(
        self, x: Float[np.ndarray, "n_seeds n_histories n_starts d"], sigma: float
    ) -> Float[np.ndarray, "n_seeds n_histories n_starts d"]:
        """Predicted states."""
        parts = [
            self.net(*self._rows(own, sigma)).double().numpy().reshape(own.shape)
            for own in self._split(x, _ROWS)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)

    @torch.no_grad()
    def jacobian(
        self, x: Float[np.ndarray, "n_seeds n_histories n_starts d"], sigma: float
    ) -> Float[np.ndarray, "n_seeds n_histories n_starts d d"]:
        """Derivatives of the prediction."""
        parts = [
            self.net.jacobian(*self._rows(own, sigma))
            .double()
            .numpy()
            .reshape(*own.shape, own.shape[-1])
            for own in self._split(x, _ROWS // 10)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)

    def _split(self, x: np.ndarray, n_rows: int) -> list[np.ndarray]:
        """Blocks of starts, so that layers stay below some hundred megabytes."""
        per_start = x.shape[0] * x.shape[1]
        n_blocks = -(-x.shape[2] * per_start // n_rows)
        return np.array_split(x, min(max(n_blocks, 1), max(x.shape[2], 1)), axis=2)

    def _rows(self, x: np.ndarray, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
        sigma = check_sigma(sigma)
        n_seeds, n, n_starts, d = x.shape
        rows = torch.tensor(x.reshape(n_seeds, -1, d), dtype=torch.float32)
        encoded = self.encoded[:, :, None].expand(n_seeds, n, n_starts, -1)
        encoded = encoded.reshape(n_seeds, n * n_starts, -1)
        return rows, torch.full((*rows.shape[:2], 1), sigma), encoded


class Flattened:
    """A learned denoiser with seeds and histories in one axis.

    Points have the shape (n_seeds * n_histories, n_starts, d), seed by seed.

    Parameters
    ----------
    inner : LearnedDenoiser
        What it wraps.
    """

    def __init__(self, inner: LearnedDenoiser) -> None:
        self.inner = inner

    def __call__(
        self, x: Float[np.ndarray, "n n_starts d"], sigma: float
    ) -> Float[np.ndarray, "n n_starts d"]:
        """Predicted states."""
        return self.inner(self._split(x), sigma).reshape(x.shape)

    def jacobian(
        self, x: Float[np.ndarray, "n n_starts d"], sigma: float
    ) -> Float[np.ndarray, "n n_starts d d"]:
        """Derivatives of the prediction."""
        return self.inner.jacobian(self._split(x), sigma).reshape(*x.shape, x.shape[-1])

    def _split(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(*self.inner.shape, *x.shape[1:])
