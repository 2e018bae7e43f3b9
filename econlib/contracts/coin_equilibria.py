r"""What players and the principal do in the Coin Game, solved with its quotient.

The principal recommends :math:`\sigma` and pays those who follow.  Let
:math:`Q_i(s,a\mid\sigma_{-i})` be player :math:`i`'s best-response Q without payments
against the others' recommended play.  The cheapest payments that make following optimal
are

.. math::

   b_i(s)=\max_aQ_i(s,a\mid\sigma_{-i})-Q_i(s,\sigma_i(s)\mid\sigma_{-i}),

and the principal maximises
:math:`\mathbb E\sum_t\gamma^t\big(\sum_ir_i-\alpha\sum_ib_i(s,a_i)\big)` with the
:math:`Q_i` held fixed.  A fixed point of the two steps is a subgame-perfect equilibrium
among stationary strategies; the iteration may cycle, which is reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from econlib.contracts.coin_exact import CoinQuotient, joint, pure

__all__ = [
    "CoinOutcome",
    "Contracts",
    "MarkovEquilibrium",
    "constant_proportion",
    "contract_ratios",
    "markov_equilibrium",
    "minimal_payments",
    "outcome",
    "principal_fixed_point",
]


@dataclass(frozen=True)
class Contracts:
    """Recommendations and payments at a fixed point, or where a cycle was left.

    Attributes
    ----------
    recommend : ndarray, shape (n_states, 2)
        Recommended actions.
    q_agents : ndarray, shape (2, n_states, 4)
        Best-response Q of Red and Blue, no payments.
    payments : ndarray, shape (2, n_states)
        To a player who follows, the other following.
    converged : bool
        Whether the recommendations repeat themselves.
    n_steps : int
        Rounds, the confirming one included.
    period : int
        Length of the cycle; 1 at a fixed point, 0 if none was seen.
    gain : float
        Most that the principal would gain, in any state and discounted, by its best
        recommendations against the agents' values; 0 at a fixed point.
    """

    recommend: Int[np.ndarray, "n_states 2"]
    q_agents: Float[np.ndarray, "2 n_states 4"]
    payments: Float[np.ndarray, "2 n_states"]
    converged: bool
    n_steps: int
    period: int
    gain: float


@dataclass(frozen=True)
class MarkovEquilibrium:
    """A Markov equilibrium without payments, as far as it was found.

    Attributes
    ----------
    red, blue : ndarray, shape (n_states, 4)
        Action probabilities.
    regret : float
        Largest one-shot gain of a player in any state, discounted.
    n_steps : int
        Rounds.
    """

    red: Float[np.ndarray, "n_states 4"]
    blue: Float[np.ndarray, "n_states 4"]
    regret: float
    n_steps: int


@dataclass(frozen=True)
class CoinOutcome:
    """Expected totals of an episode.

    Attributes
    ----------
    welfare : float
        Sum of both players' rewards in the game.
    paid : float
        Payments to players who follow.
    follow : float
        Share of recommendations followed.
    coins, wrong : float
        Coins picked up, and those of the other player's colour.
    """

    welfare: float
    paid: float
    follow: float
    coins: float
    wrong: float

    @property
    def share(self) -> float:
        """Share of welfare that is paid."""
        return self.paid / self.welfare if self.welfare > 0 else float("nan")


def minimal_payments(
    q: Float[np.ndarray, "n_states 4"], recommend: Int[np.ndarray, " n_states"]
) -> Float[np.ndarray, " n_states"]:
    """Cheapest payments that make the recommended actions optimal."""
    return q.max(axis=1) - q[np.arange(len(q)), recommend]


def principal_fixed_point(
    board: CoinQuotient,
    alpha: float = 0.1,
    initial: Int[np.ndarray, "n_states 2"] | None = None,
    max_iter: int = 8,
) -> Contracts:
    """Alternate the agents' best responses and the principal's optimal contracts.

    Parameters
    ----------
    board : CoinQuotient
        The game.
    alpha : float
        Weight of payments against welfare, at least 0.
    initial : ndarray, shape (n_states, 2), optional
        First recommendations; those of the welfare optimum if left out.
    max_iter : int
        Most rounds.

    Returns
    -------
    Contracts
        Those of the round in which the principal has least to gain.

    Raises
    ------
    ValueError
        A negative weight.
    """
    if not alpha >= 0:
        raise ValueError(f"alpha = {alpha}: expected a number, at least 0")
    welfare = board.reward.sum(axis=-1)
    if initial is None:
        act, _ = board.optimum(welfare)
    else:
        act = initial[:, 0] * 4 + initial[:, 1]
    seen: list[bytes] = []
    period, every, kept = 0, np.arange(board.n_states), None
    while len(seen) < max_iter:
        seen.append(act.tobytes())
        q = _responses(board, act)
        gaps = q.max(axis=2, keepdims=True) - q
        due = (gaps[0][:, :, None] + gaps[1][:, None, :]).reshape(-1, 16)
        goal = welfare - alpha * due
        fresh, values = board.optimum(goal, act)
        weights = np.zeros((board.n_states, 16))
        weights[every, act] = 1
        gain = float((values.max(axis=1) - board.evaluate(weights, goal)).max())
        if kept is None or gain < kept[0]:
            kept = (gain, act, q)
        if fresh.tobytes() in seen:
            period = len(seen) - seen.index(fresh.tobytes())
            break
        act = fresh
    gain, act, q = kept
    pair = np.stack(np.divmod(act, 4), axis=1)
    pay = np.stack([minimal_payments(q[i], pair[:, i]) for i in range(2)])
    return Contracts(pair, q, pay, period == 1, len(seen), period, max(gain, 0.0))


def _responses(
    board: CoinQuotient, act: Int[np.ndarray, " n_states"]
) -> Float[np.ndarray, "2 n_states 4"]:
    """Best-response Q of both players against recommended joint actions."""
    red, blue = np.divmod(act, 4)
    mine = board.best_response(0, pure(blue), board.reward[..., 0])
    theirs = board.best_response(1, pure(red), board.reward[..., 1])
    return np.stack([mine, theirs])


def outcome(
    board: CoinQuotient,
    red: Float[np.ndarray, "n_states 4"],
    blue: Float[np.ndarray, "n_states 4"],
    recommend: Int[np.ndarray, "n_states 2"] | None = None,
    payments: Float[np.ndarray, "2 2 n_states"] | None = None,
) -> CoinOutcome:
    """Exact expected totals of an episode.

    Parameters
    ----------
    board : CoinQuotient
        The game.
    red, blue : ndarray, shape (n_states, 4)
        Action probabilities.
    recommend : ndarray, shape (n_states, 2), optional
        Recommended actions.
    payments : ndarray, shape (2, 2, n_states), optional
        ``payments[i, f]``: to player i for following, if the other does (1) or not (0).
    """
    weights = joint(red, blue)
    welfare = board.rollout(weights, board.reward.sum(axis=-1))
    on = board.picked > 0
    wrong = board.reward[..., 0] * (board.colour == 1)[:, None]
    wrong = wrong + board.reward[..., 1] * (board.colour == 0)[:, None]
    coins = board.rollout(weights, on.astype(float))
    other = board.rules.other_reward
    missed = board.rollout(weights, wrong) / other if other > 0 else float("nan")
    if recommend is None:
        return CoinOutcome(welfare, 0.0, float("nan"), coins, missed)
    a, b = np.divmod(np.arange(16), 4)
    follows = np.stack([a == recommend[:, :1], b == recommend[:, 1:]]).astype(float)
    count = board.rollout(weights, follows.sum(axis=0)) / (2 * board.rules.horizon)
    paid = 0.0
    if payments is not None:
        paid = board.rollout(weights, _paid(follows, payments).sum(axis=0))
    return CoinOutcome(welfare, paid, count, coins, missed)


def _paid(
    follows: Float[np.ndarray, "2 n_states 16"],
    payments: Float[np.ndarray, "2 2 n_states"],
) -> Float[np.ndarray, "2 n_states 16"]:
    """Payments to each player by state and joint action."""
    out = []
    for i in range(2):
        other = follows[1 - i]
        by = other * payments[i, 1][:, None] + (1 - other) * payments[i, 0][:, None]
        out.append(follows[i] * by)
    return np.stack(out)


def contract_ratios(
    board: CoinQuotient,
    recommend: Int[np.ndarray, "n_states 2"],
    pay: Float[np.ndarray, " n_states"],
    red: Float[np.ndarray, "n_states 4"],
) -> float:
    r"""Blue's value of following over the best Blue can get, Red's play being given.

    With Red's recommended play this is the *SPE ratio*, with Red's selfish play the
    *IC ratio*; both count payments, are discounted for ever, and averaged over first
    states.

    Parameters
    ----------
    board : CoinQuotient
        The game.
    recommend : ndarray, shape (n_states, 2)
        Recommended actions.
    pay : ndarray, shape (n_states,)
        What Blue gets for following.
    red : ndarray, shape (n_states, 4)
        Red's action probabilities.
    """
    follows = np.arange(16) % 4 == recommend[:, 1:]
    reward = board.reward[..., 1] + follows * pay[:, None]
    stays = board.evaluate(joint(red, pure(recommend[:, 1])), reward)
    best = board.best_response(1, red, reward).max(axis=1)
    return float(board.start @ stays) / float(board.start @ best)


def constant_proportion(
    board: CoinQuotient, share: float, variant: str = "others"
) -> Float[np.ndarray, "n_states 16 2"]:
    r"""Rewards if a fixed share of welfare is always handed out.

    Parameters
    ----------
    board : CoinQuotient
        The game.
    share : float
        Share of welfare paid, 0 to 1.
    variant : {"others", "equal"}
        :math:`r_i+p\sum_{j\ne i}r_j`, in which everybody cares for all at
        :math:`p=1`, or :math:`r_i+\tfrac p2\sum_jr_j`.

    Raises
    ------
    ValueError
        A share out of range or an unknown variant.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share = {share}: expected a number, 0 to 1")
    if variant not in ("others", "equal"):
        raise ValueError(f"variant = {variant!r}: expected others or equal")
    if variant == "others":
        return board.reward + share * board.reward[..., ::-1]
    return board.reward + share / 2 * board.reward.sum(axis=-1, keepdims=True)


def markov_equilibrium(
    board: CoinQuotient,
    rewards: Float[np.ndarray, "n_states 16 2"] | None = None,
    max_iter: int = 100,
    tol: float = 1e-6,
) -> MarkovEquilibrium:
    r"""Symmetric Markov equilibrium by damped best responses, with its regret.

    Both players use the same policy, each as seen from its own side.  A round mixes
    the uniform law over best one-shot actions into the policy,
    :math:`\pi\leftarrow(1-\eta_k)\pi+\eta_k\,\mathrm{unif}\arg\max_aQ^\pi`, with
    :math:`\eta_k` falling; the round of the least regret is kept.

    Parameters
    ----------
    board : CoinQuotient
        The game.
    rewards : ndarray, shape (n_states, 16, 2), optional
        Of the players; those of the game if left out.  Blue's must be Red's as seen
        from Blue's side.
    max_iter : int
        Rounds.
    tol : float
        Regret at which to stop.
    """
    red = board.reward[..., 0] if rewards is None else rewards[..., 0]
    policy, value = np.full((board.n_states, 4), 0.25), None
    best = (np.inf, policy)
    for k in range(max_iter):
        other = policy[board.swap]
        value = board.evaluate(joint(policy, other), red, value, 1e-9)
        q = board.one_shot(0, other, red + board.gamma * board.cont(value))
        regret = float((q.max(axis=1) - (policy * q).sum(axis=1)).max())
        if regret < best[0]:
            best = (regret, policy)
        if regret <= tol:
            break
        top = q >= q.max(axis=1, keepdims=True) - 1e-7
        eta = max(0.5 / (1 + k / 4), 0.02)
        policy = (1 - eta) * policy + eta * top / top.sum(axis=1, keepdims=True)
    regret, policy = best
    return MarkovEquilibrium(policy, policy[board.swap], regret, k + 1)
