r"""Networks that compete on equal terms, and how well each knows what pays.

*Flat* networks take the rules as they are, *shared* ones each joint signal; within each
group they have as many weights as each other.  The gated multilinear network has far
fewer and knows the class of the truth.  Besides the error on fresh profiles it matters
whether a model knows, where a climb has come to, which small deviations pay.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from econlib.persuasion.games import PersuasionGame, check_integer, utilities_batch
from econlib.persuasion.nets import Flat, GatedMultilinear, Shared
from econlib.persuasion.pipeline import sampled_gains
from econlib.persuasion.study import core
from econlib.persuasion.surrogates import Fitted, fit_surrogate, standardised_error

__all__ = [
    "NETWORKS",
    "LocalKnowledge",
    "annealed",
    "fit_gated",
    "local_knowledge",
    "networks",
    "sharpening",
]

#: Networks by name, flat ones first, with the first step size of Adam: the best of four
#: for the first six, in :mod:`econlib.persuasion.record_rates`.
NETWORKS = {
    "ReLU": 4e-3,
    "DeLU": 4e-3,
    "DNL": 2e-3,
    "shared ReLU": 2e-2,
    "shared DeLU": 2e-2,
    "shared DNL": 1e-2,
    "gated multilinear": 3e-2,
}


def annealed(first: float, last: float) -> Callable[[float], float]:
    """Sharpness by the share of steps done, rising geometrically.

    Parameters
    ----------
    first, last : float
        At no step and at the last, above 0.
    """
    if not (0 < first < math.inf and 0 < last < math.inf):
        raise ValueError(
            f"first, last = {first}, {last}: expected finite numbers above 0"
        )
    return lambda at: first * (last / first) ** at


def networks(game: PersuasionGame, n_signals: int, seed: int) -> dict[str, nn.Module]:
    """The six networks, flat ones with as many weights as each other, shared ones too.

    Parameters
    ----------
    game : PersuasionGame
        Of which sizes count, and the prior for shared networks.
    n_signals : int
        Of each sender.
    seed : int
        Of the first weights.
    """
    n, m = game.n_senders, game.n_states
    made: dict[str, nn.Module] = {}
    for kind in ("ReLU", "DeLU", "DNL"):
        made[kind] = Flat(core(kind, n * m * n_signals, n, width=64, seed=seed))
    for kind in ("ReLU", "DeLU", "DNL"):
        small = core(kind, m, n, width=18, head=8, seed=seed)
        made[f"shared {kind}"] = Shared(small, game.prior)
    return made


def fit_gated(
    game: PersuasionGame,
    train: Float[Tensor, "n_train n_senders n_states k"],
    *,
    n_steps: int = 1500,
    batch: int = 256,
    refits: int = 2,
    good: float = 0.05,
    seed: int = 0,
) -> tuple[Fitted, int]:
    """The gated network of the best of a few fits, and how many there were.

    Parameters
    ----------
    game : PersuasionGame
        Which is asked for utilities.
    train : Tensor, shape (n_profiles, n_senders, n_states, n_signals)
        To fit on; where there may be several fits an eighth of it, 2000 at most, is
        held out to judge them.
    n_steps, batch : int
        Of each fit.
    refits : int
        Fits at most, 1 or more.
    good : float
        Error with hard gates at which no other fit is tried.
    seed : int
        Of the first weights of the first fit; later ones count up.
    """
    check_integer("refits", refits)
    n_out = min(2000, len(train) // 8) if refits > 1 else 0
    held_out, rest = train[:n_out], train[n_out:]
    best, least = None, math.inf
    for k in range(refits):
        net = GatedMultilinear(game.n_senders, game.prior, seed=seed + k)
        fitted = fit_surrogate(
            net,
            game,
            rest,
            n_steps=n_steps,
            lr=NETWORKS["gated multilinear"],
            batch=batch,
            seed=seed + k,
        )
        if refits == 1:
            return fitted, 1
        error = standardised_error(fitted, game, held_out)
        if error < least:
            best, least = fitted, error
        if least <= good:
            break
    return best, k + 1


@dataclass(frozen=True)
class LocalKnowledge:
    """What a model knows about small deviations at some profiles.

    Attributes
    ----------
    sign : float
        Share of deviations that gain or lose by more than 0.002 about which it says
        rightly which of both; nan where there are none.
    capture : float
        What the deviations that it likes best really gain, as a share of what the best
        ones of the same sample gain; nan where none gains.
    error : float
        Mean squared error of the deviators' utilities, in variances.
    """

    sign: float
    capture: float
    error: float


def local_knowledge(
    game: PersuasionGame,
    fitted: Fitted,
    rules: Float[Tensor, "n_profiles n_senders n_states k"],
    *,
    radius: float = 0.05,
    n_tries: int = 32,
    seed: int = 0,
) -> LocalKnowledge:
    """Compare a model with the truth on deviations from some profiles.

    Parameters
    ----------
    game : PersuasionGame
        The truth.
    fitted : Fitted
        The model.
    rules : Tensor, shape (n_profiles, n_senders, n_states, n_signals)
        Whence senders deviate, alone, in a box of ``radius``.
    n_tries : int
        Random deviations of each sender at each profile.
    seed : int
        Of the deviations.
    """

    def truth(x: Tensor) -> Tensor:
        return utilities_batch(game, x)

    gain = {}
    for name, value in (("true", truth), ("said", fitted)):
        source = torch.Generator().manual_seed(seed)
        gain[name] = sampled_gains(value, rules, radius, n_tries, source).double()
    true, said = gain["true"], gain["said"]
    counted = true.abs() > 2e-3
    sign = (true.sign() == said.sign())[counted].double().mean()
    liked = true.gather(2, said.argmax(dim=2, keepdim=True))[..., 0]
    most = true.amax(dim=2)
    paying = most > 2e-3
    with torch.no_grad():
        off = fitted(rules) - truth(rules)
    error = ((off[..., None] + said - true) / fitted.scale[:, None]).square().mean()
    capture = liked[paying].sum() / most[paying].sum()
    return LocalKnowledge(float(sign), float(capture), float(error))


def sharpening(fitted: Fitted, sharpness: Callable[[float], float]) -> Callable:
    """A gated network whose gates sharpen on the way."""

    def value(x: Tensor, at: float) -> Tensor:
        fitted.net.beta = sharpness(at)
        return fitted(x)

    return value
