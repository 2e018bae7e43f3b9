r"""Principals: enumeration, bandits, a policy gradient, and learning beside players.

A Principal chooses among schedules by the welfare :math:`w_b` of the answer to each.

*Exact* enumerates.  *UCB1* plays the arm of the largest
:math:`\bar w_b+c\sqrt{2\ln k/m_b}`, *ε-greedy* the best mean but for a share of random
arms; both play every arm once first.  The *policy gradient* draws each rate from a
softmax of its own and follows

.. math::

   \nabla_\ell\,\mathbb E\,[\hat A\,\ln\pi_\ell(\theta)]+c_h\nabla_\ell H(\pi_\ell),
   \qquad\hat A\text{ the batch's normalised welfare.}

Beside learning players the welfare of a schedule moves while the Principal learns.  On
*two timescales* players make many updates for each step of the Principal's, otherwise
both move together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from econlib.social_design.learners import QEnsemble

__all__ = [
    "BanditRun",
    "CategoricalPrincipal",
    "JointRun",
    "run_bandit",
    "run_gradient",
    "run_joint",
]


@dataclass(frozen=True)
class BanditRun:
    """Runs of a bandit, one a seed.

    Attributes
    ----------
    pulls : ndarray of int, shape (n_seeds, n_rounds)
        Arm of each round.
    choice : ndarray of int, shape (n_seeds,)
        Arm recommended at the end: UCB1's most played, otherwise the best mean.
    """

    pulls: Int[np.ndarray, "n_seeds n_rounds"]
    choice: Int[np.ndarray, " n_seeds"]


def run_bandit(
    kind: str,
    welfare: Float[np.ndarray, " n_arms"],
    n_rounds: int,
    *,
    noise: float = 0.3,
    seeds: tuple[int, ...] = (0,),
    c: float = 0.5,
    explore: float = 0.1,
) -> BanditRun:
    r"""Let a bandit choose schedules by noisy outcomes of rounds.

    Parameters
    ----------
    kind : {"ucb", "eps"}
        UCB1 or ε-greedy.
    welfare : ndarray, shape (n_arms,)
        Exact welfare of each schedule.
    n_rounds : int
        Rounds, at least one an arm.
    noise : float
        Standard deviation of a round's outcome, 0 or more.
    seeds : tuple of int
        One run for each.
    c, explore : float
        UCB1's factor, above 0; ε, [0, 1].

    Returns
    -------
    BanditRun
        Pulls and recommendations.

    Raises
    ------
    ValueError
        An unknown kind, too few rounds, or a number out of range.
    """
    n_arms, n_seeds = len(welfare), len(seeds)
    if kind not in ("ucb", "eps"):
        raise ValueError(f"kind = {kind!r}: expected 'ucb' or 'eps'")
    if n_rounds < n_arms:
        raise ValueError(
            f"n_rounds = {n_rounds}: expected one for each of {n_arms} arms at least"
        )
    if noise < 0 or not 0 <= explore <= 1 or c <= 0:
        raise ValueError(
            f"noise = {noise}, explore = {explore}, c = {c}: expected 0 or more, "
            "[0, 1] and above 0"
        )
    rngs = [np.random.default_rng(s) for s in seeds]
    draws = np.stack([rng.normal(0, noise, n_rounds) for rng in rngs])
    random = np.stack([rng.random((2, n_rounds)) for rng in rngs])
    total, count = np.zeros((n_seeds, n_arms)), np.zeros((n_seeds, n_arms))
    pulls, every = np.empty((n_seeds, n_rounds), int), np.arange(n_seeds)
    for k in range(n_rounds):
        if k < n_arms:
            arm = np.full(n_seeds, k)
        elif kind == "ucb":
            bonus = c * np.sqrt(2 * np.log(k) / count)
            arm = (total / count + bonus).argmax(axis=1)
        else:
            arm = (total / count).argmax(axis=1)
            anywhere = (random[:, 1, k] * n_arms).astype(int)
            arm = np.where(random[:, 0, k] < explore, anywhere, arm)
        pulls[:, k] = arm
        total[every, arm] += welfare[arm] + draws[:, k]
        count[every, arm] += 1
    final = count if kind == "ucb" else total / count
    return BanditRun(pulls, final.argmax(axis=1))


class CategoricalPrincipal:
    """Independent softmax over the rates of each bracket, for several seeds at once.

    Parameters
    ----------
    heads, n_rates : int
        Brackets, and rates of each; 1 or more.
    seeds : tuple of int
        One policy for each.
    lr, entropy : float
        Adam's step, above 0, and the weight of the entropy, 0 or more.

    Attributes
    ----------
    logits : ndarray, shape (n_seeds, heads, n_rates)
        Zero at the start: every rate is as likely.
    """

    def __init__(
        self,
        heads: int,
        n_rates: int,
        seeds: tuple[int, ...] = (0,),
        lr: float = 0.05,
        entropy: float = 0.01,
    ) -> None:
        if heads < 1 or n_rates < 1 or lr <= 0 or entropy < 0:
            raise ValueError(
                f"heads = {heads}, n_rates = {n_rates}, lr = {lr}, entropy = {entropy}:"
                " expected 1 or more, 1 or more, above 0, and 0 or more"
            )
        self.logits = np.zeros((len(seeds), heads, n_rates))
        self.lr, self.entropy, self.steps = lr, entropy, 0
        self.base = n_rates ** np.arange(heads - 1, -1, -1)
        self.rngs = [np.random.default_rng(s) for s in seeds]
        self._first, self._second = np.zeros((2, *self.logits.shape))

    def probabilities(self) -> np.ndarray:
        """Probability of each rate, shape (n_seeds, heads, n_rates)."""
        z = np.exp(self.logits - self.logits.max(axis=-1, keepdims=True))
        return z / z.sum(axis=-1, keepdims=True)

    def sample(self, batch: int) -> np.ndarray:
        """Rates' indices, shape (n_seeds, batch, heads)."""
        cut = self.probabilities().cumsum(axis=-1)[:, None, :, :-1]
        draws = np.stack([rng.random((batch, cut.shape[2], 1)) for rng in self.rngs])
        return (draws > cut).sum(axis=-1)

    def arms(self, picks: np.ndarray) -> np.ndarray:
        """Row of the grid of all schedules, first bracket slowest."""
        return picks @ self.base

    def update(self, picks: np.ndarray, outcome: np.ndarray) -> None:
        """One step uphill from picks (n_seeds, batch, heads) and their outcomes."""
        up = self.gradient(picks, outcome)
        self.steps += 1
        self._first = 0.9 * self._first + 0.1 * up  # Adam's moments
        self._second = 0.999 * self._second + 0.001 * up**2
        mean = self._first / (1 - 0.9**self.steps)
        size = np.sqrt(self._second / (1 - 0.999**self.steps))
        self.logits = self.logits + self.lr * mean / (size + 1e-8)

    def gradient(self, picks: np.ndarray, outcome: np.ndarray) -> np.ndarray:
        """Estimated gradient in the logits, shape (n_seeds, heads, n_rates)."""
        spread = outcome.std(axis=1, keepdims=True) + 1e-8
        adv = (outcome - outcome.mean(axis=1, keepdims=True)) / spread
        p = self.probabilities()
        chosen = np.eye(p.shape[-1])[picks] - p[:, None]
        logs = np.log(np.maximum(p, 1e-300))
        level = (p * logs).sum(axis=-1, keepdims=True)
        return (adv[:, :, None, None] * chosen).mean(axis=1) - self.entropy * p * (
            logs - level
        )

    def mode(self) -> np.ndarray:
        """Row of the grid of each seed's most likely schedule."""
        return self.arms(self.logits.argmax(axis=-1))


def run_gradient(
    welfare: Float[np.ndarray, " n_arms"],
    heads: int,
    n_samples: int,
    *,
    noise: float = 0.3,
    seeds: tuple[int, ...] = (0,),
    batch: int = 16,
    lr: float = 0.05,
    entropy: float = 0.01,
) -> BanditRun:
    """The policy gradient on noisy outcomes of a full grid of schedules.

    Parameters
    ----------
    welfare : ndarray, shape (n_arms,)
        Exact welfare on a grid with the same number of rates in each bracket.
    heads : int
        Brackets.
    n_samples, batch : int
        Rounds in all, and rounds a step.
    noise, seeds, lr, entropy
        As in :func:`run_bandit` and :class:`CategoricalPrincipal`.

    Returns
    -------
    BanditRun
        Schedules of all rounds, and the most likely one at the end.

    Raises
    ------
    ValueError
        A grid that is not full, or fewer samples than one batch.
    """
    n_rates = round(len(welfare) ** (1 / heads))
    if n_rates**heads != len(welfare):
        raise ValueError(f"welfare: {len(welfare)} arms are no full grid of {heads}")
    if n_samples < batch or batch < 2:
        raise ValueError(f"n_samples = {n_samples}, batch = {batch}: expected a batch")
    principal = CategoricalPrincipal(heads, n_rates, seeds, lr, entropy)
    rngs = [np.random.default_rng(s) for s in seeds]
    pulls = []
    for _ in range(n_samples // batch):
        picks = principal.sample(batch)
        arms = principal.arms(picks)
        shock = np.stack([rng.normal(0, noise, batch) for rng in rngs])
        principal.update(picks, welfare[arms] + shock)
        pulls.append(arms)
    return BanditRun(np.concatenate(pulls, axis=1), principal.mode())


@dataclass(frozen=True)
class JointRun:
    """A Principal and players that learnt together.

    Attributes
    ----------
    rounds : ndarray, shape (n_logged,)
        Rounds that players had played at each log.
    choice : ndarray of int, shape (n_logged,)
        The Principal's most likely schedule.
    outcome : ndarray, shape (n_logged,)
        Welfare of the rounds that the Principal saw there.
    players : QEnsemble
        The players at the end.
    """

    rounds: Int[np.ndarray, " n_logged"]
    choice: Int[np.ndarray, " n_logged"]
    outcome: Float[np.ndarray, " n_logged"]
    players: QEnsemble


def run_joint(
    players: QEnsemble,
    objective: Callable[[np.ndarray], np.ndarray],
    heads: int,
    n_steps: int,
    inner: int,
    *,
    seed: int = 0,
    batch: int = 16,
    lr: float = 0.05,
    entropy: float = 0.01,
    n_log: int = 50,
) -> JointRun:
    """A policy gradient of the Principal's while players learn by their tables.

    Parameters
    ----------
    players : QEnsemble
        Untrained, on a full grid of schedules; it is trained in place.
    objective : callable
        Welfare of utilities, (..., n_players) to (...).
    heads : int
        Brackets.
    n_steps, batch : int
        Steps of the Principal's, and schedules it tries in each.
    inner : int
        Updates that players make under a schedule before its outcome is taken: many
        for two timescales, 1 for a simultaneous run.
    seed, lr, entropy
        As in :class:`CategoricalPrincipal`.
    n_log : int
        Entries of the history.

    Returns
    -------
    JointRun
        History and players.
    """
    n_rates = round(len(players.rates) ** (1 / heads))
    if n_rates**heads != len(players.rates):
        raise ValueError(f"players: {len(players.rates)} schedules are no full grid")
    if n_steps < 1 or inner < 1:
        raise ValueError(f"n_steps = {n_steps}, inner = {inner}: expected 1 or more")
    principal = CategoricalPrincipal(heads, n_rates, (seed,), lr, entropy)
    every, seen, log = max(1, n_steps // n_log), [], []
    for k in range(n_steps):
        picks = principal.sample(batch)
        arms = principal.arms(picks)[0]
        outcome = objective(players.learn(arms, inner))
        principal.update(picks, outcome[None])
        seen.append(outcome.mean())
        if (k + 1) % every == 0 or k + 1 == n_steps:
            played = (k + 1) * batch * inner * players.envs
            log.append((played, principal.mode()[0], np.mean(seen)))
            seen.clear()
    rounds, choice, outcome = (np.array(x) for x in zip(*log, strict=True))
    return JointRun(rounds.astype(int), choice.astype(int), outcome, players)
