r"""HarvestLite: a taxed commons, solved for all schedules at once.

There are :math:`n` players and a stock :math:`s\in\{0..K\}` that starts at :math:`K`.
In each of :math:`T` steps player :math:`i` chooses an effort :math:`a_i` at cost
:math:`\kappa_ia_i`.  With :math:`D=\sum_ia_i` the harvest is :math:`y_i=a_i` where
:math:`D\le s` and :math:`a_is/D` otherwise; what is left regrows by density,

.. math::

   r=s-\min(D,s),\qquad s'=r+\mathrm{Binomial}\big(K-r,\ g\,r/K\big).

A schedule taxes each step's harvest at marginal rates between cut-offs, and the pot is
shared equally: :math:`r_i=y_i-T(y_i)+\frac1n\sum_jT(y_j)-\kappa_ia_i`.  Cost is outside
the tax base.

Players answer a schedule by backward induction over :math:`(t,s)`.  In each stage game
the profile with the least largest unilateral regret is played; among equals (within
1e-9) the *best* or the *worst* for the sum of utilities, then the first.  The regret
that is reported is the largest over all steps and states, reached or not: a schedule
is exact where it is at most 1e-9, otherwise the answer is an
:math:`\varepsilon`-equilibrium.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from econlib.social_design import kernels
from econlib.social_design.schedules import (
    bracket_tax,
    check_rates,
    pay_tables,
    refill_law,
)

__all__ = ["EXACT", "MOST_CELLS", "HarvestLite", "Play", "Response"]

#: A schedule whose regret is at most this is exact.
EXACT = 1e-9
#: States times profiles up to which the commons is solved exactly.
MOST_CELLS = 4_000_000
_MOST_BYTES = 2**30  # of a policy
_MODES = {"best": 0, "worst": 1, "planner": 2}


@dataclass(frozen=True)
class Play:
    """Exact value of some way of playing under each schedule.

    Attributes
    ----------
    utilities, consumption, harvest : ndarray, shape (n_schedules, n_states, n_players)
        Expected totals by the stock at the first step: utility (with any terminal
        value), after-tax income, and harvest before tax.
    exploitability : ndarray, shape (n_schedules, n_states, n_players)
        What each player would gain by the best reply in the whole game, 0 or more.
    """

    utilities: Float[np.ndarray, "n_schedules n_states n_players"]
    consumption: Float[np.ndarray, "n_schedules n_states n_players"]
    harvest: Float[np.ndarray, "n_schedules n_states n_players"]
    exploitability: Float[np.ndarray, "n_schedules n_states n_players"]


@dataclass(frozen=True)
class Response:
    """How players answer each schedule.

    Attributes
    ----------
    rates : ndarray, shape (n_schedules, n_brackets)
        The schedules.
    values : ndarray, shape (n_schedules, n_states, n_players)
        Expected total utility by the stock at the first step.
    consumption, harvest : ndarray, shape (n_schedules, n_states, n_players)
        Expected totals of after-tax income and of harvest before tax.
    regret : ndarray, shape (n_schedules,)
        Largest gain from one deviation in one stage game, over all steps and states.
        Not a promise of equilibrium for the planner.
    mixed : ndarray, shape (n_schedules, horizon, n_states, n_players, n_efforts)
        Probability of each effort.
    policy : ndarray, shape (n_schedules, horizon, n_states), or None
        Index of the profile where play is pure.
    """

    rates: Float[np.ndarray, "n_schedules n_brackets"]
    values: Float[np.ndarray, "n_schedules n_states n_players"]
    consumption: Float[np.ndarray, "n_schedules n_states n_players"]
    harvest: Float[np.ndarray, "n_schedules n_states n_players"]
    regret: Float[np.ndarray, " n_schedules"]
    mixed: Float[np.ndarray, "n_schedules horizon n_states n_players n_efforts"]
    policy: Int[np.ndarray, "n_schedules horizon n_states"] | None

    @property
    def exact(self) -> np.ndarray:
        """Which schedules are answered by an equilibrium, up to 1e-9."""
        return self.regret <= EXACT


@dataclass(frozen=True)
class HarvestLite:
    """The commons and its players.

    Parameters
    ----------
    costs : sequence of float
        Cost of a unit of effort of each player, 0 or more; 1 to 256 players, of whom
        about ten can be solved exactly.
    capacity : int
        Largest stock, 1 to 400.
    horizon : int
        Steps of a round, 1 or more.
    regrowth : float
        Regrowth rate, [0, 1].
    efforts : sequence of int
        Efforts that a player can choose, increasing whole numbers from 0 up.
    brackets : sequence of float
        Lower ends of the brackets of a step's harvest, increasing from 0.
    start : int, optional
        Stock at the first step, 0 to ``capacity``; the capacity if left out.

    Raises
    ------
    ValueError
        A parameter out of range; all of them are named.

    Examples
    --------
    >>> free = HarvestLite().solve(np.zeros((1, 2)))
    >>> free.values[0, -1].round(6).tolist()
    [1.8, 1.6, 1.4, 1.1]
    """

    costs: Sequence[float | int] = (0.1, 0.2, 0.3, 0.45)
    capacity: int | float = 8
    horizon: int | float = 8
    regrowth: float | int = 0.5
    efforts: Sequence[int | float] = (0, 1, 2)
    brackets: Sequence[float | int] = (0.0, 1.0)
    start: int | None = field(default=None)

    def __post_init__(self) -> None:
        for name in ("costs", "efforts", "brackets"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        faults = list(self._faults())
        if faults:
            raise ValueError("; ".join(faults))

    def _faults(self):
        k, a, cuts = self.costs, self.efforts, self.brackets
        if not 1 <= len(k) <= 256 or not all(np.isfinite(x) and x >= 0 for x in k):
            yield f"costs = {k}: expected 1 to 256 numbers of 0 or more"
        for name, low, high in (("capacity", 1, 400), ("horizon", 1, 10**9)):
            x = getattr(self, name)
            if isinstance(x, bool) or not isinstance(x, int | np.integer):
                yield f"{name} = {x!r}: expected a whole number"
            elif not low <= x <= high:
                yield f"{name} = {x}: expected {low} to {high}"
        if not 0 <= self.regrowth <= 1:
            yield f"regrowth = {self.regrowth}: expected a number in [0, 1]"
        whole = all(isinstance(x, int | np.integer) for x in a)
        if not a or not whole or min(a) < 0 or any(np.diff(a) <= 0):
            yield f"efforts = {a}: expected increasing whole numbers of 0 or more"
        if not cuts or cuts[0] != 0 or any(np.diff(cuts) <= 0):
            yield f"brackets = {cuts}: expected increasing numbers from 0"
        if self.start is not None and not 0 <= self.start <= self.capacity:
            yield f"start = {self.start}: expected 0 to the capacity {self.capacity}"

    @property
    def n_players(self) -> int:
        """Number of players."""
        return len(self.costs)

    @property
    def s0(self) -> int:
        """Stock at the first step."""
        return self.capacity if self.start is None else int(self.start)

    @cached_property
    def profiles(self) -> np.ndarray:
        """Index of each player's effort, shape (n_profiles, n_players).

        Raises
        ------
        ValueError
            More than 4 million stage payoffs: the exact solution stops here.
        """
        m, n, states = len(self.efforts), self.n_players, self.capacity + 1
        if states * m**n > MOST_CELLS:
            raise ValueError(
                f"costs: {n} players with {m} efforts on {states} stocks make "
                f"{states * m**n:.3g} stage payoffs, more than {MOST_CELLS:.3g}. Try "
                "fewer players, or econlib.social_design.crowd"
            )
        return np.indices((m,) * n).reshape(n, -1).T.astype(np.int64).copy()

    @cached_property
    def demand(self) -> np.ndarray:
        """Sum of efforts of each profile, shape (n_profiles,)."""
        return np.asarray(self.efforts, np.int64)[self.profiles].sum(axis=1)

    @cached_property
    def refill(self) -> np.ndarray:
        """Law of the next stock by what is left, shape (n_states, n_states)."""
        return refill_law(self.capacity, self.regrowth)

    @cached_property
    def _cost(self) -> np.ndarray:
        return np.outer(self.costs, self.efforts)

    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Harvests and transitions of every state and profile.

        Returns
        -------
        harvest : ndarray, shape (n_states, n_profiles, n_players)
            Before tax.
        transition : ndarray, shape (n_states, n_profiles, n_states)
            Law of the next stock; rows sum to one.
        """
        effort = np.asarray(self.efforts, float)[self.profiles]
        stock = np.arange(self.capacity + 1)[:, None]
        share = np.minimum(1.0, stock / np.maximum(self.demand, 1))
        harvest = share[:, :, None] * effort
        left = stock - np.minimum(self.demand, stock)
        return harvest, self.refill[left]

    def tax(
        self, rates: Float[np.ndarray, "n_schedules n_brackets"], y: np.ndarray
    ) -> np.ndarray:
        r"""Tax on a harvest, :math:`\sum_b\tau_b\min(\max(y-b,0),\text{width})`.

        Parameters
        ----------
        rates : ndarray, shape (n_schedules, n_brackets)
            Marginal rates in [0, 1].
        y : ndarray
            Harvests.

        Returns
        -------
        ndarray, shape (n_schedules, *y.shape)
            Taxes.
        """
        rates = self.check_rates(rates)
        return bracket_tax(rates, np.asarray(y, float), self.brackets)

    def check_rates(self, rates: object) -> np.ndarray:
        """Validate schedules: shape (n_schedules, n_brackets), rates in [0, 1]."""
        return check_rates(rates, len(self.brackets))

    def _pay(self, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Kept and taxed harvest by schedule, stock, demand and own effort."""
        return pay_tables(
            rates,
            self.capacity,
            max(self.efforts) * self.n_players,
            self.efforts,
            self.brackets,
        )

    def _terminal(self, terminal: object, n_schedules: int) -> np.ndarray:
        shape = (n_schedules, self.capacity + 1, self.n_players)
        if terminal is None:
            return np.zeros(shape)
        values = np.asarray(terminal, float)
        if values.shape not in (shape, shape[1:]) or not np.isfinite(values).all():
            raise ValueError(
                f"terminal: shape {values.shape}: expected finite numbers of shape "
                f"{shape[1:]}, one row a stock, or {shape}"
            )
        return np.broadcast_to(values, shape).copy()

    def solve(
        self,
        rates: Float[np.ndarray, "n_schedules n_brackets"],
        terminal: np.ndarray | None = None,
        select: str | tuple[str, float] = "best",
    ) -> Response:
        r"""Players' answer to each schedule, by backward induction.

        Parameters
        ----------
        rates : ndarray, shape (n_schedules, n_brackets)
            Marginal rates in [0, 1].
        terminal : ndarray, shape (n_states, n_players), optional
            Value of each final stock, zero if left out; or one such table a schedule.
        select : "best", "worst", "planner" or ("qre", noise)
            Which profile of least regret; or the profile of the largest sum of
            utilities; or logit play :math:`\pi_i\propto e^{Q_i/\lambda}` with noise
            :math:`\lambda>0`, damped by 0.3 from even play.

        Returns
        -------
        Response
            Values, incomes, regret and play.

        Raises
        ------
        ValueError
            Rates outside [0, 1], a terminal table of the wrong shape, an unknown
            selection, or a policy over 1 GiB.
        RuntimeError
            Logit play that has not settled to 1e-8 after 20 000 steps.
        """
        rates = self.check_rates(rates)
        end = self._terminal(terminal, len(rates))
        n, m = self.n_players, len(self.efforts)
        size = len(rates) * self.horizon * (self.capacity + 1) * n * m * 8
        if size > _MOST_BYTES:
            raise ValueError(
                f"horizon = {self.horizon}: a policy for {len(rates)} schedules on "
                f"{self.capacity + 1} stocks takes {size / 2**30:.3g} GiB, over 1. "
                "Try a shorter horizon or fewer schedules at a time"
            )
        game = (*self._pay(rates), self._cost, self.profiles, self.demand, self.refill)
        if isinstance(select, str) and select in _MODES:
            policy, values, regrets = kernels.backward(
                *game, end, self.horizon, _MODES[select]
            )
            mixed = np.eye(m)[self.profiles[policy]]
            regret = regrets.max(axis=(1, 2))
        elif isinstance(select, tuple) and select[0] == "qre" and select[1] > 0:
            noise = float(select[1])
            mixed, change = kernels.logit(*game, end, self.horizon, noise, 0.3, 20_000)
            if change > 1e-8:
                raise RuntimeError(
                    f"logit play with noise {noise} still moves by {change:.2g} after "
                    "20000 steps. Try more noise"
                )
            policy, values, regret = None, None, None
        else:
            raise ValueError(
                f"select = {select!r}: expected 'best', 'worst', 'planner' or "
                "('qre', noise) with noise above 0"
            )
        play = self._evaluate(game, end, mixed)
        if values is None:
            values, regret = play.utilities, play.exploitability.max(axis=(1, 2))
        return Response(
            rates, values, play.consumption, play.harvest, regret, mixed, policy
        )

    def evaluate(
        self,
        rates: Float[np.ndarray, "n_schedules n_brackets"],
        mixed: Float[np.ndarray, "n_schedules horizon n_states n_players n_efforts"],
        terminal: np.ndarray | None = None,
    ) -> Play:
        """Exact value of given play under each schedule, and what a best reply adds.

        Parameters
        ----------
        rates : ndarray, shape (n_schedules, n_brackets)
            Marginal rates in [0, 1].
        mixed : ndarray, shape (n_schedules, horizon, n_states, n_players, n_efforts)
            Probabilities of efforts; rows sum to one.
        terminal : ndarray, optional
            As in :meth:`solve`.

        Returns
        -------
        Play
            Exact expectations; nothing is sampled.

        Raises
        ------
        ValueError
            Shapes that do not agree, or rows that are not probabilities.
        """
        rates = self.check_rates(rates)
        shape = (
            len(rates),
            self.horizon,
            self.capacity + 1,
            self.n_players,
            len(self.efforts),
        )
        mixed = np.ascontiguousarray(mixed, float)
        if mixed.shape != shape:
            raise ValueError(f"mixed: shape {mixed.shape}, expected {shape}")
        if mixed.min() < -1e-12 or np.abs(mixed.sum(axis=-1) - 1).max() > 1e-6:
            raise ValueError("mixed: expected probabilities that sum to one")
        game = (*self._pay(rates), self._cost, self.profiles, self.demand, self.refill)
        return self._evaluate(game, self._terminal(terminal, len(rates)), mixed)

    def _evaluate(self, game: tuple, end: np.ndarray, mixed: np.ndarray) -> Play:
        u, c, y, reply = kernels.evaluate(*game, end, mixed)
        return Play(u, c, y, np.maximum(reply - u, 0.0))
