r"""The Coin Game solved: a torus looks the same from everywhere.

Only differences matter, so Red may stand at the origin: a state is Blue's cell
:math:`b`, the coin's cell :math:`k` and its colour :math:`c`, which makes
:math:`2n^4` states, 162 on a 3 × 3 board and 4802 on a 7 × 7 one.  With joint action
:math:`\mathbf a=(a_1,a_2)` at index :math:`4a_1+a_2`, a pick-up leads to a uniformly
drawn free cell and anything else to one known state, so that expected continuations

.. math::

   (\mathcal PV)(s,\mathbf a)=\mathbb E[V(s')\mid s,\mathbf a]

are look-ups.  Policies are evaluated by one sparse linear system
:math:`(I-\gamma P_\pi)V=r_\pi`, optima found by policy iteration, and an episode's
undiscounted total by :math:`T` matrix products.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.sparse.linalg import gmres

from econlib.contracts.coin_game import MOVES, CoinRules

__all__ = ["CoinQuotient", "first_best", "joint", "pure"]

#: Differences below this count as ties, which the lowest index wins.
TIE = 1e-8
_DENSE = 700


class CoinQuotient:
    r"""All boards of a Coin Game with Red at the origin.

    Parameters
    ----------
    rules : CoinRules, optional
        The book's default if left out.
    gamma : float
        Discount factor, [0, 1).

    Attributes
    ----------
    n_states : int
        :math:`2n^4`.
    reward : ndarray, shape (n_states, 16, 2)
        Expected rewards of Red and Blue.
    swap : ndarray, shape (n_states,)
        The same board as Blue sees it: with Blue at the origin and colours exchanged.
    start : ndarray, shape (n_states,)
        Law of the first state.
    next_state, picked : ndarray, shape (n_states, 16)
        Where players end if the coin stays, and who stands on it: 0 nobody, 1 Red,
        2 Blue, 3 both.

    Raises
    ------
    ValueError
        ``gamma`` out of range.

    Examples
    --------
    >>> board = CoinQuotient()
    >>> board.n_states, float(board.start.sum().round(12))
    (162, 1.0)
    """

    def __init__(self, rules: CoinRules | None = None, gamma: float = 0.99) -> None:
        if not 0 <= gamma < 1:
            raise ValueError(f"gamma = {gamma}: expected 0 to less than 1")
        self.rules = CoinRules() if rules is None else rules
        self.gamma = gamma
        n = self.rules.size
        cells = n * n
        self.n_states = 2 * cells * cells
        s = np.arange(self.n_states)
        self.blue, self.coin, self.colour = s // 2 // cells, s // 2 % cells, s % 2
        red_move, blue_move = np.divmod(np.arange(16), 4)
        add = _adder(n)
        inverse = add_inverse(n)
        step = MOVES % n @ np.array([n, 1])
        back = inverse[step]
        blue = add[add[self.blue[:, None], step[blue_move]], back[red_move]]
        coin = add[self.coin[:, None], back[red_move]]
        self.next_state = (blue * cells + coin) * 2 + self.colour[:, None]
        self.picked = (coin == 0) + 2 * (coin == blue)
        self._respawn = blue * 2 + self.colour[:, None]
        self.reward = self._rewards()
        seen_coin = add[self.coin, inverse[self.blue]]
        self.swap = (inverse[self.blue] * cells + seen_coin) * 2 + 1 - self.colour
        self._fresh = self._fresh_coins()
        free = (self.coin != 0) & (self.coin != self.blue) & (self.blue != 0)
        self.start = free / free.sum()

    def _rewards(self) -> Float[np.ndarray, "n_states 16 2"]:
        both = 0.5 if self.rules.pickup == "single" else 1.0
        share = np.where(self.picked == 3, both, 1.0)
        on = np.stack([self.picked & 1, self.picked >> 1], axis=-1) * share[..., None]
        own = np.arange(2) == self.colour[:, None]
        worth = np.where(own, 1.0, self.rules.other_reward)
        return on * worth[:, None, :]

    def _fresh_coins(self) -> sparse.csr_array:
        """Law of the state after a pick-up, by Blue's cell and the old colour."""
        free = (self.coin != 0) & (self.coin != self.blue)
        s = np.flatnonzero(free)
        blue, colour = self.blue[s], self.colour[s]
        weight = 1.0 / (self.rules.size**2 - 1 - (blue != 0))
        if self.rules.colour == "alternate":
            row, col, law = blue * 2 + 1 - colour, s, weight
        else:
            row = np.concatenate([blue * 2, blue * 2 + 1])
            col, law = np.tile(s, 2), np.tile(weight / 2, 2)
        shape = (2 * self.rules.size**2, self.n_states)
        return sparse.csr_array((law, (row, col)), shape=shape)

    def cont(self, values: Float[np.ndarray, " n_states"]) -> np.ndarray:
        """Expected value of the next state, shape (n_states, 16)."""
        return np.where(
            self.picked > 0,
            (self._fresh @ values)[self._respawn],
            values[self.next_state],
        )

    def transition(self, weights: Float[np.ndarray, "n_states 16"]) -> sparse.csr_array:
        """Transition matrix under joint action probabilities."""
        row, act = np.nonzero(weights)
        w = weights[row, act]
        hit = self.picked[row, act] > 0
        shape = (self.n_states, self.n_states)
        stay = sparse.csr_array(
            (w[~hit], (row[~hit], self.next_state[row, act][~hit])), shape=shape
        )
        fresh = sparse.csr_array(
            (w[hit], (row[hit], self._respawn[row, act][hit])),
            shape=(self.n_states, self._fresh.shape[0]),
        )
        return sparse.csr_array(stay + fresh @ self._fresh)

    def evaluate(
        self,
        weights: Float[np.ndarray, "n_states 16"],
        reward: Float[np.ndarray, "n_states 16"],
        guess: Float[np.ndarray, " n_states"] | None = None,
        rtol: float = 1e-12,
    ) -> Float[np.ndarray, " n_states"]:
        r"""Discounted value of a joint policy, :math:`(I-\gamma P_\pi)^{-1}r_\pi`.

        Boards of more than 700 states use GMRES, from ``guess``, to ``rtol``.

        Raises
        ------
        RuntimeError
            The iterative solver stopped short; its residual is in the message.
        """
        paid = (weights * reward).sum(axis=1)
        matrix = self.transition(weights)
        if self.n_states <= _DENSE:
            system = np.eye(self.n_states) - self.gamma * matrix.toarray()
            return np.linalg.solve(system, paid)
        system = sparse.eye_array(self.n_states, format="csr") - self.gamma * matrix
        value, status = gmres(
            system, paid, x0=guess, rtol=rtol, atol=1e-12, restart=60, maxiter=40
        )
        left = np.abs(paid - system @ value).max()
        if status and left > max(1e-9, 100 * rtol):
            raise RuntimeError(
                f"gmres stopped with status {status}, residual {left:.1e}"
            )
        return value

    def rollout(
        self,
        weights: Float[np.ndarray, "n_states 16"],
        reward: Float[np.ndarray, "n_states 16"],
        horizon: int | None = None,
    ) -> float:
        """Expected undiscounted total of an episode from a drawn first state."""
        paid = (weights * reward).sum(axis=1)
        matrix, total = self.transition(weights), np.zeros(self.n_states)
        for _ in range(self.rules.horizon if horizon is None else horizon):
            total = paid + matrix @ total
        return float(self.start @ total)

    def finite_optimum(self, horizon: int | None = None) -> float:
        """Largest expected welfare of an episode, by backward induction."""
        welfare, total = self.reward.sum(axis=-1), np.zeros(self.n_states)
        for _ in range(self.rules.horizon if horizon is None else horizon):
            total = (welfare + self.cont(total)).max(axis=1)
        return float(self.start @ total)

    def optimum(
        self,
        reward: Float[np.ndarray, "n_states 16"],
        initial: Int[np.ndarray, " n_states"] | None = None,
        max_iter: int = 60,
    ) -> tuple[Int[np.ndarray, " n_states"], Float[np.ndarray, "n_states 16"]]:
        """Joint policy of the largest discounted value, and its Q, by policy iteration.

        Parameters
        ----------
        reward : ndarray, shape (n_states, 16)
            To be maximised.
        initial : ndarray, shape (n_states,), optional
            Joint actions from which to start; they survive ties.
        max_iter : int
            Most improvements.
        """
        act = np.argmax(reward, axis=1) if initial is None else initial.copy()
        every, value = np.arange(self.n_states), None
        for _ in range(max_iter):
            weights = np.zeros((self.n_states, 16))
            weights[every, act] = 1
            value = self.evaluate(weights, reward, value)
            q = reward + self.gamma * self.cont(value)
            better = q.max(axis=1) > q[every, act] + TIE
            if not better.any():
                break
            act = np.where(better, first_best(q), act)
        return act, q

    def best_response(
        self,
        player: int,
        other: Float[np.ndarray, "n_states 4"],
        reward: Float[np.ndarray, "n_states 16"],
        max_iter: int = 60,
    ) -> Float[np.ndarray, "n_states 4"]:
        """Optimal Q of one player while the other keeps a policy.

        Parameters
        ----------
        player : {0, 1}
            Red or Blue.
        other : ndarray, shape (n_states, 4)
            The other's action probabilities.
        reward : ndarray, shape (n_states, 16)
            The player's, payments included if there are any.
        max_iter : int
            Most improvements.
        """
        q = self.one_shot(player, other, reward)
        act, every, value = q.argmax(axis=1), np.arange(self.n_states), None
        for _ in range(max_iter):
            mine = pure(act)
            pair = (mine, other) if player == 0 else (other, mine)
            value = self.evaluate(joint(*pair), reward, value)
            q = self.one_shot(player, other, reward + self.gamma * self.cont(value))
            better = q.max(axis=1) > q[every, act] + TIE
            if not better.any():
                break
            act = np.where(better, q.argmax(axis=1), act)
        return q

    def one_shot(
        self,
        player: int,
        other: Float[np.ndarray, "n_states 4"],
        joint_q: Float[np.ndarray, "n_states 16"],
    ) -> Float[np.ndarray, "n_states 4"]:
        """Expected joint Q by the player's own action."""
        table = joint_q.reshape(-1, 4, 4)
        rule = "sab,sb->sa" if player == 0 else "sab,sa->sb"
        return np.einsum(rule, table, other)


def pure(actions: Int[np.ndarray, " n_states"]) -> Float[np.ndarray, "n_states 4"]:
    """Action probabilities of a deterministic policy of one player."""
    return np.eye(4)[actions]


def joint(
    red: Float[np.ndarray, "n_states 4"], blue: Float[np.ndarray, "n_states 4"]
) -> Float[np.ndarray, "n_states 16"]:
    """Joint action probabilities of two policies that draw independently."""
    return (red[:, :, None] * blue[:, None, :]).reshape(-1, 16)


def first_best(
    q: Float[np.ndarray, "n_states n_actions"],
) -> Int[np.ndarray, " n_states"]:
    """Lowest index among the best ones, with differences below 1e-8 as ties."""
    return np.argmax(q >= q.max(axis=1, keepdims=True) - TIE, axis=1)


def add_inverse(n: int) -> Int[np.ndarray, " n_cells"]:
    """Cell opposite each cell of the torus."""
    x, y = np.divmod(np.arange(n * n), n)
    return (-x) % n * n + (-y) % n


def _adder(n: int) -> Int[np.ndarray, "n_cells n_cells"]:
    """Sum of two cells of the torus."""
    x, y = np.divmod(np.arange(n * n), n)
    return (x[:, None] + x) % n * n + (y[:, None] + y) % n
