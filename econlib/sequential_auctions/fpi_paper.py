r"""Fitted policy iteration as the paper specifies it, Algorithm 4 with table 5.

Repeat, from networks of three layers of 256 tanh units:

1. roll out episodes of prices :math:`\pi_\theta(s)+\mathcal N(0,\epsilon^2)`;
2. returns by TD(:math:`\lambda`) from the critic, and critic steps on the whole buffer;
   then targets by the model, with hard choices of the actor without noise,

   .. math::

      V^{targ}(s_t)=\tfrac1\ell\sum_j
      \big[a^t_{T_j}+V_\alpha(i_{t+1},S_t\setminus T_j)\big],

   and more critic steps;
3. actor steps, each one of Adam on the gradient over the whole buffer, the critic's
   values as offsets; the states of a group share :math:`\ell` fresh valuations;
4. :math:`\epsilon\leftarrow\epsilon\,\eta_\epsilon`.

States of the buffer that coincide have the same prices and offsets, so that each
distinct one is computed once and weighted by its count: on 5 buyers and 5 items at most
155 rows in place of 5120, and the same expectation.  A group is the distinct states'
share of one of the paper's minibatches.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from econlib.sequential_auctions.actors import OUTPUTS, Actor, Critic
from econlib.sequential_auctions.fpi import (
    FPI,
    antithetic,
    law_of,
    menu_prices,
    simulate,
)
from econlib.sequential_auctions.fpi_config import check_sizes
from econlib.sequential_auctions.kernels import hard_targets, play, shared_gradient
from econlib.sequential_auctions.menu_tables import Menus, menus
from econlib.sequential_auctions.settings import Setting

__all__ = ["PaperConfig", "gae_returns", "paper_fpi"]


@dataclass(frozen=True)
class PaperConfig:
    """Table 5; ``beta`` is the inverse of the temperature, as the official code has it.

    Attributes
    ----------
    n_iterations, n_envs : int
        Iterations, and episodes of each.
    critic_steps : tuple of int
        On the returns of the episodes, and on the targets by the model.
    actor_steps : int
        On the whole buffer.
    lam : float
        Of TD(:math:`\\lambda`); there is no discount.
    noise, noise_decay : float
        Standard deviation of prices at first, and its factor an iteration.
    n_draws : int
        Valuations that a minibatch shares.
    minibatch : int
        Buffer rows of a minibatch.
    lr_critic, lr_actor : float
        Adam's steps; setting F has 1e-3 for the actor.
    beta : float
        Inverse temperature.
    output : str
        The actor's.
    """

    n_iterations: int = 20
    n_envs: int = 1024
    critic_steps: tuple[int, int] = (100, 500)
    actor_steps: int = 50
    lam: float | int = 0.95
    noise: float = float(np.exp(-2))
    noise_decay: float = float(np.exp(-0.25))
    n_draws: int = 256
    minibatch: int = 256
    lr_critic: float = 1e-4
    lr_actor: float = 1e-4
    beta: float | int = 100.0
    output: str = "paper"

    def __post_init__(self) -> None:
        for name, low, high in (
            ("n_iterations", 1, 10**5),
            ("n_envs", 1, 10**6),
            ("actor_steps", 1, 10**5),
            ("lam", 0, 1),
            ("noise", 0, 100),
            ("noise_decay", 0, 1),
            ("n_draws", 1, 2**16),
            ("minibatch", 1, 2**20),
            ("lr_critic", 0, 1),
            ("lr_actor", 0, 1),
            ("beta", 1e-6, 1e6),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"{name} = {getattr(self, name)}: expected {low} to {high}"
                )
        if min(self.critic_steps) < 0:
            raise ValueError(f"critic_steps = {self.critic_steps}: expected 0 or more")
        if self.output not in OUTPUTS:
            raise ValueError(
                f"output = {self.output!r}: expected one of {', '.join(OUTPUTS)}"
            )


def gae_returns(
    rewards: Float[np.ndarray, "n_envs n_buyers"],
    values: Float[np.ndarray, "n_envs n_buyers"],
    lam: float | int,
) -> Float[np.ndarray, "n_envs n_buyers"]:
    r"""Returns :math:`G_t=V_t+A_t`, :math:`A_t=\delta_t+\lambda A_{t+1}`, no discount.

    Parameters
    ----------
    rewards : ndarray, shape (n_envs, n_buyers)
        Payments.
    values : ndarray, shape (n_envs, n_buyers)
        The critic's, of the states before them; after the last it is 0.
    lam : float
        1 for the sum of later payments, 0 for one step.

    Examples
    --------
    >>> gae_returns(np.array([[1.0, 2.0]]), np.zeros((1, 2)), 1).tolist()
    [[3.0, 2.0]]
    """
    returns = np.empty_like(values)
    ahead = later = np.zeros(len(rewards))
    for t in range(rewards.shape[1] - 1, -1, -1):
        later = rewards[:, t] + ahead - values[:, t] + lam * later
        returns[:, t] = values[:, t] + later
        ahead = values[:, t]
    return returns


def paper_fpi(
    setting: Setting,
    n_buyers: int,
    config: PaperConfig | None = None,
    *,
    seed: int = 0,
    n_log: int = 10_000,
    **changes: object,
) -> FPI:
    """Train actor and critic by Algorithm 4.

    Parameters
    ----------
    setting : Setting
        Buyers, of 12 items at most.
    n_buyers : int
        1 to 100.
    config : PaperConfig, optional
        Table 5; ``changes`` replace single fields.
    seed : int
        Of weights and draws.
    n_log : int
        Episodes that revenue is measured on after each iteration, 0 for none; not
        counted in ``seconds``.

    Returns
    -------
    FPI
        Policy, values and history.

    Raises
    ------
    ValueError
        A size or an option out of range.
    """
    config = replace(config or PaperConfig(), **changes)
    check_sizes(setting, n_buyers)
    n, bundles = n_buyers, menus(setting)
    law, rng = law_of(setting, bundles), np.random.default_rng(seed)
    torch_rng = torch.Generator().manual_seed(seed)
    actor = Actor(setting, bundles, n, torch_rng, output=config.output, extra=False)
    critic = Critic(n, setting.n_items, torch_rng, width=256, extra=False)
    adam = torch.optim.Adam(actor.parameters(), lr=config.lr_actor, fused=True)
    critic_adam = torch.optim.Adam(critic.parameters(), lr=config.lr_critic, fused=True)
    prices = menu_prices(actor, bundles, n)
    count, spent, visited, noise = 0, 0.0, 0, config.noise
    after = _table(critic, bundles, n)
    log = [(0, 0.0, _revenue(setting, prices, n_log, seed))]
    for _ in range(config.n_iterations):
        start = time.process_time()
        paid, met = play(prices, config.n_envs, noise, bundles.flat, law, rng)
        s, i, of, weight = _distinct(met, n)
        visited = len(s)
        bits = torch.from_numpy(s[:, None] >> np.arange(setting.n_items) & 1).float()
        turn, share = torch.from_numpy(i), torch.from_numpy(weight).float()
        values = after[np.arange(n), met]
        returns = gae_returns(paid, values.astype(float), config.lam)
        # the mean over equal states has the gradient of all of them
        target = np.bincount(of, returns[met > 0], len(s)) / np.bincount(of)
        for n_steps in config.critic_steps:
            _fit(critic, critic_adam, bits, turn, target, share, n_steps)
            after = _table(critic, bundles, n)
            target = hard_targets(
                prices, s, i, after, config.n_draws, bundles.flat, law, rng
            )
        size = max(1, round(config.minibatch * len(s) / met[met > 0].size))
        for _ in range(config.actor_steps):
            menu = actor(bits, turn)
            gradient = _gradient(menu, s, i, after, size, setting, bundles, config, rng)
            adam.zero_grad(set_to_none=True)
            menu.backward(-gradient * share[:, None])
            adam.step()
        prices = menu_prices(actor, bundles, n)
        noise *= config.noise_decay
        count += sum(config.critic_steps) + config.actor_steps
        spent += time.process_time() - start
        log.append((count, spent, _revenue(setting, prices, n_log, seed)))
    steps, seconds, revenue = np.array(log, float).T
    return FPI(actor, prices, after, steps, seconds, revenue, visited)


def _revenue(setting: Setting, prices: np.ndarray, n_log: int, seed: int) -> float:
    return simulate(setting, prices, n_log, seed + 7_000_003)[0] if n_log else np.nan


def _distinct(
    met: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Distinct states of the buffer with items left: set, buyer, index, weight."""
    alive = met > 0
    key = (met * n + np.arange(n))[alive]
    distinct, of, counts = np.unique(key, return_inverse=True, return_counts=True)
    return distinct // n, distinct % n, of, counts / alive.sum()


def _gradient(
    menu: torch.Tensor,
    s: np.ndarray,
    i: np.ndarray,
    after: np.ndarray,
    size: int,
    setting: Setting,
    bundles: Menus,
    config: PaperConfig,
    rng: np.random.Generator,
) -> torch.Tensor:
    """Price gradients, ``size`` states at a time sharing their valuations."""
    prices, order = menu.detach().numpy(), rng.permutation(len(s))
    gradient = np.empty_like(prices)
    for start in range(0, len(s), size):
        some = order[start : start + size]
        values = _valuations(setting, config.n_draws, rng)
        gradient[some] = shared_gradient(
            prices[some], s[some], i[some], after, bundles.flat, values, config.beta
        )[1]
    return torch.from_numpy(gradient)


def _valuations(setting: Setting, n: int, rng: np.random.Generator) -> np.ndarray:
    """Independent values of all bundles as float32."""
    return antithetic(setting, 2 * n, rng)[:n]


def _fit(
    critic: Critic,
    adam: torch.optim.Optimizer,
    bits: torch.Tensor,
    turn: torch.Tensor,
    target: np.ndarray,
    share: torch.Tensor,
    n_steps: int,
) -> None:
    """Full-buffer steps on the weighted squared error."""
    goal = torch.from_numpy(np.asarray(target, np.float32))
    for _ in range(n_steps):
        loss = (share * (critic(bits, turn) - goal) ** 2).sum()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()


@torch.no_grad()
def _table(critic: Critic, bundles: Menus, n: int) -> np.ndarray:
    """The critic's values of every state, computed once while it is frozen."""
    n_items = bundles.members.shape[1]
    sets = np.arange(bundles.n_sets)
    bits = torch.from_numpy(sets[:, None] >> np.arange(n_items) & 1).float()
    rows = [critic(bits, torch.full((len(sets),), i)).numpy() for i in range(n)]
    return np.stack([*rows, np.zeros(len(sets), np.float32)])
