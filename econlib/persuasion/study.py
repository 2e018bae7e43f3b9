r"""How well networks learn a discontinuous utility: matched sizes, equal budgets.

Networks on all rules (ReLU, DeLU, DNL) have as many weights as DNL has, to a few per
cent, and see the same profiles in the same order for as many steps.  The same cores on
each joint signal's posterior (s-ReLU, s-DNL) are matched among themselves, and the
gated multilinear network (GML) is what it is.  An error is a mean square in standard
deviations of the target, over fresh profiles; it is also taken over the quarter of the
profiles that are nearest to a jump, and over the quarter furthest from one.  The
distance is the receiver's smallest lead,

.. math::

   d(\pi)=\min_{s:\,M_s>0}\frac{\max_a-\text{second}_a}{M_s}\sum_\omega
   x_s(\omega)\,r(\omega,a),\qquad M_s=\sum_\omega x_s(\omega).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from econlib.persuasion.examples import is_degenerate, match_game
from econlib.persuasion.games import PersuasionGame, joint_masses, utilities_batch
from econlib.persuasion.nets import (
    DNL,
    DeLU,
    Flat,
    GatedMultilinear,
    ReLUNet,
    Shared,
)
from econlib.persuasion.stacks import count_weights, fit_stack
from econlib.persuasion.surrogates import draw_profiles

__all__ = ["KINDS", "core", "games_of_size", "leads", "network", "study"]

#: Networks of the study, with the first step size of each.
KINDS = {
    "ReLU": 4e-3,
    "DeLU": 4e-3,
    "DNL": 4e-3,
    "s-ReLU": 5e-3,
    "s-DNL": 5e-3,
    "GML": 3e-2,
}


def core(
    kind: str,
    n_in: int,
    n_out: int,
    *,
    width: int = 32,
    head: int = 16,
    smooth: str = "square",
    seed: int = 0,
) -> nn.Module:
    """A network with as many weights as DNL has at a width, as nearly as can be.

    Parameters
    ----------
    kind : {"ReLU", "DeLU", "DNL"}
        Which.
    n_in, n_out : int
        Numbers in and out.
    width, head, smooth
        DNL's, as in :class:`econlib.persuasion.nets.DNL`.
    seed : int
        Of the first weights.

    Raises
    ------
    ValueError
        Another kind.

    Examples
    --------
    >>> [count_weights(core(k, 8, 2)) for k in ("ReLU", "DeLU", "DNL")]
    [21870, 22027, 21970]
    """
    if kind not in ("ReLU", "DeLU", "DNL"):
        raise ValueError(f"kind = {kind!r}: expected one of ReLU, DeLU, DNL")
    model = DNL(n_in, n_out, width, head, smooth, seed=seed)
    if kind == "DNL":
        return model
    goal = count_weights(model)
    if kind == "ReLU":  # w^2 + (n_in + n_out + 2) w + n_out
        half = (n_in + n_out + 2) / 2
        return ReLUNet(n_in, n_out, round((goal - n_out + half**2) ** 0.5 - half), seed)
    trunk = 2 * width
    used = trunk * (n_in + 1) + trunk * (trunk + 1) + trunk * n_out + n_out
    n_bias = max(1, round((goal - used) / (2 * trunk + 1 + n_out)))
    return DeLU(n_in, n_out, trunk, n_bias, seed)


def network(
    kind: str,
    game: PersuasionGame,
    n_signals: int,
    *,
    width: int = 32,
    head: int = 16,
    smooth: str = "square",
    seed: int = 0,
) -> nn.Module:
    """A network of the study for a game.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    game : PersuasionGame
        Of which sizes count, and the prior for shared and gated networks.
    n_signals : int
        Of each sender.
    width, head, smooth
        DNL's; shared ones have half the width and half the head.
    seed : int
        Of the first weights.

    Raises
    ------
    ValueError
        Another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind = {kind!r}: expected one of {', '.join(KINDS)}")
    n, m = game.n_senders, game.n_states
    if kind == "GML":
        return GatedMultilinear(n, game.prior, seed=seed)
    if kind.startswith("s-"):
        size = {"width": max(4, width // 2), "head": max(2, head // 2)}
        return Shared(
            core(kind[2:], m, n, smooth=smooth, seed=seed, **size), game.prior
        )
    size = {"width": width, "head": head}
    return Flat(core(kind, n * m * n_signals, n, smooth=smooth, seed=seed, **size))


def leads(
    game: PersuasionGame, rules: Float[Tensor, "n_profiles n_senders n_states k"]
) -> Float[np.ndarray, " n_profiles"]:
    """How far each profile is from the receiver's changing her mind.

    Her smallest lead of the best action over the next, among joint signals that come
    with probability above 1e-6, as a share of that probability.
    """
    found = []
    for profile in rules.double().numpy():
        x = joint_masses(game.prior, list(profile))
        mass = x.sum(axis=1)
        worth = np.sort(x @ game.receiver, axis=1)
        lead = (worth[:, -1] - worth[:, -2]) / np.maximum(mass, 1e-300)
        found.append(lead[mass > 1e-6].min())
    return np.array(found)


def games_of_size(
    size: Sequence[int], n_games: int, seed: int = 0
) -> tuple[list[tuple[int, PersuasionGame]], int]:
    """The first match games of a size that are not degenerate.

    Parameters
    ----------
    size : sequence of int
        Senders, states, actions, signals of each sender.
    n_games : int
        How many.
    seed : int
        Of the first one that is tried.

    Returns
    -------
    games : list of (int, PersuasionGame)
        With their seeds.
    n_left_out : int
        Degenerate ones that were met.
    """
    n, m, n_actions, k = size
    games, left_out = [], 0
    while len(games) < n_games:
        number = seed + len(games) + left_out
        game = match_game(n, m, n_actions, number)
        if is_degenerate(game, k):
            left_out += 1
        else:
            games.append((number, game))
    return games, left_out


def study(
    size: Sequence[int],
    games: Sequence[tuple[int, PersuasionGame]],
    n_train: int,
    seeds: Sequence[int],
    *,
    kinds: Sequence[str] = tuple(KINDS),
    n_steps: int = 1500,
    batch: int = 128,
    width: int = 32,
    head: int = 16,
    smooth: str = "square",
    n_test: int = 2000,
    device: str | torch.device = "cpu",
) -> list[dict]:
    """Errors of every kind of network on every game, for some seeds.

    Parameters
    ----------
    size : sequence of int
        Senders, states, actions, signals of each sender.
    games : sequence of (int, PersuasionGame)
        Of that size, with their seeds.
    n_train, n_test : int
        Profiles: of training, drawn for each game and seed, and fresh ones of a game.
    seeds : sequence of int
        Of profiles, first weights and batches.
    kinds : sequence of str
        Of :data:`KINDS`.
    n_steps, batch : int
        Adam steps and profiles of each, the same for all.
    width, head, smooth
        DNL's.
    device : str or torch.device
        Where networks are trained.

    Returns
    -------
    list of dict
        For each kind, game and seed: ``n_weights``, ``error``, and the error over three
        quarters of the profiles: nearest to a jump, ``near``, furthest from
        one, ``far``, and nearest to the corners, where full revelation is, ``corner``.
    """
    k, tests, train = size[3], {}, []
    for number, game in games:
        test = draw_profiles(game, k, n_test, np.random.default_rng([number, 1]))
        lead = leads(game, test)
        truth = utilities_batch(game, test.double()).float()
        low, high = np.quantile(lead, [0.25, 0.75])
        sure = test.amax(dim=3).mean(dim=(1, 2)).numpy()
        parts = {"near": lead <= low, "far": lead >= high}
        parts["corner"] = sure >= np.quantile(sure, 0.75)
        tests[number] = test, truth, parts
        for seed in seeds:
            rng = np.random.default_rng([number, 2, seed])
            train.append((number, game, seed, draw_profiles(game, k, n_train, rng)))
    inputs = torch.stack([rules for *_, rules in train])
    target = torch.stack(
        [utilities_batch(game, rules.double()).float() for _, game, _, rules in train]
    )
    mean, scale = target.mean(dim=1, keepdim=True), target.std(dim=1, keepdim=True)
    inputs, scaled = inputs.to(device), ((target - mean) / scale).to(device)
    rows = []
    for kind in kinds:
        shape = {"width": width, "head": head, "smooth": smooth}
        nets = [
            network(kind, game, k, seed=seed, **shape).to(device)
            for _, game, seed, _ in train
        ]
        fit_stack(nets, inputs, scaled, n_steps=n_steps, lr=KINDS[kind], batch=batch)
        for j, (number, _, seed, _) in enumerate(train):
            test, truth, parts = tests[number]
            with torch.no_grad():
                said = nets[j](test.to(device)).cpu()
            off = (said - (truth - mean[j]) / scale[j]).square().mean(dim=1).numpy()
            rows.append(
                {
                    "kind": kind,
                    "game": number,
                    "seed": seed,
                    "n_train": n_train,
                    "n_weights": count_weights(nets[j]),
                    "error": float(off.mean()),
                }
                | {name: float(off[some].mean()) for name, some in parts.items()}
            )
    return rows
