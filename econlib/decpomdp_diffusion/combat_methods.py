r"""Reconstructing battles with every method, and how far off each is.

A method answers with points in the space of states; where every ally has an answer of
its own, errors are means over the allies.  Errors come in three groups: *place* in
cells of the map, *health* as a share of full health, and *wrong kind*, how often the
sign of a unit's kind is not the true one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from econlib.decpomdp_diffusion.combat import (
    PER_UNIT,
    Battle,
    Battles,
    observe,
    seen,
)
from econlib.decpomdp_diffusion.denoisers import (
    Composite,
    ExpertsDenoiser,
    ParallelDenoiser,
)
from econlib.decpomdp_diffusion.flows import anneal, schedule
from econlib.decpomdp_diffusion.learning import (
    agent_conditions,
    team_conditions,
    train_denoiser,
)
from econlib.decpomdp_diffusion.networks import ConditionalDenoiser, LearnedDenoiser
from econlib.decpomdp_diffusion.peers import (
    VarianceCoder,
    predict,
    sample_states,
    train_coder,
    train_regression,
)

__all__ = ["ERRORS", "METHODS", "Moments", "battle_errors", "moments", "reconstruct"]

#: Names of the errors.
ERRORS = ("place, cells", "health", "wrong kind")
#: Names of the methods.
METHODS = (
    "composite",
    "one ally",
    "parallel mean",
    "experts",
    "centralised",
    "regression",
    "autoencoder",
)


@dataclass(frozen=True)
class Moments:
    """What allies saw and what was true, for training and held out.

    Attributes
    ----------
    rows, asked : ndarray, shape (n_allies, n, n_features)
        Observations at training and at held-out moments.
    clean, truth : ndarray, shape (n, d)
        States there.
    alive, in_sight : ndarray of bool, shape (n_test, n_units)
        Held out: who lives, and whom some ally sees.
    """

    rows: Float[np.ndarray, "n_allies n_train n_features"]
    asked: Float[np.ndarray, "n_allies n_test n_features"]
    clean: Float[np.ndarray, "n_train d"]
    truth: Float[np.ndarray, "n_test d"]
    alive: Bool[np.ndarray, "n_test n_units"]
    in_sight: Bool[np.ndarray, "n_test n_units"]


def moments(
    rules: Battle, battles: Battles, variant: str, n_test: int, rng: np.random.Generator
) -> Moments:
    """Mix the moments of four fifths of the battles, and draw some of the others.

    Parameters
    ----------
    rules, battles : Battle, Battles
        Five battles or more.
    variant : str
        Way of seeing, partition or sight.
    n_test : int
        Held-out moments, 1 or more, with replacement.
    rng : Generator
        Source of the order and of the held-out moments; the same seed gives the same
        moments for both ways of seeing.
    """
    n = len(battles.health)
    if n < 5 or n_test < 1:
        raise ValueError(
            f"{n} battles, n_test = {n_test}: expected 5 or more, 1 or more"
        )
    split, states = 4 * n // 5, battles.states(rules)
    rows, mark = observe(rules, battles, variant), seen(rules, battles, variant)
    at = rng.integers(split, n, n_test), rng.integers(0, rules.n_steps, n_test)
    mix = rng.permutation(split * rules.n_steps)
    return Moments(
        rows[:, :split].reshape(rules.n_allies, -1, rows.shape[-1])[:, mix],
        rows[:, at[0], at[1]],
        states[:split].reshape(-1, rules.d)[mix],
        states[at],
        (battles.health > 0)[at],
        mark.any(axis=0)[at],
    )


def reconstruct(
    held: Moments,
    *,
    n_seeds: int,
    n_steps: int,
    width: int,
    last_noise: float,
    seed: int,
    n_starts: int = 2,
) -> dict[str, list[Float[np.ndarray, "n_seeds n_test n_draws d"]]]:
    """Train every method and ask it; a list holds one answer, or one an ally.

    Parameters
    ----------
    held : Moments
        Samples and questions.
    n_seeds, n_steps, width : int
        Networks of each kind, their training and hidden layers.
    last_noise : float
        Where the noise of the flows ends, below 2.
    seed : int
        Of weights, draws and starts.
    n_starts : int
        Starts, in opposite pairs, or draws, a moment.
    """
    d, n_test = held.truth.shape[1], len(held.truth)
    conditions, asked = agent_conditions(held.rows), agent_conditions(held.asked)
    whole, one = team_conditions(held.rows), team_conditions(held.asked)[0]
    fit = {"batch": 128, "seed": seed}
    shape = (n_seeds, n_test, -(-n_starts // 2), d)
    half = 2.0 * np.random.default_rng(seed + 1).standard_normal(shape)
    start = np.concatenate([half, -half], axis=2)[:, :, :n_starts]
    levels = schedule(2.0, last_noise, 14, 6)

    net = ConditionalDenoiser(n_seeds, d, conditions.shape[2], width=width, seed=seed)
    train_denoiser(net, conditions, held.clean, n_steps, dropout=0.1, **fit)
    maps = [LearnedDenoiser(net, own) for own in asked]
    prior = LearnedDenoiser(net, np.zeros_like(asked[0]))
    experts = ExpertsDenoiser(maps, prior)
    central = ConditionalDenoiser(n_seeds, d, whole.shape[2], width=width, seed=seed)
    train_denoiser(central, whole, held.clean, n_steps, **fit)
    mean = train_regression(
        conditions, held.clean, n_seeds, n_steps, width=width, **fit
    )
    coder = VarianceCoder(n_seeds, d, conditions.shape[2], width=width, seed=seed)
    train_coder(coder, conditions, held.clean, n_steps, **fit)
    return {
        "composite": [anneal(Composite(maps), start, levels)],
        "one ally": [anneal(f, start, levels) for f in maps],
        "parallel mean": [anneal(ParallelDenoiser(maps), start, levels)],
        "experts": [anneal(experts, start, np.repeat(levels, len(maps)))],
        "centralised": [anneal(LearnedDenoiser(central, one), start, levels)],
        "regression": [predict(mean, own)[:, :, None] for own in asked],
        "autoencoder": [sample_states(coder, own, n_starts, seed) for own in asked],
    }


def battle_errors(
    rules: Battle,
    held: Moments,
    answers: list[Float[np.ndarray, "n_seeds n_test n_draws d"]],
    units: Bool[np.ndarray, "n_test n_units"],
) -> Float[np.ndarray, "3 n_seeds"]:
    """Mean errors of a method over some units, a row each of :data:`ERRORS`.

    Raises
    ------
    ValueError
        No unit is among them.
    """
    if not units.any():
        raise ValueError("units: expected at least one. Try more moments")
    total = 0.0
    for x in answers:
        gap = (x - held.truth[:, None]).reshape(*x.shape[:3], rules.n_units, PER_UNIT)
        parts = np.stack(
            [
                np.linalg.norm(gap[..., 1:3], axis=-1) * rules.side / 2,
                np.abs(gap[..., 0]) / 2,
                np.abs(gap[..., 3]) > 1,
            ]
        )
        inside = parts.transpose(0, 1, 3, 2, 4)[:, :, :, units]
        total = total + inside.mean(axis=(2, 3)) / len(answers)
    return total
