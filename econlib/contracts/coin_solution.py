"""One Coin Game solved: optimum, contracts, selfish play, and Blue's reasons to follow.

Everything that the figures draw as a dashed line, in one object; solutions are kept, so
that asking again costs nothing.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from econlib.contracts.coin_equilibria import (
    CoinOutcome,
    Contracts,
    MarkovEquilibrium,
    constant_proportion,
    contract_ratios,
    markov_equilibrium,
    minimal_payments,
    outcome,
    principal_fixed_point,
)
from econlib.contracts.coin_exact import CoinQuotient, pure
from econlib.contracts.coin_game import CoinRules

__all__ = ["Ratios", "Solution", "proportional_play", "solve_coin"]


@dataclass(frozen=True)
class Ratios:
    """Blue's value of following over the best it can get.

    Attributes
    ----------
    spe, spe_unpaid : float
        Red follows; with contracts, and without payments.
    ic, ic_wrong : float
        Red is selfish; with the payments for that case, and with those for a Red who
        follows.
    """

    spe: float
    spe_unpaid: float
    ic: float
    ic_wrong: float


@dataclass(frozen=True)
class Solution:
    """A Coin Game solved.

    Attributes
    ----------
    board : CoinQuotient
        The game.
    finite : float
        Largest welfare of an episode by any policy.
    contracts : Contracts
        The principal's.
    followed : CoinOutcome
        If both follow.
    selfish : MarkovEquilibrium
        Play without a principal.
    alone : CoinOutcome
        Of selfish play.
    """

    board: CoinQuotient
    finite: float
    contracts: Contracts
    followed: CoinOutcome
    selfish: MarkovEquilibrium
    alone: CoinOutcome

    def ratios(self) -> Ratios:
        """Certificates of the contracts, seen from Blue."""
        board, rec = self.board, self.contracts.recommend
        red, pay = pure(rec[:, 0]), self.contracts.payments[1]
        q = board.best_response(1, self.selfish.red, board.reward[..., 1])
        due = minimal_payments(q, rec[:, 1])
        return Ratios(
            contract_ratios(board, rec, pay, red),
            contract_ratios(board, rec, np.zeros_like(pay), red),
            contract_ratios(board, rec, due, self.selfish.red),
            contract_ratios(board, rec, pay, self.selfish.red),
        )


@functools.lru_cache(maxsize=32)
def solve_coin(
    rules: CoinRules, alpha: float = 0.1, rounds: int = 5, damped: int = 40
) -> Solution:
    """Solve a Coin Game.

    Parameters
    ----------
    rules : CoinRules
        Of the game.
    alpha : float
        Weight of payments, at least 0.
    rounds, damped : int
        Most rounds between principal and agents, and of damped best responses.
    """
    board = CoinQuotient(rules)
    found = principal_fixed_point(board, alpha, max_iter=rounds)
    red, blue = (pure(found.recommend[:, i]) for i in range(2))
    both = np.stack([found.payments, found.payments], axis=1)
    selfish = markov_equilibrium(board, max_iter=damped)
    return Solution(
        board,
        board.finite_optimum(),
        found,
        outcome(board, red, blue, found.recommend, both),
        selfish,
        outcome(board, selfish.red, selfish.blue),
    )


def proportional_play(
    board: CoinQuotient, share: float, variant: str = "others", damped: int = 40
) -> tuple[float, float]:
    """Welfare and regret of play when a fixed share of welfare is handed out."""
    rewards = constant_proportion(board, share, variant)
    found = markov_equilibrium(board, rewards, max_iter=damped)
    return outcome(board, found.red, found.blue).welfare, found.regret
