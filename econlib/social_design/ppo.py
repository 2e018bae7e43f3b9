r"""Players that share one network, trained by proximal policy optimisation.

The network sees who acts, when, on what stock, and under which rates, so that it plays
all schedules; many rounds are stepped at once.  With :math:`\rho` the ratio of new to
old probabilities and :math:`\hat A` the normalised advantages,

.. math::

   L=-\mathbb E\min\big(\rho\hat A,\ \mathrm{clip}(\rho,1-c,1+c)\hat A\big)
   +\tfrac12c_v\,\mathbb E(v-G)^2-c_h\,\mathbb E\,H(\pi).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from econlib.social_design.harvest import HarvestLite
from econlib.training import generator, pick_device

__all__ = ["PPOResult", "PlayerNet", "train_ppo"]


class PlayerNet(nn.Module):
    """Effort logits and a value from what a player sees.

    Parameters
    ----------
    n_features, n_efforts : int
        Inputs and choices.
    hidden : int
        Width of both hidden layers, 1 or more.
    source : torch.Generator
        Of the initial weights.
    """

    def __init__(
        self, n_features: int, n_efforts: int, hidden: int, source: torch.Generator
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(n_features, hidden),
            nn.Tanh(),
            nn.Linear(hidden, hidden),
            nn.Tanh(),
        )
        self.actor, self.critic = nn.Linear(hidden, n_efforts), nn.Linear(hidden, 1)
        for layer, gain in (
            (self.body[0], 2**0.5),
            (self.body[2], 2**0.5),
            (self.actor, 0.01),
            (self.critic, 1.0),
        ):
            nn.init.orthogonal_(layer.weight, gain, generator=source)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (..., n_efforts) and values (...)."""
        z = self.body(x)
        return self.actor(z), self.critic(z).squeeze(-1)


@dataclass(frozen=True)
class PPOResult:
    """What training made.

    Attributes
    ----------
    mixed : ndarray, shape (n_schedules, horizon, n_states, n_players, n_efforts)
        Probabilities of efforts under each schedule.
    welfare : ndarray, shape (n_updates,)
        Mean utility of the rounds that each update sampled.
    losses : ndarray, shape (n_updates,)
        Mean loss of each update.
    n_updates : int
        Updates made.
    seconds : float
        Wall-clock time.
    """

    mixed: Float[np.ndarray, "n_schedules horizon n_states n_players n_efforts"]
    welfare: Float[np.ndarray, " n_updates"]
    losses: Float[np.ndarray, " n_updates"]
    n_updates: int
    seconds: float


def train_ppo(
    game: HarvestLite,
    rates: Float[np.ndarray, "n_schedules n_brackets"],
    n_updates: int,
    *,
    seed: int = 0,
    envs: int = 8,
    hidden: int = 64,
    lr: float = 2.5e-4,
    gamma: float = 0.99,
    lam: float = 0.95,
    clip: float = 0.2,
    epochs: int = 4,
    minibatch: int = 128,
    entropy: float = 0.01,
    value_weight: float = 0.5,
    max_norm: float = 0.5,
    device: str = "auto",
) -> PPOResult:
    r"""Train the shared network on all schedules at once.

    Parameters
    ----------
    game : HarvestLite
        The commons.
    rates : ndarray, shape (n_schedules, n_brackets)
        Schedules; each has ``envs`` rounds in an update.
    n_updates : int
        Rounds of sampling and learning, 1 or more.
    seed : int
        Of weights, efforts, regrowth and minibatches.
    envs, hidden, epochs, minibatch : int
        Rounds of each schedule, width, passes over a sample and rows a step; 1 or more.
    lr : float
        Adam's step, falling linearly to zero; above 0.
    gamma, lam : float
        Discount and trace of the advantages, [0, 1].
    clip, entropy, value_weight, max_norm : float
        :math:`c`, :math:`c_h`, :math:`c_v` and the largest norm of a gradient.
    device : str
        As in :func:`econlib.training.pick_device`.

    Returns
    -------
    PPOResult
        Play to be judged by ``HarvestLite.evaluate``, and the history.

    Raises
    ------
    ValueError
        A count below 1, or a number out of range.
    """
    for name, count in (("n_updates", n_updates), ("envs", envs), ("epochs", epochs)):
        if count < 1:
            raise ValueError(f"{name} = {count}: expected an integer, 1 or more")
    if lr <= 0 or not (0 <= gamma <= 1 and 0 <= lam <= 1):
        raise ValueError(
            f"lr = {lr}, gamma = {gamma}, lam = {lam}: expected lr above 0 and the "
            "others in [0, 1]"
        )
    began, where = time.perf_counter(), pick_device(device)
    source = generator(seed)
    world = _World(game, game.check_rates(rates), envs, where)
    net = PlayerNet(world.n_features, len(game.efforts), hidden, source).to(where)
    adam = torch.optim.Adam(net.parameters(), lr=lr, eps=1e-5)
    fall = torch.optim.lr_scheduler.LinearLR(adam, 1.0, 1e-3, n_updates)
    welfare, losses = [], []
    for _ in range(n_updates):
        with torch.no_grad():
            x, a, logp, v, r = world.sample(net, source)
            adv = _advantages(r, v, gamma, lam)
            target = adv + v
        welfare.append(float(r.sum(dim=0).mean()))
        x, a, logp, adv, target = (
            z.reshape(-1, *z.shape[3:]) for z in (x, a, logp, adv, target)
        )
        total = []
        for _ in range(epochs):
            order = torch.randperm(len(x), generator=source).to(where)
            for rows in order.split(minibatch):
                loss = _loss(
                    net,
                    x[rows],
                    a[rows],
                    logp[rows],
                    adv[rows],
                    target[rows],
                    clip,
                    value_weight,
                    entropy,
                )
                adam.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(net.parameters(), max_norm)
                adam.step()
                total.append(loss.detach())
        losses.append(float(torch.stack(total).mean()))
        fall.step()
    return PPOResult(
        world.policy(net),
        np.array(welfare),
        np.array(losses),
        n_updates,
        time.perf_counter() - began,
    )


def _loss(
    net: PlayerNet,
    x: Tensor,
    a: Tensor,
    logp: Tensor,
    adv: Tensor,
    target: Tensor,
    clip: float,
    value_weight: float,
    entropy: float,
) -> Tensor:
    logits, v = net(x)
    logs = torch.log_softmax(logits, dim=-1)
    ratio = (logs.gather(-1, a[:, None]).squeeze(-1) - logp).exp()
    if len(adv) > 1:
        adv = (adv - adv.mean()) / (adv.std() + 1e-8)
    gain = torch.minimum(ratio * adv, ratio.clamp(1 - clip, 1 + clip) * adv).mean()
    spread = -(logs.exp() * logs).sum(dim=-1).mean()
    return -gain + 0.5 * value_weight * (v - target).square().mean() - entropy * spread


def _advantages(r: Tensor, v: Tensor, gamma: float, lam: float) -> Tensor:
    """Generalised advantages of rounds that end for good, steps first."""
    out, ahead = torch.empty_like(r), torch.zeros_like(r[0])
    for t in range(len(r) - 1, -1, -1):
        after = v[t + 1] if t + 1 < len(r) else torch.zeros_like(v[0])
        ahead = r[t] + gamma * after - v[t] + gamma * lam * ahead
        out[t] = ahead
    return out


class _World:
    """Many rounds of the commons as arrays: ``envs`` of each schedule."""

    def __init__(
        self, game: HarvestLite, rates: np.ndarray, envs: int, where: torch.device
    ) -> None:
        self.game, self.where = game, where
        self.n_schedules, self.n_envs = len(rates), len(rates) * envs
        self.n_features = game.n_players + 2 + rates.shape[1]
        self.row = torch.arange(self.n_schedules).repeat_interleave(envs)
        kept, tax = game._pay(rates)
        self.kept, self.tax = torch.as_tensor(kept), torch.as_tensor(tax)
        self.rates = torch.as_tensor(rates, dtype=torch.float32)
        self.law = torch.as_tensor(game.refill).cumsum(dim=1)
        self.cost, self.efforts = (
            torch.as_tensor(game._cost),
            torch.as_tensor(np.asarray(game.efforts)),
        )

    def look(self, stock: Tensor, t: int, rows: Tensor) -> Tensor:
        """What each player sees, (n, n_players, n_features)."""
        n = self.game.n_players
        common = torch.cat(
            [
                stock[:, None].float() / self.game.capacity,
                torch.full((len(stock), 1), t / self.game.horizon),
                self.rates[rows],
            ],
            dim=1,
        )
        who = torch.eye(n).expand(len(stock), n, n)
        return torch.cat([who, common[:, None].expand(-1, n, -1)], dim=2).to(self.where)

    def sample(self, net: PlayerNet, source: torch.Generator) -> tuple[Tensor, ...]:
        """One round of every environment; all with steps first."""
        stock = torch.full((self.n_envs,), self.game.s0)
        player = torch.arange(self.game.n_players)
        kept = []
        for t in range(self.game.horizon):
            x = self.look(stock, t, self.row)
            logits, v = net(x)
            logs = torch.log_softmax(logits, dim=-1)
            cut = logs.exp().cumsum(dim=-1)[..., :-1].cpu()
            draw = torch.rand((*x.shape[:2], 1), generator=source)
            a = (draw > cut).sum(dim=-1)
            d = self.efforts[a].sum(dim=1)
            at = (self.row[:, None], stock[:, None], d[:, None], a)
            tax = self.tax[at]
            r = self.kept[at] + tax.mean(dim=1, keepdim=True) - self.cost[player, a]
            left = stock - torch.minimum(d, stock)
            draw = torch.rand((self.n_envs, 1), generator=source, dtype=torch.float64)
            stock = (draw > self.law[left][:, :-1]).sum(dim=1)
            a = a.to(self.where)
            logp = logs.gather(-1, a[..., None]).squeeze(-1)
            kept.append((x, a, logp, v, r.float().to(self.where)))
        return tuple(torch.stack(parts) for parts in zip(*kept, strict=True))

    @torch.no_grad()
    def policy(self, net: PlayerNet) -> np.ndarray:
        """Probabilities at every schedule, step, stock and player."""
        game, n_states = self.game, self.game.capacity + 1
        stock = torch.arange(n_states).repeat(self.n_schedules)
        rows = torch.arange(self.n_schedules).repeat_interleave(n_states)
        steps = [
            torch.softmax(net(self.look(stock, t, rows))[0].double(), dim=-1)
            .reshape(self.n_schedules, n_states, game.n_players, -1)
            .cpu()
            .numpy()
            for t in range(game.horizon)
        ]
        return np.stack(steps, axis=1)
