r"""The auction as an environment: a seller names prices, a buyer takes his best bundle.

The state is whose turn it is and which items are left; an action names the prices of
one buyer's menu, in one of three forms:

===========  ===========================================================================
bundles      a price for each bundle that a buyer has a use for, :math:`2^m` of them for
             additive buyers; the empty bundle is free whatever its price says
items        :math:`m` prices, a bundle costs their sum
entry_fee    :math:`m` prices, then a fee for whoever takes anything
===========  ===========================================================================

The reward is what the buyer pays, the discount 1, and an episode ends with the last
buyer.  :class:`AuctionBatch` plays many auctions in lockstep by array operations;
:class:`SequentialAuctionEnv` is one of them as a Gymnasium environment.
"""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium
import numpy as np
from gymnasium import spaces
from jaxtyping import Bool, Float

from econlib.sequential_auctions.bundles import (
    Bundles,
    available,
    bundle_values,
    bundles,
    choose,
    prefix_choice,
)
from econlib.sequential_auctions.settings import Setting

__all__ = ["MENUS", "AuctionBatch", "SequentialAuctionEnv", "Step"]

#: Forms of an action.
MENUS = ("bundles", "items", "entry_fee")


@dataclass(frozen=True)
class Step:
    """One buyer of each auction.

    Attributes
    ----------
    seen : ndarray of float32, shape (n_envs, n_items + 1)
        1 for each item left, 0 for one that is sold; then the number of buyers gone.
    payments : ndarray, shape (n_envs,)
        The rewards.
    taken : ndarray of bool, shape (n_envs, n_items)
        What the buyer took.
    done : bool
        Whether this was the last buyer.
    """

    seen: Float[np.ndarray, "n_envs n_seen"]
    payments: Float[np.ndarray, " n_envs"]
    taken: Bool[np.ndarray, "n_envs n_items"]
    done: bool


class AuctionBatch:
    """Many auctions, all at the same buyer.

    Parameters
    ----------
    setting : Setting
        Of every buyer.
    n_buyers : int
        1 to 200.
    n_envs : int
        Auctions, 1 or more.
    menu : str
        Form of an action: ``bundles``, ``items`` or ``entry_fee``.
    seed : int
        Of the buyers' values.

    Attributes
    ----------
    n_actions : int
        Numbers in an action.
    scale : ndarray, shape (n_actions,)
        Largest value of what each number prices, of everything for a fee: no larger
        price is of use.
    options : Bundles or None
        What is priced; none where a choice needs no table of bundles.
    left : ndarray of bool, shape (n_envs, n_items)
        Items left.
    t : int
        Buyers gone.

    Raises
    ------
    ValueError
        A number or word out of range, or more items than a table of bundles has room
        for; items and entry fees in settings A to D need no table.

    Examples
    --------
    >>> batch = AuctionBatch(Setting("A", 3), 2, 4)
    >>> batch.reset()[0].tolist()
    [1.0, 1.0, 1.0, 0.0]
    >>> free = batch.step(np.zeros((4, 8)))
    >>> free.payments.sum().item(), free.taken.all().item(), free.done
    (0.0, True, False)
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
        for name, n, low, high in (
            ("n_buyers", n_buyers, 1, 200),
            ("n_envs", n_envs, 1, 10**6),
        ):
            if not low <= n <= high:
                raise ValueError(f"{name} = {n}: expected an integer, {low} to {high}")
        if menu not in MENUS:
            raise ValueError(f"menu = {menu!r}: expected one of {', '.join(MENUS)}")
        self.setting, self.n_buyers, self.n_envs = setting, n_buyers, n_envs
        self.menu, self.t = menu, n_buyers
        self.rng = np.random.default_rng(seed)
        table = menu == "bundles" or setting.name in "EF"
        self.options: Bundles | None = bundles(setting) if table else None
        self.scale = self._scale()
        self.n_actions = len(self.scale)
        self.left = np.zeros((n_envs, setting.n_items), bool)

    def _scale(self) -> np.ndarray:
        if self.menu == "bundles":
            return self.options.scale
        if self.options is None:
            item = self.setting.tops
            whole = np.sort(item)[-self.setting.most :].sum()
        else:
            item = self.options.scale[2 ** np.arange(self.setting.n_items)]
            whole = self.options.scale[-1]
        return np.append(item, whole) if self.menu == "entry_fee" else item

    @property
    def seen(self) -> Float[np.ndarray, "n_envs n_seen"]:
        """Items left, and buyers gone."""
        gone = np.full((self.n_envs, 1), self.t)
        return np.concatenate([self.left, gone], axis=1).astype(np.float32)

    @property
    def states(self) -> np.ndarray:
        """Items left as bit masks, shape (n_envs,); for at most 62 items."""
        return self.left @ (1 << np.arange(self.setting.n_items))

    def reset(self, seed: int | None = None) -> Float[np.ndarray, "n_envs n_seen"]:
        """Put all items up again; returns what is seen."""
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.t = 0
        self.left = np.ones((self.n_envs, self.setting.n_items), bool)
        return self.seen

    def step(self, prices: Float[np.ndarray, "n_envs n_actions"]) -> Step:
        """Show each auction's next buyer its prices.

        Parameters
        ----------
        prices : ndarray, shape (n_envs, n_actions)
            In units of money, not of ``scale``; negative ones are allowed.

        Raises
        ------
        ValueError
            Another shape, a price that is not a number, or an auction that is over.
        """
        prices = np.asarray(prices, float)
        expected = (self.n_envs, self.n_actions)
        if prices.shape != expected or np.isnan(prices).any():
            raise ValueError(
                f"prices: shape {prices.shape}, expected numbers of shape {expected}"
            )
        if self.t >= self.n_buyers:
            raise ValueError("the auction is over: call reset first")
        if self.options is None:
            m = self.setting.n_items
            fee = prices[:, m] if prices.shape[1] > m else np.zeros(self.n_envs)
            t = self.setting.items(self.n_envs, self.rng)
            taken, paid = prefix_choice(
                t, prices[:, :m], fee, self.left, self.setting.most
            )
        else:
            taken, paid = self._from_table(prices)
        self.left &= ~taken
        self.t += 1
        return Step(self.seen, paid, taken, self.t == self.n_buyers)

    def _from_table(self, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is taken and paid where every bundle has a price."""
        options, m = self.options, self.setting.n_items
        if self.menu != "bundles":
            fee = prices[:, m:].sum(axis=1, keepdims=True)
            prices = prices[:, :m] @ options.holds.T + fee
        there = available(options, self.states)
        menu = np.where(there, prices, np.inf)
        menu[:, 0] = 0.0
        values = bundle_values(self.setting, options, self.n_envs, self.rng)
        k = choose(values, menu, options.sizes)
        return options.holds[k] > 0, menu[np.arange(self.n_envs), k]


class SequentialAuctionEnv(gymnasium.Env):
    """One auction, an action's numbers in [0, 1].

    Parameters
    ----------
    setting : Setting
        Of every buyer.
    n_buyers : int
        1 to 200.
    menu : str
        Form of an action: ``bundles``, ``items`` or ``entry_fee``.

    Raises
    ------
    ValueError
        As :class:`AuctionBatch`.

    Notes
    -----
    Prices are an action's numbers times the batch's ``scale``.  What is seen is
    1 for each item left and the number of buyers gone; ``info`` has the mask of the
    bundle taken.  ``gymnasium.make("econlib/SequentialAuction-v0", ...)`` makes one
    too, once this module is imported.

    Examples
    --------
    >>> env = SequentialAuctionEnv(Setting("A", 2), 3)
    >>> seen, _ = env.reset(seed=0)
    >>> env.step(np.array([0.0, 0.5, 0.5, 0.4], np.float32))[1]
    0.5
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self, setting: Setting, n_buyers: int, *, menu: str = "bundles"
    ) -> None:
        self.batch = AuctionBatch(setting, n_buyers, 1, menu=menu)
        m = setting.n_items
        high = np.ones(m + 1, np.float32)
        high[m] = n_buyers
        self.observation_space = spaces.Box(np.zeros_like(high), high, dtype=np.float32)
        self.action_space = spaces.Box(0.0, 1.0, (self.batch.n_actions,), np.float32)
        self.render_mode = None

    def reset(
        self, *, seed: int | None = None, options: dict | None = None
    ) -> tuple[np.ndarray, dict]:
        """Put all items up; a seed makes the buyers repeatable."""
        super().reset(seed=seed)
        self.batch.rng = self.np_random
        return self.batch.reset()[0], {}

    def step(self, action: object) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Show the next buyer a menu."""
        prices = np.asarray(action, float) * self.batch.scale
        done = self.batch.step(prices[None])
        info = {"bundle": int(done.taken[0] @ (1 << np.arange(done.taken.shape[1])))}
        return done.seen[0], float(done.payments[0]), done.done, False, info


gymnasium.register(
    "econlib/SequentialAuction-v0", f"{__name__}:{SequentialAuctionEnv.__name__}"
)
