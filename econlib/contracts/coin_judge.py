r"""Judge learned contracts and learned players of the Coin Game exactly.

Whatever was learnt is two tables over the boards as a player sees them, the principal's
:math:`q` and the agents' :math:`Q(\cdot,f)`.  They give recommendations
:math:`\arg\max_aq(s_i,a)` and payments
:math:`b_f(s_i)=\max_aQ((s_i,f),a)-Q((s_i,f),a^p)`, whose consequences the quotient
knows without sampling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from econlib.contracts.coin_equilibria import (
    CoinOutcome,
    contract_ratios,
    minimal_payments,
    outcome,
)
from econlib.contracts.coin_exact import CoinQuotient, pure
from econlib.contracts.coin_game import CoinGame

__all__ = [
    "LearnedContracts",
    "Verdict",
    "judge",
    "play",
    "sample_episodes",
    "share_split",
    "training_curve",
    "validation_curve",
]


@dataclass(frozen=True)
class LearnedContracts:
    """Contracts as a player sees them, the same for both.

    Attributes
    ----------
    advice : ndarray, shape (n_states,)
        Recommended action.
    pay : ndarray, shape (2, n_states)
        For following, if the other does not (0) or does (1).
    selfish : ndarray, shape (n_states,)
        What the learned agents do if nobody follows.
    """

    advice: Int[np.ndarray, " n_states"]
    pay: Float[np.ndarray, "2 n_states"]
    selfish: Int[np.ndarray, " n_states"]

    @classmethod
    def from_tables(
        cls,
        q: Float[np.ndarray, "n_states 4"],
        phi: Float[np.ndarray, "2 n_states 4"],
    ) -> LearnedContracts:
        """Read contracts off the principal's and the agents' tables."""
        advice = q.argmax(axis=1)
        pay = np.stack([minimal_payments(phi[f], advice) for f in (0, 1)])
        return cls(advice, pay, phi[0].argmax(axis=1))

    def both(self, board: CoinQuotient) -> tuple[np.ndarray, np.ndarray]:
        """Recommendations (n_states, 2) and payments (2, 2, n_states) by player."""
        advice = np.stack([self.advice, self.advice[board.swap]], axis=1)
        return advice, np.stack([self.pay, self.pay[:, board.swap]])


@dataclass(frozen=True)
class Verdict:
    """What contracts are worth, exactly.

    Attributes
    ----------
    followed : CoinOutcome
        If both follow.
    spe, ic : float
        Blue's value of following over its best, Red following, or selfish.
    """

    followed: CoinOutcome
    spe: float
    ic: float


def judge(
    board: CoinQuotient,
    contracts: LearnedContracts,
    nudge: float = 0.0,
    ratios: bool = True,
) -> Verdict:
    """Welfare and payments if both follow, and Blue's reasons to follow.

    Parameters
    ----------
    board : CoinQuotient
        The game.
    contracts : LearnedContracts
        To be judged.
    nudge : float
        Added to every payment.
    ratios : bool
        Whether to compute the two ratios; NaN if not.
    """
    advice, pay = contracts.both(board)
    red, blue = pure(advice[:, 0]), pure(advice[:, 1])
    followed = outcome(board, red, blue, advice, pay + nudge)
    if not ratios:
        return Verdict(followed, float("nan"), float("nan"))
    spe = contract_ratios(board, advice, pay[1, 1] + nudge, red)
    alone = pure(contracts.selfish)
    return Verdict(
        followed, spe, contract_ratios(board, advice, pay[1, 0] + nudge, alone)
    )


def play(
    board: CoinQuotient,
    contracts: LearnedContracts,
    psi: Float[np.ndarray, "2 n_states 4"],
    nudge: float = 0.0,
) -> CoinOutcome:
    """Exact outcome of validation players' greedy play."""
    advice, pay = contracts.both(board)
    red, blue = psi[0].argmax(axis=1), psi[1].argmax(axis=1)[board.swap]
    return outcome(board, pure(red), pure(blue), advice, pay + nudge)


def sample_episodes(
    board: CoinQuotient,
    contracts: LearnedContracts,
    psi: Float[np.ndarray, "2 n_states 4"],
    nudge: float,
    episodes: int,
    seed: int,
) -> Float[np.ndarray, "episodes 3"]:
    """Welfare, payments and share of advice followed of sampled greedy episodes.

    Parameters
    ----------
    board : CoinQuotient
        The game.
    contracts : LearnedContracts
        Frozen.
    psi : ndarray, shape (2, n_states, 4)
        The players' tables.
    nudge : float
        Added to every payment.
    episodes, seed : int
        How many, and of which draws.
    """
    advice, pay = contracts.both(board)
    greedy = np.stack(
        [psi[0].argmax(axis=1), psi[1].argmax(axis=1)[board.swap]], axis=1
    )
    game = CoinGame(episodes, board.rules, seed)
    total = np.zeros((episodes, 3))
    for _ in range(board.rules.horizon):
        s = game.relative()
        act = greedy[s]
        follows = act == advice[s]
        due = np.stack([pay[i, follows[:, 1 - i].astype(int), s] for i in range(2)], 1)
        reward, _ = game.step(act)
        total[:, 0] += reward.sum(axis=1)
        total[:, 1] += ((due + nudge) * follows).sum(axis=1)
        total[:, 2] += follows.mean(axis=1) / board.rules.horizon
    return total


def share_split(
    board: CoinQuotient,
    contracts: LearnedContracts,
    exact_share: float,
    nudge: float = 0.0,
) -> dict[str, float]:
    """Where the share of welfare paid to followers comes from.

    Parameters
    ----------
    board : CoinQuotient
        The game.
    contracts : LearnedContracts
        Whose share is split.
    exact_share : float
        Of the exact contracts.
    nudge : float
        Added to every payment.

    Returns
    -------
    dict
        ``exact``, ``advice`` (cheapest payments for the learned recommendations, less
        exact), ``values`` (learned payments less those), ``nudge`` and their ``total``.
    """
    advice, pay = contracts.both(board)
    red, blue = pure(advice[:, 0]), pure(advice[:, 1])
    due = [
        minimal_payments(board.best_response(i, other, board.reward[..., i]), mine)
        for i, other, mine in ((0, blue, advice[:, 0]), (1, red, advice[:, 1]))
    ]
    cheapest = outcome(board, red, blue, advice, np.stack([due, due], axis=1)).share
    learned = outcome(board, red, blue, advice, pay).share
    nudged = outcome(board, red, blue, advice, pay + nudge).share
    return {
        "exact": exact_share,
        "advice": cheapest - exact_share,
        "values": learned - cheapest,
        "nudge": nudged - learned,
        "total": nudged,
    }


def training_curve(
    board: CoinQuotient,
    q: Float[np.ndarray, "n_kept n_states 4"],
    phi: Float[np.ndarray, "n_kept 2 n_states 4"],
    nudge: float = 0.0,
) -> dict[str, list[float]]:
    """Exact worth of contracts kept while they were learned.

    Parameters
    ----------
    board : CoinQuotient
        The game.
    q, phi : ndarray
        Tables of the principal and of the agents.
    nudge : float
        Added to every payment.

    Returns
    -------
    dict
        ``welfare``, ``share``, ``spe`` and ``ic``, one number a row kept.
    """
    found = [
        judge(board, LearnedContracts.from_tables(a, b), nudge)
        for a, b in zip(q, phi, strict=True)
    ]
    return {
        "welfare": [v.followed.welfare for v in found],
        "share": [v.followed.share for v in found],
        "spe": [v.spe for v in found],
        "ic": [v.ic for v in found],
    }


def validation_curve(
    board: CoinQuotient,
    contracts: LearnedContracts,
    psi: Float[np.ndarray, "n_kept 2 n_states 4"],
    nudge: float = 0.0,
) -> dict[str, list[float]]:
    """Exact outcomes of validation players kept while they learned.

    Parameters
    ----------
    board : CoinQuotient
        The game.
    contracts : LearnedContracts
        Frozen.
    psi : ndarray, shape (n_kept, 2, n_states, 4)
        The players' tables.
    nudge : float
        Added to every payment.

    Returns
    -------
    dict
        ``welfare``, ``share`` and ``follow``, one number a row kept.
    """
    found = [play(board, contracts, table, nudge) for table in psi]
    return {
        "welfare": [o.welfare for o in found],
        "share": [o.share for o in found],
        "follow": [o.follow for o in found],
    }
