r"""Fitted policy iteration with entry fees: :math:`m+1` numbers, not :math:`2^m`.

The actor puts out :math:`p_j=c_j\,\sigma(x_j-\tfrac12)` and
:math:`\delta=\mathrm{softplus}(y-1)`.  An additive buyer takes a prefix of the items in
the order :math:`\sigma` of :math:`t_j-p_j`, or nothing.  With
:math:`u_k=\sum_{l\le k}(t_{\sigma_l}-p_{\sigma_l})-\delta` and
:math:`w_k=\delta+\sum_{l\le k}p_{\sigma_l}+V(i+1,s-k)` the smoothed objective is
:math:`r=\sum_k\Delta_kw_k`, :math:`\Delta=\mathrm{softmax}_k\,\beta u_k`, and with
:math:`g_k=\Delta_k(1-\beta(w_k-r))`, the order held constant,

.. math::

   \frac{\partial r}{\partial\delta}=\sum_{k\ge1}g_k,\qquad
   \frac{\partial r}{\partial p_{\sigma_l}}=\sum_{k\ge l}g_k,

so that a draw costs a sort.  Items are exchangeable, and the critic is a table by buyer
and number of items left: the mean over random sets of that size of what the actor earns
there, backwards over buyers, with hard choices and no maximum over actions.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Float
from numba import njit
from torch import nn

from econlib.sequential_auctions.actors import Features, tower
from econlib.sequential_auctions.settings import Setting

__all__ = ["FeeActor", "FeePolicy", "fee_fpi", "fee_gradient"]


class FeeActor(nn.Module):
    """From a state to a price for each item and a fee.

    Parameters
    ----------
    n_buyers, n_items : int
        Size of the auction.
    top : float
        Largest value of an item.
    generator : torch.Generator
        Source of the initial weights.
    width : int
        Of the hidden layers.
    """

    def __init__(
        self,
        n_buyers: int,
        n_items: int,
        top: float,
        generator: torch.Generator,
        width: int = 256,
    ) -> None:
        super().__init__()
        self.top = top
        self.features = Features(n_buyers, n_items)
        self.net = tower(self.features.n_features, n_items + 1, width, generator, 0.1)

    def forward(
        self, bits: Float[torch.Tensor, "n_states n_items"], buyers: torch.Tensor
    ) -> Float[torch.Tensor, "n_states n_actions"]:
        """Prices of items, then the fee; of items that are gone they mean nothing."""
        x = self.net(self.features(bits, buyers))
        prices = self.top * torch.sigmoid(x[:, :-1] - 0.5)
        return torch.cat([prices, nn.functional.softplus(x[:, -1:] - 1)], dim=1)


@dataclass(frozen=True)
class FeePolicy:
    """A trained actor and its history.

    Attributes
    ----------
    actor : FeeActor
        The policy.
    values : ndarray, shape (n_buyers + 1, n_items + 1)
        What the critic holds, by next buyer and items left.
    revenue, error : float
        Mean over fresh episodes, hard choices, and its standard error.
    steps, seconds, curve : ndarray, shape (n_logged,)
        Actor steps, process seconds, and revenue then, first before any.
    """

    actor: FeeActor
    values: Float[np.ndarray, "n_stages n_sizes"]
    revenue: float
    error: float
    steps: Float[np.ndarray, " n_logged"]
    seconds: Float[np.ndarray, " n_logged"]
    curve: Float[np.ndarray, " n_logged"]


@njit(cache=True)
@no_type_check
def _sorted_gains(values, prices, left, gain, order):
    """Gains of the items left in falling order; returns how many there are."""
    n = 0
    for j in range(len(left)):
        if left[j]:
            g = values[j] - prices[j]
            k = n
            while k > 0 and gain[k - 1] < g:
                gain[k] = gain[k - 1]
                order[k] = order[k - 1]
                k -= 1
            gain[k] = g
            order[k] = j
            n += 1
    return n


@njit(cache=True)
@no_type_check
def fee_gradient(menus, left, after, values, beta):
    """Smoothed objective of some states, and its gradient by prices and fee.

    Indices are (b, j) -> (state, item) with the fee last; ``after[b, s]`` is what comes
    after with s items left, ``values[b, d, j]`` worth of items in draw d.
    """
    n_states, width = menus.shape
    m = width - 1
    gain, u = np.empty(m), np.empty(m + 1)
    w, g = np.empty(m + 1), np.empty(m + 1)
    order = np.empty(m, np.int64)
    gradient = np.zeros((n_states, width), np.float32)
    objective = np.zeros(n_states)
    n_draws = values.shape[1]
    for b in range(n_states):
        fee = menus[b, m]
        for d in range(n_draws):
            n = _sorted_gains(values[b, d], menus[b], left[b], gain, order)
            u[0], w[0] = 0.0, after[b, n]
            best, enjoyed, paid = 0.0, -fee, fee
            for k in range(1, n + 1):
                enjoyed += gain[k - 1]
                paid += menus[b, order[k - 1]]
                u[k] = enjoyed
                w[k] = paid + after[b, n - k]
                best = max(best, enjoyed)
            mass, r = 0.0, 0.0
            for k in range(n + 1):
                g[k] = np.exp(beta * (u[k] - best))
                mass += g[k]
                r += g[k] * w[k]
            r /= mass
            objective[b] += r / n_draws
            tail = 0.0
            for k in range(n, 0, -1):
                tail += g[k] / mass * (1 - beta * (w[k] - r))
                gradient[b, order[k - 1]] += tail / n_draws
            gradient[b, m] += tail / n_draws
    return objective, gradient


@njit(cache=True)
@no_type_check
def _buy(menus, left, values):
    """Hard choices, one buyer a state: payments; items taken leave ``left``."""
    n_states, width = menus.shape
    m = width - 1
    gain = np.empty(m)
    order = np.empty(m, np.int64)
    payments = np.zeros(n_states)
    for b in range(n_states):
        n = _sorted_gains(values[b], menus[b], left[b], gain, order)
        best, enjoyed, size = 0.0, -menus[b, m], 0
        for k in range(1, n + 1):
            enjoyed += gain[k - 1]
            if enjoyed >= best:
                best, size = enjoyed, k
        if size > 0:
            payments[b] = menus[b, m]
        for k in range(size):
            payments[b] += menus[b, order[k]]
            left[b, order[k]] = False
    return payments


def fee_fpi(
    setting: Setting,
    n_buyers: int,
    *,
    seed: int = 0,
    n_iterations: int = 10,
    actor_steps: int = 60,
    n_states: int = 64,
    n_draws: int = 64,
    n_rollouts: int = 256,
    sweep_draws: int = 512,
    beta: tuple[float | int, float | int] = (10.0, 150.0),
    lr: float = 1e-3,
    n_log: int = 0,
    n_test: int = 4096,
) -> FeePolicy:
    """Train entry fees for every state of an auction with additive buyers.

    Parameters
    ----------
    setting : Setting
        Setting A, of any law.
    n_buyers : int
        1 to 200.
    seed : int
        Of weights, states and draws.
    n_iterations, actor_steps : int
        Iterations, and Adam steps of each; 1 or more.
    n_states, n_draws : int
        Of a step, three quarters of the states visited and the rest uniform over buyers
        and numbers of items; draws are pairs of opposite buyers.
    n_rollouts : int
        Episodes that visit states.
    sweep_draws : int
        Valuations, each with a random set, that a value is the mean of.
    beta : tuple of float
        Inverse temperature at first and from 60 % of the steps on.
    lr : float
        Adam's step after 50 steps; it falls to a twentieth.
    n_log, n_test : int
        Episodes that revenue is measured on after each iteration, 0 for none, and at
        the end.

    Returns
    -------
    FeePolicy
        Policy, critic, revenue and history.

    Raises
    ------
    ValueError
        Another setting than A, or a number out of range.
    """
    if setting.name != "A":
        raise ValueError(
            f"setting: {setting.name}, expected A: additive buyers and exchangeable "
            "items"
        )
    for name, value, low, high in (
        ("n_buyers", n_buyers, 1, 200),
        ("n_iterations", n_iterations, 1, 10**5),
        ("actor_steps", actor_steps, 1, 10**5),
        ("n_states", n_states, 4, 10**5),
        ("n_draws", n_draws, 2, 10**5),
        ("n_rollouts", n_rollouts, 1, 10**6),
        ("sweep_draws", sweep_draws, 2, 10**6),
        ("n_test", n_test, 2, 10**7),
    ):
        if not low <= value <= high:
            raise ValueError(f"{name} = {value}: expected {low} to {high}")
    if min(beta) <= 0:
        raise ValueError(f"beta = {beta}: expected numbers above 0")
    m, rng = setting.n_items, np.random.default_rng(seed)
    torch_rng = torch.Generator().manual_seed(seed)
    actor = FeeActor(n_buyers, m, float(setting.bounds[1]), torch_rng)
    adam = torch.optim.Adam(actor.parameters(), lr=lr, betas=(0.9, 0.99), fused=True)
    total, done, spent = n_iterations * actor_steps, 0, 0.0
    values = np.zeros((n_buyers + 1, m + 1))
    log = [(0, 0.0, _measured(actor, setting, n_buyers, n_log, seed))]
    for _ in range(n_iterations):
        start = time.process_time()
        values = _sweep(actor, setting, n_buyers, sweep_draws, rng)
        _, met = _rollout(actor, setting, n_buyers, n_rollouts, rng)
        for _ in range(actor_steps):
            share = done / total
            done += 1
            rate = lr * (0.05 + 0.95 * (0.5 + 0.5 * math.cos(math.pi * share)))
            adam.param_groups[0]["lr"] = rate * min(1.0, done / 50)
            β = beta[0] * (beta[1] / beta[0]) ** min(1.0, share / 0.6)
            left, buyers = _states(met, n_states, rng)
            t = _draws(setting, n_states, n_draws, rng)
            menus = actor(torch.from_numpy(left).float(), torch.from_numpy(buyers))
            _, gradient = fee_gradient(
                menus.detach().numpy(), left, values[buyers + 1], t, β
            )
            adam.zero_grad(set_to_none=True)
            menus.backward(torch.from_numpy(gradient) / -n_states)
            torch.nn.utils.clip_grad_norm_(actor.parameters(), 1.0)
            adam.step()
        spent += time.process_time() - start
        log.append((done, spent, _measured(actor, setting, n_buyers, n_log, seed)))
    paid, _ = _rollout(
        actor, setting, n_buyers, n_test, np.random.default_rng(seed + 10_001)
    )
    steps, seconds, curve = np.array(log, float).T
    error = float(paid.std() / np.sqrt(n_test))
    return FeePolicy(actor, values, float(paid.mean()), error, steps, seconds, curve)


def _measured(
    actor: FeeActor, setting: Setting, n: int, n_log: int, seed: int
) -> float:
    if not n_log:
        return np.nan
    rng = np.random.default_rng(seed + 7_000_003)
    return float(_rollout(actor, setting, n, n_log, rng)[0].mean())


@torch.no_grad()
def _rollout(
    actor: FeeActor, setting: Setting, n: int, n_envs: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Revenue of episodes, and what was left before each buyer."""
    left = np.ones((n_envs, setting.n_items), bool)
    met = np.empty((n, *left.shape), bool)
    revenue = np.zeros(n_envs)
    for i in range(n):
        met[i] = left
        menus = actor(torch.from_numpy(left).float(), torch.full((n_envs,), i))
        revenue += _buy(menus.numpy(), left, setting.items(n_envs, rng))
    return revenue, met


@torch.no_grad()
def _sweep(
    actor: FeeActor, setting: Setting, n: int, n_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Value of the actor by next buyer and number of items left, backwards.

    Draws and sets are the same for all buyers; each set serves eight draws.
    """
    m = setting.n_items
    n_sets = max(1, n_draws // 8)
    rank = rng.random((n_sets, m)).argsort(axis=1)
    left = (rank[None] < np.arange(1, m + 1)[:, None, None]).reshape(-1, m)
    bits = torch.from_numpy(left).float()
    t = _draws(setting, 1, 8 * n_sets, rng)[0].reshape(8, n_sets, m)
    t = np.broadcast_to(t[:, None], (8, m, n_sets, m)).reshape(-1, m)
    before = np.tile(left, (8, 1))
    values = np.zeros((n + 1, m + 1))
    for i in range(n - 1, -1, -1):
        menus = actor(bits, torch.full((len(left),), i)).numpy()
        after = before.copy()
        paid = _buy(np.tile(menus, (8, 1)), after, t)
        w = paid + values[i + 1, after.sum(axis=1)]
        values[i, 1:] = w.reshape(8, m, n_sets).mean(axis=(0, 2))
    return values


def _states(
    met: np.ndarray, n_states: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """States of a step: what is left, and whose turn it is."""
    n, n_envs, m = met.shape
    buyers = rng.integers(n, size=n_states)
    left = met[buyers, rng.integers(n_envs, size=n_states)]
    n_uniform = n_states // 4
    size = rng.integers(1, m + 1, n_uniform)
    rank = rng.random((n_uniform, m)).argsort(axis=1)
    left[:n_uniform] = rank < size[:, None]
    return left, buyers


def _draws(
    setting: Setting, n_states: int, n_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Values, shape (n_states, n_draws, n_items), opposite pairs where uniform."""
    half = (n_draws + 1) // 2
    t = setting.items(n_states * half, rng).reshape(n_states, half, -1)
    if setting.law is None:
        other = 1 - t
    else:
        other = setting.items(n_states * half, rng).reshape(t.shape)
    return np.concatenate([t, other], axis=1)[:, :n_draws]
