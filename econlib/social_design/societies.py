r"""Three economies in the form that the loop governs.

*The commons* for rounds that share a stock.  *One step*: workers under a linear income
tax, which no state connects.  *The escape room*: a door opens when at least :math:`M`
of :math:`N` players pull the lever that the context names; who stands at an open door
gets 10, who moved in vain or pulled pays 1, and the Principal pays :math:`b` to those
at the right lever out of an equal levy.  At most :math:`10(N-M)-M` can be had.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from econlib.social_design import kernels
from econlib.social_design.harvest import HarvestLite
from econlib.social_design.loop import Outcome, Society
from econlib.social_design.one_step import OneStep
from econlib.social_design.rounds import rollout, solve_rounds
from econlib.social_design.schedules import rate_grid
from econlib.social_design.welfare import power_mean

__all__ = ["Commons", "EscapeRoom", "Workers"]


@dataclass
class Commons(Society):
    """A commons whose stock outlives its rounds.

    Parameters
    ----------
    game : HarvestLite
        One round.
    step : float
        Distance of neighbouring rates on the menu, 1 over a whole number.
    select : "best", "worst" or ("qre", noise)
        Players' selection, as in ``HarvestLite.solve``.
    """

    game: HarvestLite
    step: float = 0.1
    select: Any = "best"
    name: str = field(init=False)
    _known: dict = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.menu = rate_grid(self.step, len(self.game.brackets))
        self.n_players, self.start = self.game.n_players, self.game.s0
        self.name = f"{self.game!r}, step {self.step}, {self.select}"

    def ahead(self, p: float, n_rounds: int) -> np.ndarray | None:
        """Values of later rounds under a far-sighted exact Principal; None for none."""
        if n_rounds == 0:
            return None
        key = (round(p, 12), n_rounds)
        if key not in self._known:
            plan = solve_rounds(
                self.game,
                self.menu,
                n_rounds,
                lambda u: power_mean(u, p),
                select=self.select,
            )
            self._known[key] = plan.values[0]
        return self._known[key]

    def respond(self, state: int, ahead: np.ndarray | None) -> Outcome:
        """Answer to each schedule from a stock."""
        answer = self.game.solve(self.menu, ahead, self.select)
        return Outcome(answer.values[:, state], answer.regret)

    def play(
        self,
        choice: int,
        state: int,
        ahead: np.ndarray | None,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, int]:
        """Sample a round."""
        rates = self.menu[choice]
        answer = self.game.solve(rates[None], ahead, self.select)
        u, stocks = rollout(self.game, rates, answer.mixed[0], 1, rng, state)
        return u[0], int(stocks[0, -1])


@dataclass
class Workers(Society):
    """Workers under a linear income tax.

    Parameters
    ----------
    economy : OneStep
        Skills and elasticity.
    step : float
        Distance of neighbouring rates, 1 over a whole number.
    """

    economy: OneStep
    step: float = 0.1
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.menu = rate_grid(self.step, 1)
        self.n_players, self.start = len(self.economy.skills), 0
        skills = np.asarray(self.economy.skills, float).tolist()
        self.name = f"workers {skills}, {self.economy.elasticity}, step {self.step}"

    def respond(self, state: int, ahead: None) -> Outcome:
        """Answer to each rate, and the gain from any other income on a fine grid."""
        answer = self.economy.linear(self.menu[:, 0])
        skills = np.asarray(self.economy.skills, float)
        k = 1 + 1 / self.economy.elasticity
        grid = np.linspace(0, 1.2 * answer.incomes.max(), 4001)
        effort = (grid / skills[:, None]) ** k / k
        best = [
            ((1 - tau) * grid + pot - effort).max(axis=1)
            for tau, pot in zip(self.menu[:, 0], answer.taxes.mean(axis=1), strict=True)
        ]
        gain = np.maximum(np.stack(best) - answer.utilities, 0.0)
        return Outcome(answer.utilities, gain.max(axis=1))

    def play(
        self, choice: int, state: int, ahead: None, rng: np.random.Generator
    ) -> tuple[np.ndarray, int]:
        """Incomes are certain, so that what is expected happens."""
        return self.economy.linear(self.menu[choice]).utilities[0], state


@dataclass
class EscapeRoom(Society):
    """A public good that some must provide for the others.

    Parameters
    ----------
    n_players, needed : int
        Players, 2 to 6, and how many must pull, 1 to ``n_players - 1``.
    n_levers : int
        Levers, of which the context names one; 1 to 3.
    payments : tuple of float
        What the Principal can pay for a pull; the first must be 0.

    Raises
    ------
    ValueError
        A number out of range.
    """

    n_players: int = 4
    needed: int = 2
    n_levers: int = 2
    payments: tuple[float, ...] = tuple(np.arange(0, 3.1, 0.25).tolist())
    name: str = field(init=False)
    start: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        n, m, levers = self.n_players, self.needed, self.n_levers
        if not (2 <= n <= 6 and 1 <= m < n and 1 <= levers <= 3):
            raise ValueError(
                f"n_players = {n}, needed = {m}, n_levers = {levers}: expected 2 to 6, "
                "1 to n_players - 1, 1 to 3"
            )
        if self.payments[0] != 0 or min(self.payments) < 0:
            raise ValueError(f"payments = {self.payments}: expected 0, then 0 or more")
        self.menu = np.array(self.payments)[:, None]
        self.name = f"escape room {n}, {m}, {levers}, {self.payments}"
        shape = (2 + levers,) * n
        self.profiles = np.indices(shape).reshape(n, -1).T.astype(np.int64).copy()

    def payoffs(self, payment: float, lever: int) -> np.ndarray:
        """Payoffs, (n_profiles, n_players); actions: stay, door, then the levers."""
        door, right = self.profiles == 1, self.profiles == 2 + lever
        open_ = right.sum(axis=1, keepdims=True) >= self.needed
        raw = np.where(door & open_, 10.0, -1.0 * (self.profiles > 0))
        paid = payment * right
        return raw + paid - paid.mean(axis=1, keepdims=True)

    def respond(self, state: int, ahead: None) -> Outcome:
        """Profile of least regret, best for the sum, under each payment."""
        rows, regrets = [], []
        for payment in self.menu[:, 0]:
            q = self.payoffs(float(payment), state)
            regret = np.empty(len(q))
            kernels.regrets_of(q, self.profiles, 2 + self.n_levers, regret)
            chosen = kernels.pick(q, regret, 0)
            rows.append(q[chosen])
            regrets.append(regret[chosen])
        return Outcome(np.stack(rows), np.array(regrets))

    def play(
        self, choice: int, state: int, ahead: None, rng: np.random.Generator
    ) -> tuple[np.ndarray, int]:
        """The round, and a random next context."""
        utilities = self.respond(state, ahead).utilities[choice]
        return utilities, int(rng.integers(self.n_levers))
