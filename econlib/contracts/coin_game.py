r"""The Coin Game on a torus, many boards at once.

Red and Blue move at the same time on an :math:`n\times n` torus, one step up, down, to
the right or to the left.  A board has one coin, red or blue.  Whoever steps on it picks
it up and earns 1 if the coin has the player's colour, ``other_reward`` if not; then a
new coin appears on a uniformly drawn cell without a player.

Two rules differ between published versions.  If both players step on the coin at once,
either both earn (``pickup="share"``) or a fair draw decides who does
(``pickup="single"``).  The new coin's colour is drawn (``colour="random"``) or is the
other one (``colour="alternate"``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["MOVES", "CoinGame", "CoinRules"]

#: The four moves as (row, column) steps: right, left, down, up.
MOVES = np.array([(0, 1), (0, -1), (1, 0), (-1, 0)])


@dataclass(frozen=True)
class CoinRules:
    """Rules of a Coin Game.

    Parameters
    ----------
    size : int
        Cells along a side of the torus, 2 to 12.
    horizon : int
        Steps of an episode, 1 to 1000.
    pickup : {"single", "share"}
        Who earns if both players step on the coin: one of them, drawn, or both.
    colour : {"random", "alternate"}
        Colour of the next coin: drawn, or the other one.
    other_reward : float
        What a coin of the other player's colour is worth, 0 to 1.

    Raises
    ------
    ValueError
        A parameter out of range.

    Examples
    --------
    >>> CoinRules(size=7, horizon=50).pickup
    'single'
    """

    size: int = 3
    horizon: int = 20
    pickup: str = "single"
    colour: str = "random"
    other_reward: float = 0.2

    def __post_init__(self) -> None:
        faults = []
        for name, value, low, high in (
            ("size", self.size, 2, 12),
            ("horizon", self.horizon, 1, 1000),
        ):
            if not low <= value <= high:
                faults.append(f"{name} = {value}: expected an integer, {low} to {high}")
        for name, value, known in (
            ("pickup", self.pickup, ("single", "share")),
            ("colour", self.colour, ("random", "alternate")),
        ):
            if value not in known:
                faults.append(f"{name} = {value!r}: expected {known[0]} or {known[1]}")
        if not 0 <= self.other_reward <= 1:
            faults.append(f"other_reward = {self.other_reward}: expected 0 to 1")
        if faults:
            raise ValueError("; ".join(faults))


class CoinGame:
    """Boards that step together.

    Parameters
    ----------
    n_envs : int
        Boards, at least 1.
    rules : CoinRules, optional
        The book's default if left out.
    seed : int, optional
        Of the draws of all boards.

    Attributes
    ----------
    places : ndarray, shape (n_envs, 3)
        Cells of Red, Blue and the coin; cell ``x * size + y`` is row x, column y.
    colours : ndarray, shape (n_envs,)
        0 for a red coin, 1 for a blue one.
    t : int
        Steps since the last reset.

    Raises
    ------
    ValueError
        Fewer than one board.

    Examples
    --------
    >>> game = CoinGame(1000, seed=0)
    >>> rewards, picked = game.step(np.zeros((1000, 2), int))
    >>> rewards.shape, bool(abs(picked.mean() - 2 / 7) < 0.06)
    ((1000, 2), True)
    """

    def __init__(
        self, n_envs: int, rules: CoinRules | None = None, seed: int | None = None
    ) -> None:
        if n_envs < 1:
            raise ValueError(f"n_envs = {n_envs}: expected an integer, at least 1")
        self.n_envs = n_envs
        self.rules = CoinRules() if rules is None else rules
        self.rng = np.random.default_rng(seed)
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        """Put players on distinct cells and a coin of a drawn colour on a free one."""
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        n_cells, n_envs = self.rules.size**2, self.n_envs
        self.places = np.zeros((n_envs, 3), np.int64)
        self.places[:, 0] = self.rng.integers(n_cells, size=n_envs)
        shift = self.rng.integers(1, n_cells, size=n_envs)
        self.places[:, 1] = (self.places[:, 0] + shift) % n_cells
        self.colours = self.rng.integers(2, size=n_envs)
        self._drop(np.ones(n_envs, bool))
        self.t = 0

    def step(
        self, actions: Int[np.ndarray, "n_envs 2"]
    ) -> tuple[Float[np.ndarray, "n_envs 2"], Bool[np.ndarray, " n_envs"]]:
        """Move both players of every board.

        Parameters
        ----------
        actions : ndarray, shape (n_envs, 2)
            Index into ``MOVES`` of Red and of Blue.

        Returns
        -------
        rewards : ndarray, shape (n_envs, 2)
            Of Red and Blue.
        picked : ndarray, shape (n_envs,)
            Boards whose coin was picked up.
        """
        n = self.rules.size
        step = MOVES[actions]
        row = (self.places[:, :2] // n + step[..., 0]) % n
        column = (self.places[:, :2] % n + step[..., 1]) % n
        self.places[:, :2] = row * n + column
        on = self.places[:, :2] == self.places[:, 2:]
        picked = on.any(axis=1)
        both = on.all(axis=1)
        if self.rules.pickup == "single" and both.any():
            lucky = self.rng.integers(2, size=self.n_envs)
            on = on & ~(both[:, None] & (np.arange(2) != lucky[:, None]))
        own = np.arange(2) == self.colours[:, None]
        rewards = on * np.where(own, 1.0, self.rules.other_reward)
        if self.rules.colour == "random":
            fresh = self.rng.integers(2, size=self.n_envs)
        else:
            fresh = 1 - self.colours
        self.colours = np.where(picked, fresh, self.colours)
        self._drop(picked)
        self.t += 1
        return rewards, picked

    def relative(self) -> Int[np.ndarray, " n_envs"]:
        r"""Index of each board among the :math:`2n^4` ones with Red at the origin.

        With :math:`b` and :math:`k` the cells of Blue and of the coin as seen from Red
        and :math:`c` the colour, the index is :math:`2(n^2b+k)+c`.
        """
        n = self.rules.size
        row, column = self.places // n, self.places % n
        seen = (row - row[:, :1]) % n * n + (column - column[:, :1]) % n
        return (seen[:, 1] * n * n + seen[:, 2]) * 2 + self.colours

    def channels(self, player: int) -> Float[np.ndarray, "n_envs 4 size size"]:
        """Boards as a player sees them: me, the other, my coin, the other's coin."""
        n = self.rules.size
        out = np.zeros((self.n_envs, 4, n * n), np.float32)
        every = np.arange(self.n_envs)
        out[every, 0, self.places[:, player]] = 1
        out[every, 1, self.places[:, 1 - player]] = 1
        out[every, np.where(self.colours == player, 2, 3), self.places[:, 2]] = 1
        return out.reshape(self.n_envs, 4, n, n)

    def _drop(self, where: Bool[np.ndarray, " n_envs"]) -> None:
        """Drop a coin on a cell without a player on the boards named."""
        boards = np.flatnonzero(where)
        low = self.places[boards, :2].min(axis=1)
        high = self.places[boards, :2].max(axis=1)
        apart = (low < high).astype(int)
        draw = self.rng.integers(self.rules.size**2 - 1 - apart)
        draw = draw + (draw >= low)
        self.places[boards, 2] = draw + apart * (draw >= high)
