r"""Algorithm 3 with tables: learn contracts, then try them on fresh selfish learners.

**Training.**  Each episode draws who follows, :math:`f\in\{0,1\}^2`.  A follower plays
the principal's recommendation from :math:`q(s_i,\cdot)`, the other its selfish action
from :math:`Q((s_i,f_{-i}),\cdot)`, both with exploration, and after each step

.. math::

   b_i&=\max_aQ((s_i,1),a)-Q((s_i,1),a_i),\\
   \textstyle\sum_iq(s_i,a_i)&\to\textstyle\sum_i\big(r_i-\alpha b_i
   +\gamma\max_{a'}q(s_i',a')\big),\\
   Q((s_i,f_{-i}),a_i)&\to r_i+\gamma\max_{a'}Q((s_i',f_{-i}),a').

Tables are shared: :math:`s_i` is the board as player :math:`i` sees it.  The sum in
the second line is what makes the principal's table a value decomposition (VDN).

**Validation.**  The contracts are frozen.  Fresh learners, one table each, see the
board and their recommendation, earn :math:`r_i`, and if they follow also
:math:`b_i((s_i,f_{-i}))` plus a nudge, with :math:`f_{-i}` whether the other followed.

Updates are made after every step of every board, without replay; a value is carried
over the end of an episode, since players do not see time.  The principal's targets come
from a copy of its table made at the start of each episode: without one, a table that is
shared and updated at once can run away (values of 4000 where 69 is possible).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit

from econlib.contracts.coin_exact import CoinQuotient
from econlib.contracts.coin_judge import LearnedContracts

__all__ = ["TabularRun", "ValidationRun", "train_tabular", "validate_tabular"]


@dataclass(frozen=True)
class TabularRun:
    """Tables kept while the principal learns.

    Attributes
    ----------
    steps : ndarray, shape (n_kept,)
        Steps of all boards together when a row was kept.
    q : ndarray, shape (n_kept, n_states, 4)
        The principal's.
    phi : ndarray, shape (n_kept, 2, n_states, 4)
        The agents', by whether the other follows.
    """

    steps: np.ndarray
    q: Float[np.ndarray, "n_kept n_states 4"]
    phi: Float[np.ndarray, "n_kept 2 n_states 4"]


@dataclass(frozen=True)
class ValidationRun:
    """Tables kept while fresh players learn.

    Attributes
    ----------
    steps : ndarray, shape (n_kept,)
        Steps of all boards together when a row was kept.
    psi : ndarray, shape (n_kept, 2, n_states, 4)
        Of Red and of Blue, each as seen from its own side.
    """

    steps: np.ndarray
    psi: Float[np.ndarray, "n_kept 2 n_states 4"]


@njit(cache=True)
@no_type_check
def _best(table, x):
    """Index of the first largest entry of a row."""
    best = 0
    for a in range(1, 4):
        if table[x, a] > table[x, best]:
            best = a
    return best


@njit(cache=True)
@no_type_check
def _step(s, act, next_state, picked, cells, single, alternate, other, u, rewards):
    """Play a joint action: fill ``rewards`` and return the next state.

    ``u`` (3,) are uniform draws: who gets the coin, its next cell, and its colour.
    """
    code, fresh, colour = picked[s, act], next_state[s, act], s % 2
    rewards[0] = 0.0
    rewards[1] = 0.0
    if code == 0:
        return fresh
    if code == 3 and single:
        code = 1 if u[0] < 0.5 else 2
    if code % 2 == 1:
        rewards[0] = 1.0 if colour == 0 else other
    if code >= 2:
        rewards[1] = 1.0 if colour == 1 else other
    blue = fresh // 2 // cells
    k = 1 + int(u[1] * (cells - (1 if blue == 0 else 2)))
    if blue != 0 and k >= blue:
        k += 1
    if alternate:
        colour = 1 - colour
    else:
        colour = 1 if u[2] < 0.5 else 0
    return (blue * cells + k) * 2 + colour


@njit(cache=True)
@no_type_check
def _train(game, states, follows, draws, q, phi, held, gamma, alpha, lr, eps):
    """One episode of training on all boards, in place."""
    next_state, picked, swap, cells, single, alternate, other = game
    rewards, own = np.zeros(2), np.zeros(2, np.int64)
    mine, after = np.zeros(2, np.int64), np.zeros(2, np.int64)
    phi0, phi1 = phi[0], phi[1]
    for t in range(draws.shape[0]):
        for e in range(draws.shape[1]):
            u, s = draws[t, e], states[e]
            mine[0], mine[1] = s, swap[s]
            for i in range(2):
                if u[3 + i] < eps:
                    own[i] = int(u[3 + i] / eps * 4)
                elif follows[e, i]:
                    own[i] = _best(q, mine[i])
                elif follows[e, 1 - i]:
                    own[i] = _best(phi1, mine[i])
                else:
                    own[i] = _best(phi0, mine[i])
            act = own[0] * 4 + own[1]
            fresh = _step(
                s, act, next_state, picked, cells, single, alternate, other, u, rewards
            )
            after[0], after[1] = fresh, swap[fresh]
            error = 0.0
            for i in range(2):
                x, y, a = mine[i], after[i], own[i]
                error += rewards[i] + gamma * held[y, _best(held, y)] - q[x, a]
                error -= alpha * (phi1[x, _best(phi1, x)] - phi1[x, a])
            for i in range(2):
                x, y, a = mine[i], after[i], own[i]
                q[x, a] += lr / 2 * error
                table = phi1 if follows[e, 1 - i] else phi0
                goal = rewards[i] + gamma * table[y, _best(table, y)]
                table[x, a] += lr * (goal - table[x, a])
            states[e] = fresh


@njit(cache=True)
@no_type_check
def _validate(game, states, draws, advice, pay, red, blue, gamma, lr, eps):
    """One episode of validation on all boards, in place."""
    next_state, picked, swap, cells, single, alternate, other = game
    rewards, own = np.zeros(2), np.zeros(2, np.int64)
    mine, after = np.zeros(2, np.int64), np.zeros(2, np.int64)
    for t in range(draws.shape[0]):
        for e in range(draws.shape[1]):
            u, s = draws[t, e], states[e]
            mine[0], mine[1] = s, swap[s]
            for i in range(2):
                if u[3 + i] < eps:
                    own[i] = int(u[3 + i] / eps * 4)
                else:
                    own[i] = _best(red if i == 0 else blue, mine[i])
            act = own[0] * 4 + own[1]
            fresh = _step(
                s, act, next_state, picked, cells, single, alternate, other, u, rewards
            )
            after[0], after[1] = fresh, swap[fresh]
            for i in range(2):
                x, y, a = mine[i], after[i], own[i]
                if a == advice[x]:
                    f = 1 if own[1 - i] == advice[mine[1 - i]] else 0
                    rewards[i] += pay[f, x]
                table = red if i == 0 else blue
                goal = rewards[i] + gamma * table[y, _best(table, y)]
                table[x, a] += lr * (goal - table[x, a])
            states[e] = fresh


def train_tabular(
    board: CoinQuotient,
    steps: int = 20_000,
    n_envs: int = 256,
    alpha: float = 0.1,
    seed: int = 0,
    n_kept: int = 10,
    lr: tuple[float, float] = (0.2, 0.005),
    eps: tuple[float, float] = (0.4, 0.05),
) -> TabularRun:
    """Train the principal's table and the agents'.

    Parameters
    ----------
    board : CoinQuotient
        The game, its horizon and its discount factor.
    steps, n_envs : int
        Steps, of so many boards at once.
    alpha : float
        Weight of payments against welfare, at least 0.
    seed : int
        Of all draws.
    n_kept : int
        How often tables are kept, evenly; the last are those at the end.
    lr, eps : (float, float)
        First and last step size (exponential) and share of random actions (linear).

    Raises
    ------
    ValueError
        A parameter out of range.
    """
    _check(steps, n_envs, n_kept)
    if not alpha >= 0:
        raise ValueError(f"alpha = {alpha}: expected a number, at least 0")
    rng, game = np.random.default_rng([seed, 1]), _tables(board)
    q, phi = np.zeros((board.n_states, 4)), np.zeros((2, board.n_states, 4))
    kept = _Keeper(steps, n_kept, board.rules.horizon)
    for start, length in kept.episodes:
        follows = rng.random((n_envs, 2)) < 0.5
        states = rng.choice(board.n_states, size=n_envs, p=board.start)
        draws = rng.random((length, n_envs, 5))
        rates = _at(start / steps, lr, eps)
        _train(
            game, states, follows, draws, q, phi, q.copy(), board.gamma, alpha, *rates
        )
        kept.offer(start + length, q, phi)
    return TabularRun(kept.when * n_envs, *kept.stacked())


def validate_tabular(
    board: CoinQuotient,
    contracts: LearnedContracts,
    nudge: float = 0.0,
    steps: int = 20_000,
    n_envs: int = 256,
    seed: int = 0,
    n_kept: int = 10,
    lr: tuple[float, float] = (0.2, 0.005),
    eps: tuple[float, float] = (0.4, 0.0),
) -> ValidationRun:
    """Train fresh selfish players under frozen contracts.

    Parameters
    ----------
    board : CoinQuotient
        The game.
    contracts : LearnedContracts
        Recommendations and payments.
    nudge : float
        Added to every payment, in units of reward, at least 0.
    steps, n_envs, seed, n_kept, lr, eps
        As in :func:`train_tabular`.

    Raises
    ------
    ValueError
        A parameter out of range.
    """
    _check(steps, n_envs, n_kept)
    if not nudge >= 0:
        raise ValueError(f"nudge = {nudge}: expected a number, at least 0")
    rng, game = np.random.default_rng([seed, 2]), _tables(board)
    psi = np.zeros((2, board.n_states, 4))
    advice, pay = contracts.advice, contracts.pay + nudge
    kept = _Keeper(steps, n_kept, board.rules.horizon)
    for start, length in kept.episodes:
        states = rng.choice(board.n_states, size=n_envs, p=board.start)
        draws = rng.random((length, n_envs, 5))
        rates = _at(start / steps, lr, eps)
        _validate(game, states, draws, advice, pay, *psi, board.gamma, *rates)
        kept.offer(start + length, psi)
    return ValidationRun(kept.when * n_envs, *kept.stacked())


class _Keeper:
    """Split steps into episodes and keep tables at even distances."""

    def __init__(self, steps: int, n_kept: int, horizon: int) -> None:
        starts = range(0, steps, horizon)
        self.episodes = [(t, min(horizon, steps - t)) for t in starts]
        self._due = np.ceil(steps * np.arange(1, n_kept + 1) / n_kept).astype(int)
        self._rows: list[tuple] = []
        self._when: list[int] = []

    def offer(self, t: int, *tables: np.ndarray) -> None:
        """Copy the tables if a row is due; one copy stands for all that are."""
        if len(self._when) < len(self._due) and t >= self._due[len(self._when)]:
            row = tuple(table.copy() for table in tables)
            while len(self._when) < len(self._due) and t >= self._due[len(self._when)]:
                self._when.append(t)
                self._rows.append(row)

    @property
    def when(self) -> np.ndarray:
        """Steps at which rows were kept."""
        return np.array(self._when)

    def stacked(self) -> list[np.ndarray]:
        """Rows of each table."""
        return [np.stack(rows) for rows in zip(*self._rows, strict=True)]


def _at(
    done: float, lr: tuple[float, float], eps: tuple[float, float]
) -> tuple[float, float]:
    """Step size and share of random actions after a share of the training."""
    return lr[0] * (lr[1] / lr[0]) ** done, eps[0] + (eps[1] - eps[0]) * done


def _tables(board: CoinQuotient) -> tuple:
    rules = board.rules
    single, alternate = rules.pickup == "single", rules.colour == "alternate"
    cells, other = rules.size**2, float(rules.other_reward)
    return (
        *(board.next_state, board.picked, board.swap),
        *(cells, single, alternate, other),
    )


def _check(steps: int, n_envs: int, n_kept: int) -> None:
    for name, value in (("steps", steps), ("n_envs", n_envs), ("n_kept", n_kept)):
        if value < 1:
            raise ValueError(f"{name} = {value}: expected an integer, at least 1")
    if n_kept > steps:
        raise ValueError(f"n_kept = {n_kept}: expected at most the steps, {steps}")
