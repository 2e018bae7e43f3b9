r"""Fitting a network to a game's utilities, and what the fit is worth.

Training profiles have rows uniform on the simplex, and a share of them near its
corners, where full revelation and partitions lie.  Targets are standardised for each
sender; errors are mean squared errors in those units, so that 1 is no better than the
mean.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from econlib import training
from econlib.persuasion.games import PersuasionGame, check_integer, utilities_batch
from econlib.persuasion.nets import GatedMultilinear

__all__ = ["Fitted", "draw_profiles", "fit_surrogate", "standardised_error"]


@dataclass(frozen=True)
class Fitted:
    """A network and the units of its outputs.

    Attributes
    ----------
    net : Module
        Takes profiles; its outputs are standardised.
    mean, scale : Tensor, shape (n_senders,)
        Of the training utilities.
    n_weights : int
        Trained numbers.
    seconds : float
        Wall-clock time of the fit.
    """

    net: nn.Module
    mean: Float[Tensor, " n_senders"]
    scale: Float[Tensor, " n_senders"]
    n_weights: int
    seconds: float

    def __call__(
        self, rules: Float[Tensor, "n_profiles n_senders n_states k"]
    ) -> Float[Tensor, "n_profiles n_senders"]:
        """Utilities in the game's units."""
        return self.net(rules) * self.scale + self.mean


def draw_profiles(
    game: PersuasionGame,
    n_signals: int,
    n_profiles: int,
    rng: np.random.Generator,
    *,
    sparse: float = 0.2,
) -> Float[Tensor, "n_profiles n_senders n_states n_signals"]:
    """Random profiles: uniform rows, and a share with rows near the corners.

    Parameters
    ----------
    game : PersuasionGame
        Whose senders and states count.
    n_signals, n_profiles : int
        1 or more.
    rng : numpy.random.Generator
        Source of randomness.
    sparse : float
        Share of profiles whose rows are Dirichlet(0.2), in [0, 1].

    Raises
    ------
    ValueError
        A number out of range.
    """
    check_integer("n_signals", n_signals)
    check_integer("n_profiles", n_profiles)
    if not 0 <= sparse <= 1:
        raise ValueError(f"sparse = {sparse}: expected a number in [0, 1]")
    shape = (n_profiles, game.n_senders, game.n_states)
    level = np.where(rng.random(n_profiles) < sparse, 0.2, 1.0)
    x = rng.gamma(level[:, None, None, None], size=(*shape, n_signals)) + 1e-12
    return torch.as_tensor(x / x.sum(axis=3, keepdims=True), dtype=torch.float32)


def fit_surrogate(
    net: nn.Module,
    game: PersuasionGame,
    rules: Float[Tensor, "n_profiles n_senders n_states k"],
    *,
    n_steps: int = 1500,
    lr: float = 1e-3,
    batch: int = 256,
    beta: tuple[float, float] = (5.0, 300.0),
    rise: float = 0.3,
    seed: int = 0,
) -> Fitted:
    """Train a network on a game's true utilities of some profiles.

    Parameters
    ----------
    net : Module
        Of :mod:`econlib.persuasion.nets`; trained in place.
    game : PersuasionGame
        Which is asked for the utilities of ``rules``, and nothing else.
    rules : Tensor, shape (n_profiles, n_senders, n_states, n_signals)
        Training profiles.
    n_steps, batch : int
        Adam steps, and profiles of each; 1 or more.
    lr : float
        First step size, falling to a hundredth.
    beta : (float, float)
        First and last sharpness of gates that are soft while they are fitted.
    rise : float
        Share of the steps in which the sharpness rises, in (0, 1].
    seed : int
        Of the batches.

    Returns
    -------
    Fitted
        The network, with hard gates.

    Raises
    ------
    ValueError
        A number, a share or a sharpness out of range, fewer than two profiles, or
        utilities that do not vary.
    """
    check_integer("n_steps", n_steps)
    check_integer("batch", batch)
    if not 0 < rise <= 1 or not 0 < beta[0] <= beta[1] < math.inf:
        raise ValueError(
            f"rise, beta = {rise}, {beta}: expected a share in (0, 1] and two rising "
            "positive numbers"
        )
    if len(rules) < 2:
        raise ValueError(f"rules: {len(rules)} profiles, expected two or more")
    with torch.no_grad():
        target = utilities_batch(game, rules.double()).float()
    mean, scale = target.mean(dim=0), target.std(dim=0)
    if (scale < 1e-6).any():
        raise ValueError("game: a sender's utility does not depend on the rules")
    target = (target - mean) / scale
    source = training.generator(seed)
    gated = isinstance(net, GatedMultilinear)

    def loss(step: int) -> Tensor:
        if gated:
            share = min(1.0, step / n_steps / rise)
            net.beta = beta[0] * (beta[1] / beta[0]) ** share
        index = torch.randint(len(rules), (batch,), generator=source)
        return (net(rules[index]) - target[index]).square().mean()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # noise of the batches
        done = training.fit(loss, net.parameters(), n_steps, lr=lr)
    if gated:
        net.beta = math.inf
    n_weights = sum(w.numel() for w in net.parameters())
    return Fitted(net, mean, scale, n_weights, done.seconds)


def standardised_error(
    fitted: Fitted,
    game: PersuasionGame,
    rules: Float[Tensor, "n_profiles n_senders n_states k"],
) -> float:
    """Mean squared error over profiles and senders, in standard deviations squared."""
    with torch.no_grad():
        truth = utilities_batch(game, rules.double()).float()
        error = (fitted(rules) - truth) / fitted.scale
    return float(error.square().mean())
