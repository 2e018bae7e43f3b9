r"""Independent tabular Q-learning of the players, for all schedules as one ensemble.

Each player keeps a table :math:`Q_i(t,s,a)` for each schedule and knows nothing of the
others.  An update plays a few rounds side by side with exploration
:math:`\varepsilon=\max(.02,\,.5(1-f/.8))`, where :math:`f` is the share of training
that is over, and sweeps them backward,

.. math::

   Q_i(t,s,a)\mathrel{+}=\tfrac{2}{E}\,(.2(1-f)+.01)\sum_{e}
   \big(r_i+\max_{a'}Q_i(t+1,s',a')-Q_i(t,s,a)\big),

the sum being over those of the :math:`E` rounds that were in :math:`(t,s,a)`.  What was
learnt is judged by the exact value of its greedy play, never by samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from econlib.social_design.harvest import HarvestLite, Play

__all__ = ["QEnsemble"]


@dataclass
class QEnsemble:
    """Players' tables for each of some schedules.

    Parameters
    ----------
    game : HarvestLite
        The commons.
    rates : ndarray, shape (n_schedules, n_brackets)
        Schedules; players know which one is in force.
    seed : int
        Of exploration and regrowth.
    envs : int
        Rounds side by side in an update, 1 or more.
    updates : int
        Updates of each schedule over which exploration and step size fall, 1 or more.
    anneal : float
        Share of these over which taxes rise from a tenth to their full size, [0, 1];
        the official code takes 0.02.

    Attributes
    ----------
    table : ndarray, shape (n_schedules, n_players, horizon, n_states, n_efforts)
        Values of efforts; zero at the start.
    done : ndarray, shape (n_schedules,)
        Updates made for each schedule.

    Raises
    ------
    ValueError
        Rates, ``envs`` or ``updates`` out of range.
    """

    game: HarvestLite
    rates: Float[np.ndarray, "n_schedules n_brackets"]
    seed: int = 0
    envs: int = 8
    updates: int = 6000
    anneal: float = 0.0
    table: np.ndarray = field(init=False, repr=False)
    done: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("envs", "updates"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: expected 1 or more")
        if not 0 <= self.anneal <= 1:
            raise ValueError(f"anneal = {self.anneal}: expected a number in [0, 1]")
        game, self.rates = self.game, self.game.check_rates(self.rates)
        self.table = np.zeros(
            (
                len(self.rates),
                game.n_players,
                game.horizon,
                game.capacity + 1,
                len(game.efforts),
            )
        )
        self.done = np.zeros(len(self.rates), np.int64)
        self._pay = game._pay(self.rates)
        self._law = game.refill.cumsum(axis=1)
        self._rng = np.random.default_rng(self.seed)

    def learn(
        self, which: Int[np.ndarray, " n_chosen"], times: int
    ) -> Float[np.ndarray, "n_chosen n_players"]:
        """Update the tables of chosen schedules, in their order.

        Parameters
        ----------
        which : ndarray of int, shape (n_chosen,)
            Rows of ``rates``; one may stand several times.
        times : int
            Updates of each, 1 or more.

        Returns
        -------
        ndarray, shape (n_chosen, n_players)
            Mean utility of the rounds of each one's last update, exploration included.
        """
        if times < 1:
            raise ValueError(f"times = {times}: expected an integer, 1 or more")
        return _learn(
            *self._pay,
            self.game._cost,
            np.asarray(self.game.efforts, np.int64),
            self._law,
            self.table,
            self.done,
            np.asarray(which, np.int64),
            times,
            self.envs,
            self.updates,
            self.anneal,
            self.game.s0,
            self._rng,
        )

    def train(self) -> QEnsemble:
        """Make all updates of all schedules; returns the ensemble."""
        self.learn(np.arange(len(self.rates)), self.updates)
        return self

    def greedy(
        self,
    ) -> Float[np.ndarray, "n_schedules horizon n_states n_players n_efforts"]:
        """Play that takes the best effort of each table, the lowest of equal ones."""
        best = self.table.argmax(axis=-1)
        return np.eye(self.table.shape[-1])[np.moveaxis(best, 1, 3)]

    def value(self) -> Play:
        """Exact value and exploitability of greedy play, by the stock at the start."""
        return self.game.evaluate(self.rates, self.greedy())


@njit(cache=True)
@no_type_check
def _learn(
    kept,
    tax,
    cost,
    efforts,
    law,
    table,
    done,
    which,
    times,
    envs,
    planned,
    anneal,
    start,
    rng,
):
    n, horizon, n_states, m = table.shape[1:]
    states = np.empty((envs, horizon + 1), np.int64)
    taken = np.empty((envs, horizon, n), np.int64)
    paid = np.empty((envs, horizon, n))
    gap = np.empty((envs, n))
    earned = np.zeros((len(which), n))
    for k in range(len(which)):
        b = which[k]
        for u in range(times):
            share = min(1.0, done[b] / planned)
            explore = max(0.02, 0.5 * (1.0 - share / 0.8))
            step = (0.2 * (1.0 - share) + 0.01) * 2.0 / envs
            size = 1.0
            if share < anneal:
                size = 0.1 + 0.9 * share / anneal
            for e in range(envs):
                s = start
                for t in range(horizon):
                    states[e, t] = s
                    d = 0
                    for i in range(n):
                        if rng.random() < explore:
                            a = int(rng.random() * m)
                        else:
                            a = 0
                            for c in range(1, m):
                                if table[b, i, t, s, c] > table[b, i, t, s, a]:
                                    a = c
                        taken[e, t, i] = a
                        d += efforts[a]
                    pot = 0.0
                    for i in range(n):
                        pot += tax[b, s, d, taken[e, t, i]]
                    for i in range(n):
                        a = taken[e, t, i]
                        back = size * pot / n + (1.0 - size) * tax[b, s, d, a]
                        paid[e, t, i] = kept[b, s, d, a] + back - cost[i, a]
                        if u == times - 1:
                            earned[k, i] += paid[e, t, i] / envs
                    left = s - min(d, s)
                    draw, s = rng.random(), left
                    while s < n_states - 1 and draw > law[left, s]:
                        s += 1
                states[e, horizon] = s
            for t in range(horizon - 1, -1, -1):
                for e in range(envs):
                    for i in range(n):
                        ahead = 0.0
                        if t < horizon - 1:
                            after = states[e, t + 1]
                            ahead = table[b, i, t + 1, after, 0]
                            for c in range(1, m):
                                ahead = max(ahead, table[b, i, t + 1, after, c])
                        now = table[b, i, t, states[e, t], taken[e, t, i]]
                        gap[e, i] = paid[e, t, i] + ahead - now
                for e in range(envs):
                    for i in range(n):
                        table[b, i, t, states[e, t], taken[e, t, i]] += step * gap[e, i]
            done[b] += 1
    return earned
