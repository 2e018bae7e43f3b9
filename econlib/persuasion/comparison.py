r"""Every way to look for equilibria of one game, on equal terms.

Each method gives two sets of equally many profiles: the end points of a climb from the
same random starts, and those of a search nearby on the method's own model.  All are
certified alike.  Networks see the same profiles, take the same number of steps at the
same batch, and have as many weights as each other within their group: *flat* networks
on the rules as they are, *shared* ones on each joint signal.  The truth itself climbs
too, by the gradient of its pieces and before a softened receiver; random profiles do
not climb at all, or are polished by exact replies.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from econlib.persuasion.ascent import climb, soft_utilities
from econlib.persuasion.contenders import (
    NETWORKS,
    LocalKnowledge,
    annealed,
    fit_gated,
    local_knowledge,
    networks,
    sharpening,
)
from econlib.persuasion.games import PersuasionGame, check_integer, utilities_batch
from econlib.persuasion.pipeline import Certified, certify, search
from econlib.persuasion.polishing import polish, replies_in_turn
from econlib.persuasion.surrogates import (
    Fitted,
    draw_profiles,
    fit_surrogate,
    standardised_error,
)

__all__ = ["METHODS", "Budget", "Row", "above", "compare"]

#: Rows of the comparison, in the order of its tables.
#:
#: :meta hide-value:
METHODS = (
    "random",
    "random, polished",
    "truth, plain ascent",
    "truth, extra-gradient",
    "truth, annealed",
    *NETWORKS,
    "gated, hard gates",
    "replies in turn",
)


@dataclass(frozen=True)
class Budget:
    """What every method of a comparison may spend.

    Attributes
    ----------
    n_train, n_test : int
        Profiles whose utilities are asked for, to fit and to judge; 1000 and 100 or
        more.
    n_steps, batch : int
        Adam steps of every network and profiles of each; 10 or more.
    n_starts : int
        Profiles of each of the two sets, 1 or more.
    n_climb : int
        Steps of a climb, 9 or more; four ninths of them long, three middling, two
        short.
    n_polished, n_replies : int
        Random starts that exact replies in the box take further, and that full replies
        do.
    refits : int
        Fits of the gated network at most, of ``n_steps`` each; it is fitted again from
        other first weights where its error on held-out profiles, with hard gates, is
        above .05.
    """

    n_train: int = 16_000
    n_test: int = 2_000
    n_steps: int = 500
    batch: int = 256
    n_starts: int = 16
    n_climb: int = 360
    n_polished: int = 8
    n_replies: int = 4
    refits: int = 2

    def __post_init__(self) -> None:
        least = {"n_train": 1000, "n_test": 100, "n_steps": 10, "n_climb": 9}
        for name, value in vars(self).items():
            check_integer(name, value, least.get(name, 1))

    @property
    def schedule(self) -> tuple[tuple[float, int], ...]:
        """Step sizes of a climb, and how many steps of each."""
        long, middle = 4 * self.n_climb // 9, 3 * self.n_climb // 9
        short = self.n_climb - long - middle
        return ((0.05, long), (0.02, middle), (0.005, short))


@dataclass(frozen=True)
class Row:
    """What one method found in one game.

    Attributes
    ----------
    method : str
        One of ``METHODS``.
    climbed : Certified
        End points of its climb; the profiles themselves where nothing climbs.
    searched : Certified or None
        End points of the search on its own model.
    error : float
        Standardised squared error on fresh profiles; nan where nothing is fitted.
    local : LocalKnowledge or None
        What the model knows about small deviations at the climb's end points; None
        where nothing is fitted.
    n_weights, n_fits : int
        Trained numbers, and fits of which the best one was kept; 0 where nothing is
        fitted.
    seconds : float
        Of the processor, certificates and all; the second of the two gated rows does
        not count the fit that it shares with the first.
    """

    method: str
    climbed: Certified
    searched: Certified | None = None
    error: float = math.nan
    local: LocalKnowledge | None = None
    n_weights: int = 0
    n_fits: int = 0
    seconds: float = 0.0

    @property
    def points(self) -> Certified:
        """All profiles of both sets."""
        return self.climbed.joined(self.searched) if self.searched else self.climbed


def above(
    floor: Float[np.ndarray, " n_senders"],
    pay: Float[np.ndarray, "n_profiles n_senders"],
    least: float = 1e-3,
) -> Bool[np.ndarray, " n_profiles"]:
    """Which utilities dominate others: nobody loses, somebody gains more than least."""
    more = pay - floor
    return (more >= -1e-6).all(axis=1) & (more > least).any(axis=1)


def compare(
    game: PersuasionGame,
    n_signals: int,
    budget: Budget,
    *,
    radius: float = 0.05,
    methods: Sequence[str] = METHODS,
    seed: int = 0,
) -> dict[str, Row]:
    """Let each method look for equilibria of a game.

    Parameters
    ----------
    game : PersuasionGame
        Two senders or more.
    n_signals : int
        Of each sender.
    budget : Budget
        The same for all.
    radius : float
        Of the certificates' box, above 0, at most 1.
    methods : sequence of str
        Of ``METHODS``.
    seed : int
        Of profiles, starts, first weights and searches.

    Returns
    -------
    dict of str to Row
        By method, in the order asked for.

    Raises
    ------
    ValueError
        An unknown method.
    """
    for name in methods:
        if name not in METHODS:
            raise ValueError(
                f"methods: {name!r}: expected some of {', '.join(METHODS)}"
            )
    rng = np.random.default_rng(seed)
    # starts first, so that they are the same whatever is learned from
    starts = draw_profiles(game, n_signals, 2 * budget.n_starts, rng, sparse=0.0)
    test = draw_profiles(game, n_signals, budget.n_test, rng)
    train = draw_profiles(game, n_signals, budget.n_train, rng)
    one = _Trial(game, n_signals, budget, radius, seed, train, test, starts)
    rows = {}
    for name in methods:
        since = time.process_time()
        found = one.row(name)
        rows[name] = replace(found, seconds=time.process_time() - since)
    return rows


@dataclass
class _Trial:
    """One game's profiles, and how each method goes on from them."""

    game: PersuasionGame
    n_signals: int
    budget: Budget
    radius: float
    seed: int
    train: Tensor
    test: Tensor
    starts: Tensor
    gated: tuple[Fitted, int] | None = None

    def row(self, method: str) -> Row:
        """What a method finds."""
        half = self.starts[: self.budget.n_starts]
        if method == "random":
            rest = self.starts[self.budget.n_starts :]
            return Row(method, self._certified(half), self._certified(rest))
        if method == "random, polished":
            some = half[: self.budget.n_polished].double().numpy()
            some = some / some.sum(axis=-1, keepdims=True)
            ends = [polish(self.game, list(rules), self.radius) for rules in some]
            return Row(method, self._certified(np.array(ends)))
        if method == "replies in turn":
            some = half[: self.budget.n_replies].double().numpy()
            some = some / some.sum(axis=-1, keepdims=True)
            ends = [replies_in_turn(self.game, list(rules))[0] for rules in some]
            return Row(method, self._certified(np.array(ends)))
        if method.startswith("truth"):
            return self._true(method, half.double())
        if method.startswith("gated"):
            return self._gated(method, half)
        net = networks(self.game, self.n_signals, self.seed)[method]
        fitted = fit_surrogate(
            net,
            self.game,
            self.train,
            n_steps=self.budget.n_steps,
            lr=NETWORKS[method],
            batch=self.budget.batch,
            seed=self.seed,
        )
        ends = climb(lambda x, _: fitted(x), half, self.budget.schedule)
        return self._row(method, ends, self._searched(fitted, ends), fitted)

    def _true(self, method: str, half: Tensor) -> Row:
        def truth(x: Tensor) -> Tensor:
            return utilities_batch(self.game, x)

        if method == "truth, annealed":
            ends, others = (
                climb(self._soft(annealed(*betas)), half, self.budget.schedule)
                for betas in ((10.0, 1000.0), (3.0, 300.0))
            )
            return self._row(method, ends, self._searched(truth, others))
        how = "extra" if method == "truth, extra-gradient" else "plain"
        ends = climb(lambda x, _: truth(x), half, self.budget.schedule, how=how)
        return self._row(method, ends, self._searched(truth, ends))

    def _gated(self, method: str, half: Tensor) -> Row:
        if self.gated is None:
            self.gated = fit_gated(
                self.game,
                self.train,
                n_steps=self.budget.n_steps,
                batch=self.budget.batch,
                refits=self.budget.refits,
                seed=self.seed,
            )
        fitted, n_fits = self.gated
        if method == "gated, hard gates":
            ends = others = climb(lambda x, _: fitted(x), half, self.budget.schedule)
        else:
            ends, others = (
                climb(sharpening(fitted, annealed(*betas)), half, self.budget.schedule)
                for betas in ((3.0, 300.0), (1.0, 100.0))
            )
            fitted.net.beta = math.inf
        ends = ends, self._searched(fitted, others)
        return replace(self._row(method, *ends, fitted), n_fits=n_fits)

    def _soft(self, sharpness: Callable[[float], float]) -> Callable:
        return lambda x, at: soft_utilities(self.game, x, sharpness(at))

    def _searched(self, model: Callable[[Tensor], Tensor], ends: Tensor) -> Tensor:
        return search(model, ends, torch.Generator().manual_seed(self.seed))

    def _certified(self, rules: Tensor | np.ndarray) -> Certified:
        return certify(self.game, rules, self.radius)

    def _row(
        self, method: str, ends: Tensor, others: Tensor, fitted: Fitted | None = None
    ) -> Row:
        found = Row(method, self._certified(ends), self._certified(others))
        if fitted is None:
            return found
        return replace(
            found,
            error=standardised_error(fitted, self.game, self.test),
            local=local_knowledge(
                self.game, fitted, ends, radius=self.radius, seed=self.seed
            ),
            n_weights=fitted.n_weights,
            n_fits=1,
        )
