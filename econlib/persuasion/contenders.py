r"""Networks that compete on equal terms, and how well each knows what pays.

*Flat* networks take the rules as they are, *shared* ones each joint signal; within each
group they have as many weights as each other.  The gated multilinear network has far
fewer and knows the class of the truth.  Besides the error on fresh profiles it matters
whether a model knows, where a climb has come to, which small deviations pay.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from econlib.persuasion.games import PersuasionGame, utilities_batch
from econlib.persuasion.nets import (
    DNL,
    DeLU,
    Flat,
    GatedMultilinear,
    ReLUNet,
    Shared,
)
from econlib.persuasion.pipeline import sampled_gains
from econlib.persuasion.surrogates import Fitted, fit_surrogate, standardised_error

__all__ = [
    "NETWORKS",
    "annealed",
    "fit_gated",
    "matched",
    "networks",
    "sharpening",
    "sign_agreement",
]

#: Networks by name, flat ones first, with the first step size of Adam.
NETWORKS = {
    "ReLU": 1e-3,
    "DeLU": 1e-3,
    "DNL": 1e-3,
    "shared ReLU": 5e-3,
    "shared DeLU": 5e-3,
    "shared DNL": 5e-3,
    "gated multilinear": 3e-2,
}


def annealed(first: float, last: float) -> Callable[[float], float]:
    """Sharpness by the share of steps done, rising geometrically.

    Parameters
    ----------
    first, last : float
        At no step and at the last, above 0.
    """
    return lambda at: first * (last / first) ** at


def matched(make: Callable[[int], nn.Module], n_weights: int) -> nn.Module:
    """The member of a family, by width, with nearest to a number of weights.

    Parameters
    ----------
    make : callable
        Makes a network of a width, 2 or more; wider ones have more weights.
    n_weights : int
        To be matched.
    """

    def count(width: int) -> int:
        return sum(w.numel() for w in make(width).parameters())

    low, high = 2, 4
    while count(high) < n_weights:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < n_weights else (low, middle)
    return make(min((low, high), key=lambda width: abs(count(width) - n_weights)))


def networks(game: PersuasionGame, n_signals: int, seed: int) -> dict[str, nn.Module]:
    """The six networks, matched within flat and shared ones."""
    n = game.n_senders
    made: dict[str, nn.Module] = {}
    sizes = {
        "": (n * game.n_states * n_signals, 64, 16),
        "shared ": (game.n_states, 18, 8),
    }
    for prefix, (n_in, width, head) in sizes.items():
        dnl = DNL(n_in, n, width, head, seed=seed)
        n_weights = sum(w.numel() for w in dnl.parameters())
        cores = {
            "ReLU": matched(lambda w, d=n_in: ReLUNet(d, n, w, seed), n_weights),
            # a bias layer of three halves the trunk's width
            "DeLU": matched(
                lambda w, d=n_in: DeLU(d, n, w, 3 * w // 2, seed), n_weights
            ),
            "DNL": dnl,
        }
        for name, core in cores.items():
            net = Shared(core, game.prior) if prefix else Flat(core)
            made[prefix + name] = net
    return made


def fit_gated(
    game: PersuasionGame,
    train: Float[Tensor, "n_train n_senders n_states k"],
    test: Float[Tensor, "n_test n_senders n_states k"],
    *,
    n_steps: int = 1500,
    refits: int = 2,
    good: float = 0.05,
    seed: int = 0,
) -> tuple[Fitted, float]:
    """The gated network of the best of a few fits, and its error with hard gates.

    Parameters
    ----------
    game : PersuasionGame
        Which is asked for utilities.
    train, test : Tensor, shape (n_profiles, n_senders, n_states, n_signals)
        To fit, and to judge fits.
    n_steps : int
        Of each fit.
    refits : int
        Fits at most, 1 or more.
    good : float
        Error at which no other fit is tried.
    seed : int
        Of the first weights of the first fit; later ones count up.
    """
    if refits < 1:
        raise ValueError(f"refits = {refits}: expected an integer, 1 or more")
    best, least = None, math.inf
    for k in range(refits):
        net = GatedMultilinear(game.n_senders, game.prior, seed=seed + k)
        fitted = fit_surrogate(
            net,
            game,
            train,
            n_steps=n_steps,
            lr=NETWORKS["gated multilinear"],
            seed=seed + k,
        )
        error = standardised_error(fitted, game, test)
        if error < least:
            best, least = fitted, error
        if least <= good:
            break
    return best, least


def sign_agreement(
    game: PersuasionGame,
    model: Callable[[Tensor], Tensor],
    rules: Float[Tensor, "n_profiles n_senders n_states k"],
    *,
    radius: float = 0.05,
    n_tries: int = 32,
    least: float = 2e-3,
    seed: int = 0,
) -> float:
    """How often a model and the truth agree on whether a local deviation pays.

    Parameters
    ----------
    game : PersuasionGame
        The truth.
    model : callable
        Takes profiles, gives a utility for each sender.
    rules : Tensor, shape (n_profiles, n_senders, n_states, n_signals)
        Whence senders deviate, alone, in a box of ``radius``.
    n_tries : int
        Random deviations of each sender at each profile.
    least : float
        True gains and losses below are left out.
    seed : int
        Of the deviations.

    Returns
    -------
    float
        Share of the others that agree; nan where there are none.
    """
    source = torch.Generator()
    true = sampled_gains(
        lambda x: utilities_batch(game, x),
        rules,
        radius,
        n_tries,
        source.manual_seed(seed),
    )
    said = sampled_gains(model, rules, radius, n_tries, source.manual_seed(seed))
    counted = true.abs() > least
    return float((true.sign() == said.sign())[counted].float().mean())


def sharpening(fitted: Fitted, sharpness: Callable[[float], float]) -> Callable:
    """A gated network whose gates sharpen on the way."""

    def value(x: Tensor, at: float) -> Tensor:
        fitted.net.beta = sharpness(at)
        return fitted(x)

    return value
