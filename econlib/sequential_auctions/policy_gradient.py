r"""PPO and SAC on the auction, by Stable-Baselines3 on environments stepped at once.

:class:`AuctionVecEnv` is an
:class:`~econlib.sequential_auctions.environment.AuctionBatch` as a ``VecEnv``: a
thousand auctions take a step by a few array operations.  The policies see the same
position code as the networks of fitted policy iteration.  As in the official code PPO
draws :math:`a\sim\mathcal N(\mu,e^{2\ell})`, :math:`\mu=\sigma(x-\tfrac12)`,
:math:`\ell=-2` at first, and :math:`a`, clipped to :math:`[0,1]`, is a price
in units of the largest value of what it prices; an entry fee has the mean
:math:`\mathrm{softplus}(x-1)` and is in units of money.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Float
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv

from econlib.sequential_auctions.actors import Features
from econlib.sequential_auctions.environment import AuctionBatch
from econlib.sequential_auctions.fpi import simulate
from econlib.sequential_auctions.menu_tables import menus
from econlib.sequential_auctions.settings import Setting

__all__ = ["METHODS", "AuctionVecEnv", "Learned", "learn"]

METHODS = ("ppo", "sac")


class AuctionVecEnv(VecEnv):
    """Many auctions as one vectorised environment, stepped by array operations.

    Parameters
    ----------
    setting : Setting
        Of every buyer.
    n_buyers, n_envs : int
        Of each auction, and auctions.
    menu : str
        ``bundles``, ``items`` or ``entry_fee``.
    seed : int
        Of the buyers' values.

    Notes
    -----
    Numbers of an action are in [0, 1], in units of ``scale``; an entry fee is between 0
    and the largest value of everything, in units of money.
    """

    def __init__(
        self,
        setting: Setting,
        n_buyers: int,
        n_envs: int,
        *,
        menu: str = "bundles",
        seed: int = 0,
    ) -> None:
        self.batch = AuctionBatch(setting, n_buyers, n_envs, menu=menu, seed=seed)
        m = setting.n_items
        high = np.ones(self.batch.n_actions, np.float32)
        self.scale = self.batch.scale.copy()
        if menu == "entry_fee":
            high[m] = self.scale[m]
            self.scale[m] = 1.0
        seen = np.append(np.ones(m), n_buyers).astype(np.float32)
        self.render_mode = None
        super().__init__(
            n_envs,
            spaces.Box(np.zeros_like(seen), seen, dtype=np.float32),
            spaces.Box(np.zeros_like(high), high, dtype=np.float32),
        )

    def reset(self) -> np.ndarray:
        """Put all items up; what is seen of each auction."""
        return self.batch.reset()

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict]]:
        """Show the menus; after the last buyer all auctions begin again."""
        step = self.batch.step(self._actions * self.scale)
        seen, done = step.seen, np.full(self.num_envs, step.done)
        infos: list[dict] = [{} for _ in range(self.num_envs)]
        if step.done:
            for info, last in zip(infos, seen, strict=True):
                info["terminal_observation"] = last
            seen = self.batch.reset()
        return seen, step.payments.astype(np.float32), done, infos

    def close(self) -> None:
        """Forget the last actions; nothing else is held."""
        self._actions = None

    def get_attr(self, attr_name: str, indices: object = None) -> list:
        """The same for each auction."""
        return [getattr(self, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: object, indices: object = None) -> None:
        """Set it once for all."""
        setattr(self, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: object,
        indices: object = None,
        **method_kwargs: object,
    ) -> list:
        """Call it once; the same answer for each auction."""
        found = getattr(self, method_name)(*method_args, **method_kwargs)
        return [found] * self.num_envs

    def env_is_wrapped(self, wrapper_class: type, indices: object = None) -> list[bool]:
        """Never."""
        return [False] * self.num_envs


class _Extractor(BaseFeaturesExtractor):
    """Bits of the items left and the position code of the buyer."""

    def __init__(self, observation_space: spaces.Box) -> None:
        m = observation_space.shape[0] - 1
        inner = Features(int(observation_space.high[m]), m, extra=False)
        super().__init__(observation_space, inner.n_features)
        self.inner, self.m = inner, m

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        m = self.m
        return self.inner(observations[:, :m], observations[:, m].long())


class _Prices(ActorCriticPolicy):
    """Gaussian prices whose mean is a sigmoid, or a softplus for an entry fee."""

    def _get_action_dist_from_latent(self, latent_pi: torch.Tensor) -> Distribution:
        x = self.action_net(latent_pi)
        mean = torch.sigmoid(x - 0.5)
        if self.action_space.high[-1] > 1:
            fee = torch.nn.functional.softplus(x[:, -1:] - 1)
            mean = torch.cat([mean[:, :-1], fee], dim=1)
        return self.action_dist.proba_distribution(mean, self.log_std)


@dataclass(frozen=True)
class Learned:
    """What a policy-gradient learner reached.

    Attributes
    ----------
    method : str
        ``ppo`` or ``sac``.
    revenue, error : float
        Of its mean action, at hard choices of fresh buyers.
    steps, seconds, curve : ndarray, shape (n_logged,)
        Gradient updates, process seconds of training, and revenue then; first before
        any.
    n_episodes : int
        Auctions played in training.
    """

    method: str
    revenue: float
    error: float
    steps: Float[np.ndarray, " n_logged"]
    seconds: Float[np.ndarray, " n_logged"]
    curve: Float[np.ndarray, " n_logged"]
    n_episodes: int


def learn(
    setting: Setting,
    n_buyers: int,
    *,
    method: str = "ppo",
    menu: str = "bundles",
    seconds: float | int = 10.0,
    n_iterations: int = 10**6,
    n_envs: int = 1024,
    lr: float = 3e-4,
    seed: int = 0,
    n_points: int = 12,
    n_test: int = 50_000,
) -> Learned:
    """Train PPO or SAC until its process seconds or iterations are spent.

    Parameters
    ----------
    setting : Setting
        Buyers.
    n_buyers : int
        In turn.
    method : str
        ``ppo`` or ``sac``.
    menu : str
        ``bundles``, ``items`` or ``entry_fee``.
    seconds : float
        Process seconds of training, evaluation not counted; above 0.
    n_iterations : int
        Batches of ``n_envs`` auctions at most, 1 or more.
    n_envs : int
        Auctions in lockstep.
    lr : float
        Of Adam.
    seed : int
        Of weights, actions and buyers.
    n_points : int
        About how often revenue is measured on the way.
    n_test : int
        Fresh auctions of the last measurement.

    Returns
    -------
    Learned
        Revenue and history.

    Raises
    ------
    ValueError
        An unknown method, or a number out of range.

    Notes
    -----
    PPO: steps of one auction, minibatches of 1024, 10 epochs, clip 0.2, GAE 0.95, no
    discount, three layers of 256 tanh units for policy and value each; a batch is left
    when its policy has moved by a divergence of 30, which with a thousand prices keeps
    the ratio of probabilities finite.  SAC: the same
    layers, 256 auctions in lockstep at most, a replay of 20 000 steps, eight gradient
    steps of 256 rows for each step of all auctions.
    """
    if method not in METHODS:
        raise ValueError(f"method = {method!r}: expected one of {', '.join(METHODS)}")
    for name, value, low in (
        ("seconds", seconds, 1e-3),
        ("n_iterations", n_iterations, 1),
        ("n_points", n_points, 1),
        ("n_test", n_test, 2),
        ("lr", lr, 1e-9),
    ):
        if not value >= low:
            raise ValueError(f"{name} = {value}: expected {low} or more")
    if method == "sac":
        n_envs = min(n_envs, 256)
    env = AuctionVecEnv(setting, n_buyers, n_envs, menu=menu, seed=seed)
    model = _model(method, env, n_buyers, lr, seed)
    clock = _Clock(setting, n_buyers, menu, seconds, n_iterations, n_points, seed)
    model.learn(n_iterations * n_envs * n_buyers, callback=clock)
    clock.log(last=True)
    mean, error = _revenue(model, setting, n_buyers, menu, n_test, seed + 10_001)
    steps, spent, curve = np.array(clock.history, float).T
    return Learned(
        method, mean, error, steps, spent, curve, clock.n_iterations * n_envs
    )


def _model(
    method: str, env: AuctionVecEnv, n_buyers: int, lr: float, seed: int
) -> PPO | SAC:
    common = {"learning_rate": lr, "gamma": 1.0, "seed": seed, "device": "cpu"}
    layers = [256, 256, 256]
    kwargs = {"features_extractor_class": _Extractor}
    if method == "ppo":
        kwargs |= {
            "net_arch": {"pi": layers, "vf": layers},
            "log_std_init": -2.0,
        }
        n_rows = env.num_envs * n_buyers
        return PPO(
            _Prices,
            env,
            n_steps=n_buyers,
            batch_size=min(1024, n_rows),
            target_kl=20.0,
            policy_kwargs=kwargs,
            **common,
        )
    return SAC(
        "MlpPolicy",
        env,
        buffer_size=20_000,
        learning_starts=env.num_envs * n_buyers,
        train_freq=1,
        gradient_steps=8,
        policy_kwargs={**kwargs, "net_arch": layers},
        **common,
    )


class _Clock(BaseCallback):
    """Measure revenue on the way, its time not counted, and stop in time."""

    def __init__(
        self,
        setting: Setting,
        n_buyers: int,
        menu: str,
        seconds: float | int,
        most: int,
        n_points: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.where = (setting, n_buyers, menu)
        self.limit, self.most, self.n_points = seconds, most, n_points
        self.test_seed = seed + 7_000_003
        self.history: list[tuple[int, float, float]] = []
        self.n_iterations, self.unseen, self.rows = 0, 0.0, 1

    def _on_training_start(self) -> None:
        self.began = time.process_time()
        # PPO counts passes over its buffer, SAC gradient steps
        if isinstance(self.model, PPO):
            rows = self.model.n_steps * self.training_env.num_envs
            self.rows = -(-rows // self.model.batch_size)
        self.log()

    def _spent(self) -> float:
        return time.process_time() - self.began - self.unseen

    def log(self, last: bool = False) -> None:
        """Keep updates, seconds and revenue, unless they were kept just now."""
        start = time.process_time()
        spent = self._spent()
        updates = getattr(self.model, "_n_updates", 0) * self.rows
        if last and self.history[-1][0] == updates:
            return
        revenue, _ = _revenue(self.model, *self.where, 10_000, self.test_seed)
        self.history.append((updates, spent, revenue))
        self.unseen += time.process_time() - start

    def _on_step(self) -> bool:
        n_buyers = self.where[1]
        if self.num_timesteps % (self.training_env.num_envs * n_buyers):
            return True
        self.n_iterations += 1
        spent = self._spent()
        if spent >= self.history[-1][1] + self.limit / self.n_points:
            self.log()
        return spent < self.limit and self.n_iterations < self.most


def _revenue(
    model: PPO | SAC, setting: Setting, n: int, menu: str, n_test: int, seed: int
) -> tuple[float, float]:
    """Mean revenue of the mean action and its standard error."""
    if menu == "bundles":
        return simulate(setting, _table(model, setting, n), n_test, seed)
    size = min(n_test, 2048)
    env = AuctionVecEnv(setting, n, size, menu=menu, seed=seed)
    totals = []
    for _ in range(-(-n_test // size)):
        seen, total = env.reset(), np.zeros(size)
        for _ in range(n):
            action, _ = model.predict(seen, deterministic=True)
            env.step_async(action)
            seen, paid, _, _ = env.step_wait()
            total += paid
        totals.append(total)
    total = np.concatenate(totals)
    return float(total.mean()), float(total.std() / np.sqrt(len(total)))


def _table(model: PPO | SAC, setting: Setting, n: int) -> np.ndarray:
    """Prices of the mean action at every state, in the order of the flat menus."""
    bundles, m = menus(setting), setting.n_items
    batch = AuctionBatch(setting, n, 1)
    place = np.argsort(np.argsort(bundles.masks))  # options ascend by mask
    which = np.repeat(np.arange(bundles.n_sets), np.diff(bundles.start))
    bits = np.arange(bundles.n_sets)[:, None] >> np.arange(m) & 1
    prices = np.empty((n, len(bundles.column)), np.float32)
    for i in range(n):
        turn = np.full((bundles.n_sets, 1), i)
        seen = np.concatenate([bits, turn], axis=1).astype(np.float32)
        action, _ = model.predict(seen, deterministic=True)
        prices[i] = (action * batch.scale)[which, place[bundles.column]]
    prices[:, bundles.start[:-1]] = 0.0
    return prices
