r"""Algorithm 3 with networks: VDN for the principal, DQN for agents and validators.

The updates are those of :mod:`econlib.contracts.coin_tabular`, with a replay of the
past, target networks copied every so often, and functions instead of tables: a
convolution of 32 kernels of 4 × 4 cells, wrapped around the board, two hidden layers of
64, ReLU.  A network sees the board with its own player at the origin, which loses
nothing on a torus, in the four channels *me, the other, my coin, the other's coin*; the
agents' also see whether the other follows, the validators' their recommendation.  All
runs of a call are stacked and trained in lockstep.

``robust=True`` takes Huber's loss for the square and clips gradients at norm 10.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from econlib.contracts.coin_exact import CoinQuotient
from econlib.contracts.coin_game import CoinGame
from econlib.contracts.coin_judge import LearnedContracts
from econlib.contracts.coin_replay import PrioritizedReplay

__all__ = ["DeepConfig", "DeepRun", "StackedNet", "train_deep", "validate_deep"]


@dataclass(frozen=True)
class DeepConfig:
    """Settings of a training.

    Parameters
    ----------
    iters, boards, batch : int
        Gradient steps, boards played a step each before every one, and batch.
    copy_every, capacity, warmup : int
        Steps between copies to the target, size of the replay, and steps played
        before the first gradient step.
    lr, eps : (float, float)
        First and last step size of Adam (exponential) and share of random moves
        (linear).
    robust : bool
        Huber's loss and clipped gradients.
    """

    iters: int = 2000
    boards: int = 16
    batch: int = 128
    copy_every: int = 100
    capacity: int = 100_000
    warmup: int = 20
    lr: tuple[float, float] = (5e-4, 1e-4)
    eps: tuple[float, float] = (0.4, 0.0)
    robust: bool = True

    def __post_init__(self) -> None:
        for name in ("iters", "boards", "batch", "copy_every", "capacity", "warmup"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name} = {value}: expected an integer, at least 1")


@dataclass(frozen=True)
class DeepRun:
    """What networks say about every board, kept while they learn.

    Attributes
    ----------
    steps : ndarray, shape (n_kept,)
        Gradient steps when a row was kept.
    tables : ndarray, shape (n_kept, n_runs, k, n_states, 4)
        In training k is 3: the principal's, and the agents' with the other not
        following and following; in validation 2: Red's and Blue's.
    """

    steps: np.ndarray
    tables: Float[np.ndarray, "n_kept n_runs k n_states 4"]


class StackedNet(nn.Module):
    """Networks of one shape with weights of their own.

    Parameters
    ----------
    n_nets, size : int
        Networks, and side of the board.
    n_extra : int
        Inputs beside the board.
    generator : torch.Generator
        Of the first weights.
    """

    def __init__(
        self, n_nets: int, size: int, n_extra: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.n_nets = n_nets

        def draw(*shape: int, fan: int) -> nn.Parameter:
            u = torch.rand(shape, generator=generator) * 2 - 1
            return nn.Parameter(u / math.sqrt(fan))

        wide = 32 * size * size + n_extra
        wraps, relative = _shifts(size)
        self.register_buffer("wraps", wraps)
        self.register_buffer("relative", relative)
        self.kernel = draw(n_nets, 32, 4, 4, 4, fan=64)
        self.offset = draw(n_nets, 32, fan=64)
        self.weights = nn.ParameterList(
            [draw(n_nets, i, o, fan=i) for i, o in ((wide, 64), (64, 64), (64, 4))]
        )
        self.biases = nn.ParameterList(
            [draw(n_nets, 1, o, fan=i) for i, o in ((wide, 64), (64, 64), (64, 4))]
        )

    def forward(
        self,
        cells: Int[Tensor, "n_nets n_samples 2"],
        extra: Float[Tensor, "n_nets n_samples n_extra"] | None = None,
    ) -> Float[Tensor, "n_nets n_samples 4"]:
        """Values of the four moves.

        Parameters
        ----------
        cells : Tensor, shape (n_nets, n_samples, 2)
            Where the other player and the coin are, as positions in the flattened
            channels; the network's own player is at the origin.
        extra : Tensor, shape (n_nets, n_samples, n_extra), optional
            Inputs beside the board.

        Notes
        -----
        With three ones on a board, the convolution is a sum of three rows of its
        matrix, which are looked up.
        """
        n_samples, n_cells = cells.shape[1], len(self.relative)
        spread = torch.einsum("cd,nkhd->nhck", self.wraps, self.kernel.flatten(3))
        rows = spread[:, :, self.relative].reshape(self.n_nets * 4 * n_cells, -1)
        first = torch.arange(self.n_nets) * 4 * n_cells
        index = (cells + first[:, None, None]).reshape(-1, 2)
        x = functional.embedding_bag(index, rows, mode="sum")
        here = rows[first] + self.offset.repeat(1, n_cells)
        x = (x.reshape(self.n_nets, n_samples, -1) + here[:, None]).relu()
        if extra is not None:
            x = torch.cat([x, extra], dim=-1)
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            if k < 2:
                x = x.relu()
        return x


class _Trainer:
    """Nets, their targets and optimiser, and the boards they see."""

    def __init__(
        self, board: CoinQuotient, nets: list[StackedNet], config: DeepConfig
    ) -> None:
        self.nets, self.config = nets, config
        self.held = [copy.deepcopy(net).requires_grad_(False) for net in nets]
        self.params = [p for net in nets for p in net.parameters()]
        self.adam = torch.optim.Adam(self.params, lr=config.lr[0], fused=True)
        self.views = torch.from_numpy(_views(board))
        self.swap = board.swap

    def see(self, states: np.ndarray) -> Tensor:
        """Positions by state, shape (..., 2)."""
        return self.views[torch.from_numpy(states)]

    def both(self, states: np.ndarray) -> Tensor:
        """Red's and then Blue's views of a batch, along the second axis."""
        return self.see(np.concatenate([states, self.swap[states]], axis=1))

    def penalty(self, error: Tensor) -> Tensor:
        """Loss of each run, summed."""
        zero = torch.zeros_like(error)
        kind = functional.huber_loss if self.config.robust else functional.mse_loss
        return kind(error, zero, reduction="none").mean(dim=-1).sum()

    def step(self, t: int, loss: Tensor) -> None:
        """Descend, and copy to the targets when it is time."""
        config = self.config
        done = t / max(config.iters - 1, 1)
        rate = config.lr[0] * (config.lr[1] / config.lr[0]) ** done
        self.adam.param_groups[0]["lr"] = rate
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        if config.robust:
            for net in self.nets:
                _clip(net, 10.0)
        self.adam.step()
        if (t + 1) % config.copy_every == 0:
            for net, held in zip(self.nets, self.held, strict=True):
                held.load_state_dict(net.state_dict())

    def eps(self, t: int) -> float:
        """Share of random moves."""
        first, last = self.config.eps
        return first + (last - first) * t / max(self.config.iters - 1, 1)


def _shifts(size: int) -> tuple[Tensor, Tensor]:
    """Kernel entries by shift on the torus, and the shift from one cell to another."""
    row, column = np.divmod(np.arange(16), 4)
    shift = (row - 1) % size * size + (column - 1) % size
    wraps = np.zeros((size * size, 16), np.float32)
    wraps[shift, np.arange(16)] = 1
    x, y = np.divmod(np.arange(size * size), size)
    relative = (x[:, None] - x) % size * size + (y[:, None] - y) % size
    return torch.from_numpy(wraps), torch.from_numpy(relative)


@torch.no_grad()
def _clip(net: StackedNet, most: float) -> None:
    """Scale the gradient of each stacked network to a norm of at most ``most``."""
    grads = [p.grad for p in net.parameters()]
    norm = torch.stack([g.flatten(1).square().sum(dim=1) for g in grads]).sum(0).sqrt()
    scale = (most / (norm + 1e-12)).clamp(max=1.0)
    for g in grads:
        g.mul_(scale.reshape(-1, *[1] * (g.dim() - 1)))


def _views(board: CoinQuotient) -> np.ndarray:
    """Positions of the other player and of the coin in the flattened channels."""
    n_cells = board.rules.size**2
    coin = (2 + board.colour) * n_cells + board.coin
    return np.stack([n_cells + board.blue, coin], axis=1)


def _hot(index: np.ndarray, n: int) -> Tensor:
    return torch.from_numpy(np.eye(n, dtype=np.float32)[index])


def _explore(values: Tensor, eps: float, rng: np.random.Generator) -> np.ndarray:
    """Best moves, some replaced by random ones."""
    act = values.argmax(dim=-1).numpy()
    random = rng.random(act.shape) < eps
    return np.where(random, rng.integers(4, size=act.shape), act)


def train_deep(
    board: CoinQuotient,
    config: DeepConfig,
    seeds: tuple[int, ...],
    alpha: float = 0.1,
    n_kept: int = 6,
) -> DeepRun:
    """Train principals and agents, one run a seed.

    Parameters
    ----------
    board : CoinQuotient
        The game.
    config : DeepConfig
        Settings.
    seeds : tuple of int
        One run each; a run's weights depend on all of them, its play on the first.
    alpha : float
        Weight of payments, at least 0.
    n_kept : int
        Rows kept, evenly.
    """
    runs, boards = len(seeds), config.boards
    generator = torch.Generator().manual_seed(seeds[0])
    rng = np.random.default_rng([*seeds, 3])
    size = board.rules.size
    trainer = _Trainer(
        board,
        [StackedNet(runs, size, k, generator) for k in (0, 2)],
        config,
    )
    (q, phi), (q_held, phi_held) = trainer.nets, trainer.held
    game = CoinGame(runs * boards, board.rules, int(rng.integers(2**31)))
    replay = PrioritizedReplay(runs, config.capacity, 7)
    ones = _hot(np.ones((runs, 2 * config.batch), int), 2)
    kept, when, clock = [], [], board.rules.horizon
    for t in range(-config.warmup, config.iters):
        if clock == board.rules.horizon:
            game.reset()
            follows, clock = rng.integers(2, size=(runs, boards, 2)), 0
        s = game.relative().reshape(runs, boards)
        others = np.concatenate([follows[..., 1], follows[..., 0]], axis=1)
        with torch.no_grad():
            seen = trainer.both(s)
            advised, selfish = q(seen), phi(seen, _hot(others, 2))
        mine = torch.from_numpy(np.concatenate([follows[..., 0], follows[..., 1]], 1))
        values = torch.where(mine[..., None] > 0, advised, selfish)
        act = _explore(values, trainer.eps(max(t, 0)), rng)
        pair = np.stack([act[:, :boards], act[:, boards:]], axis=-1)
        reward, _ = game.step(pair.reshape(-1, 2))
        after = game.relative().reshape(runs, boards)
        row = [s, *np.moveaxis(reward.reshape(runs, boards, 2), -1, 0), after]
        row += [pair[..., 0] * 4 + pair[..., 1], follows[..., 0], follows[..., 1]]
        replay.add(np.stack(row, axis=-1).astype(float))
        clock += 1
        if t < 0:
            continue
        where, rows = replay.sample(config.batch, rng)
        s, after, code = (rows[..., k].astype(int) for k in (0, 3, 4))
        f = np.concatenate([rows[..., 6], rows[..., 5]], axis=1).astype(int)
        act = torch.from_numpy(np.concatenate([code // 4, code % 4], axis=1))[..., None]
        earned = np.concatenate([rows[..., 1], rows[..., 2]], axis=1)
        earned = torch.from_numpy(earned.astype(np.float32))
        x, y, hint = trainer.both(s), trainer.both(after), _hot(f, 2)
        with torch.no_grad():
            cooperative = phi(x, ones)
            due = cooperative.amax(-1) - cooperative.gather(-1, act)[..., 0]
            goal = earned - alpha * due + board.gamma * q_held(y).amax(-1)
            wish = earned + board.gamma * phi_held(y, hint).amax(-1)
        error = q(x).gather(-1, act)[..., 0] - goal
        error = error[:, : config.batch] + error[:, config.batch :]
        miss = phi(x, hint).gather(-1, act)[..., 0] - wish
        trainer.step(t, trainer.penalty(error) + trainer.penalty(miss))
        size_of = error.abs() + (
            miss[:, : config.batch].abs() + miss[:, config.batch :].abs()
        )
        replay.update(where, size_of.detach().numpy())
        if (t + 1) * n_kept >= (len(kept) + 1) * config.iters:
            when.append(t + 1)
            kept.append(_training_tables(trainer, runs))
    return DeepRun(np.array(when), np.stack(kept))


@torch.no_grad()
def _training_tables(trainer: _Trainer, runs: int) -> np.ndarray:
    q, phi = trainer.nets
    boards = trainer.views[None].expand(runs, *trainer.views.shape)
    n = len(trainer.views)
    out = [q(boards)]
    out += [phi(boards, _hot(np.full((runs, n), f), 2)) for f in (0, 1)]
    return torch.stack(out, dim=1).numpy()


def validate_deep(
    board: CoinQuotient,
    contracts: list[LearnedContracts],
    nudges: list[float],
    config: DeepConfig,
    seed: int = 0,
    n_kept: int = 6,
) -> DeepRun:
    """Train fresh selfish networks under frozen contracts.

    Parameters
    ----------
    board : CoinQuotient
        The game.
    contracts : list of LearnedContracts
        One a run.
    nudges : list of float
        Added to the payments, one a run.
    config : DeepConfig
        Settings.
    seed, n_kept : int
        Of all draws; rows kept.

    Raises
    ------
    ValueError
        Lists of different lengths.
    """
    if len(contracts) != len(nudges):
        raise ValueError(
            f"nudges: {len(nudges)} of them, expected one for each of the "
            f"{len(contracts)} contracts"
        )
    runs, boards, batch = len(contracts), config.boards, config.batch
    advice = np.stack([c.advice for c in contracts])
    pay = np.stack([c.pay + x for c, x in zip(contracts, nudges, strict=True)])
    generator = torch.Generator().manual_seed(seed + 1_000_003)
    rng = np.random.default_rng([seed, 4])
    net = StackedNet(2 * runs, board.rules.size, 4, generator)
    trainer = _Trainer(board, [net], config)
    game = CoinGame(runs * boards, board.rules, int(rng.integers(2**31)))
    replay = PrioritizedReplay(runs, config.capacity, 5)
    at = np.arange(runs)[:, None]

    def look(states: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple]:
        own = np.stack([states, board.swap[states]])  # player, run, sample
        told = advice[at, own]
        flat = (2 * runs, states.shape[1])
        hint = _hot(told.reshape(flat), 4)
        return own, told, (trainer.see(own.reshape(flat)), hint)

    kept, when = [], []
    for t in range(-config.warmup, config.iters):
        if (t + config.warmup) % board.rules.horizon == 0:
            game.reset()
        s = game.relative().reshape(runs, boards)
        own, told, seen = look(s)
        with torch.no_grad():
            values = net(*seen)
        act = _explore(values, trainer.eps(max(t, 0)), rng).reshape(2, runs, boards)
        follows = act == told
        due = pay[at, follows[::-1].astype(int), own]
        reward, _ = game.step(np.moveaxis(act, 0, -1).reshape(-1, 2))
        earned = np.moveaxis(reward.reshape(runs, boards, 2), -1, 0) + follows * due
        after = game.relative().reshape(runs, boards)
        row = [s, *earned, after, act[0] * 4 + act[1]]
        replay.add(np.stack(row, axis=-1).astype(float))
        if t < 0:
            continue
        where, rows = replay.sample(batch, rng)
        s, after, code = (rows[..., k].astype(int) for k in (0, 3, 4))
        act = torch.from_numpy(np.concatenate([code // 4, code % 4]))[..., None]
        earned = np.concatenate([rows[..., 1], rows[..., 2]]).astype(np.float32)
        with torch.no_grad():
            best = trainer.held[0](*look(after)[2]).amax(-1)
            goal = torch.from_numpy(earned) + board.gamma * best
        miss = net(*look(s)[2]).gather(-1, act)[..., 0] - goal
        trainer.step(t, trainer.penalty(miss))
        replay.update(where, (miss[:runs].abs() + miss[runs:].abs()).detach().numpy())
        if (t + 1) * n_kept >= (len(kept) + 1) * config.iters:
            when.append(t + 1)
            with torch.no_grad():
                shape = (2 * runs, *trainer.views.shape)
                told = _hot(np.concatenate([advice, advice]), 4)
                table = net(trainer.views[None].expand(shape), told)
            kept.append(table.reshape(2, runs, -1, 4).transpose(0, 1).numpy())
    return DeepRun(np.array(when), np.stack(kept))
