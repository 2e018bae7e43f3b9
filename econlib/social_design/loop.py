r"""The loop: votes, objective, Principal, play, and the state that is carried over.

In round :math:`k` player :math:`i` reports a value :math:`v_i`, a weight
:math:`\sigma\in(0,1]`; the mechanism makes one of them,
:math:`\sigma^k=\phi(v^k)`, which names the objective :math:`w^k=W_p` with
:math:`p=\ln\sigma^k+1`; the Principal sees :math:`(s_0^k,w^k)` and chooses

.. math::

   \theta^k\in\arg\max_\theta\,w^k\big(J(\theta,\pi^*(\theta),s_0^k)\big)
   \quad\text{s.t.}\quad\pi^*(\theta)\in\mathcal E(\mathcal M_\theta,s_0^k);

players answer, the round is played, and :math:`s_0^{k+1}=s_T^k`.  Whatever has the
attributes of :class:`Society` can be governed.

Every round is written down with what would have happened under no intervention, and
each entry carries a digest of itself and of the one before, so that a log that was
changed anywhere does not replay.
"""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from econlib.social_design.principals import run_bandit
from econlib.social_design.rounds import first_best
from econlib.social_design.welfare import power_mean, sigma_to_p

__all__ = ["PRINCIPALS", "Log", "Outcome", "Round", "Society", "sed_loop"]

_PLAYED_ROUNDS = 4000  # that a bandit plays in its head before it chooses


@dataclass(frozen=True)
class Outcome:
    """What each entry of a society's menu leads to.

    Attributes
    ----------
    utilities : ndarray, shape (n_schedules, n_players)
        Expected utilities, the rounds ahead included.
    regret : ndarray, shape (n_schedules,)
        Largest gain from deviating, of any player.
    """

    utilities: Float[np.ndarray, "n_schedules n_players"]
    regret: Float[np.ndarray, " n_schedules"]


@runtime_checkable
class Society(Protocol):
    """What the loop needs to know of an economy; one that has it need not inherit.

    Attributes
    ----------
    name : str
        For the log.
    n_players : int
        Number of voters, who are the players.
    menu : ndarray, shape (n_schedules, n_rates)
        What the Principal can choose; the first row is no intervention.
    start : int
        State of the first round.
    """

    name: str
    n_players: int
    menu: np.ndarray
    start: int

    def ahead(self, p: float, n_rounds: int) -> Any:
        """Value of the rounds after this one if the objective stays; None for none."""
        return None

    @abstractmethod
    def respond(self, state: int, ahead: Any) -> Outcome:
        """Players' answer to every entry of the menu from a state."""

    @abstractmethod
    def play(
        self, choice: int, state: int, ahead: Any, rng: np.random.Generator
    ) -> tuple[np.ndarray, int]:
        """Play a round: utilities that came out, and the state it ended in."""


def _exact(welfare: np.ndarray, rng: np.random.Generator) -> int:
    return int(first_best(welfare))


def _bandit(kind: str) -> Callable[[np.ndarray, np.random.Generator], int]:
    def choose(welfare: np.ndarray, rng: np.random.Generator) -> int:
        seed, n_rounds = int(rng.integers(2**31)), max(_PLAYED_ROUNDS, len(welfare))
        return int(run_bandit(kind, welfare, n_rounds, seeds=(seed,)).choice[0])

    return choose


#: Principals by name: from the welfare of each entry to the entry chosen.
PRINCIPALS: dict[str, Callable[[np.ndarray, np.random.Generator], int]] = {
    "exact": _exact,
    "ucb": _bandit("ucb"),
    "eps": _bandit("eps"),
    "free": lambda welfare, rng: 0,
}


@dataclass(frozen=True)
class Round:
    """One entry of the log.

    Attributes
    ----------
    number, state, next_state : int
        Round, counted from 0, and the states it began and ended in.
    votes : tuple of float
        Reports.
    value, p : float
        The voted value and the exponent of the objective.
    choice : int
        Row of the menu.
    rates : tuple of float
        That row.
    welfare, untaxed_welfare : float
        Objective of expected utilities under the choice, and under no intervention.
    expected, untaxed, realised : tuple of float
        Utilities: expected under the choice, expected under no intervention, and those
        that came out.
    players_regret, principal_regret : float
        Largest gain of a player's deviation, and of the Principal's.
    digest : str
        Of this entry and of the one before.
    """

    number: int
    state: int
    votes: tuple[float, ...]
    value: float
    p: float
    choice: int
    rates: tuple[float, ...]
    welfare: float
    untaxed_welfare: float
    expected: tuple[float, ...]
    untaxed: tuple[float, ...]
    realised: tuple[float, ...]
    players_regret: float
    principal_regret: float
    next_state: int
    digest: str = ""


@dataclass(frozen=True)
class Log:
    """A run of the loop, and all that it takes to run it again.

    Attributes
    ----------
    society : str
        The society's name.
    rule, principal : str
        Names of the voting rule and of the Principal.
    seed, horizon : int
        Of the run, and the rounds that players look ahead over.
    rounds : tuple of Round
        Entries in order.
    """

    society: str
    rule: str
    principal: str
    seed: int
    horizon: int
    rounds: tuple[Round, ...]

    @property
    def digest(self) -> str:
        """Digest of the last entry, which depends on all."""
        return self.rounds[-1].digest

    def verify(self) -> bool:
        """Whether every entry carries the digest of what stands in it."""
        before = self._head()
        for entry in self.rounds:
            if entry.digest != _digest(before, entry):
                return False
            before = entry.digest
        return True

    def replay(self, society: Society, rule: Callable[[np.ndarray], float]) -> Log:
        """Run the loop again from the logged votes alone.

        Parameters
        ----------
        society : Society
            The society that was governed.
        rule : callable
            The voting rule.

        Returns
        -------
        Log
            With the same ``digest`` where nothing was changed.

        Raises
        ------
        ValueError
            Another society than the log's.
        """
        if society.name != self.society:
            raise ValueError(f"society = {society.name!r}: expected {self.society!r}")
        votes = [entry.votes for entry in self.rounds]
        return sed_loop(
            society,
            rule,
            lambda k, _: votes[k],
            self.principal,
            len(votes),
            seed=self.seed,
            rule_name=self.rule,
            horizon=self.horizon,
        )

    def converged(self, tolerance: float = 1e-6, same: int = 3) -> bool:
        """Whether the last choices agree and no player gains by deviating.

        Parameters
        ----------
        tolerance : float
            Largest regret of a player.
        same : int
            How many of the last rounds must have the same choice.
        """
        last = self.rounds[-same:]
        return (
            len(last) == same
            and len({entry.choice for entry in last}) == 1
            and max(entry.players_regret for entry in last) <= tolerance
        )

    def to_json(self) -> str:
        """The log as JSON."""
        rounds = [vars(entry) for entry in self.rounds]
        return json.dumps({**vars(self), "rounds": rounds}, indent=1)

    def _head(self) -> str:
        head = [self.society, self.rule, self.principal, self.seed, self.horizon]
        return hashlib.sha256(json.dumps(head).encode()).hexdigest()


def _digest(before: str, entry: Round) -> str:
    """SHA-256 of the entry, numbers to nine digits, and of the digest before it."""
    plain = {
        name: [round(x, 9) + 0.0 for x in value]
        if isinstance(value, tuple)
        else round(value, 9) + 0.0
        if isinstance(value, float)
        else value
        for name, value in vars(replace(entry, digest="")).items()
    }
    text = before + json.dumps(plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def sed_loop(
    society: Society,
    rule: Callable[[np.ndarray], float],
    voters: Callable[[int, tuple[Round, ...]], Any],
    principal: str = "exact",
    n_rounds: int = 1,
    *,
    seed: int = 0,
    rule_name: str = "",
    horizon: int | None = None,
) -> Log:
    """Govern a society for some rounds.

    Parameters
    ----------
    society : Society
        The economy.
    rule : callable
        From reports, shape (n_players,), to the voted value.
    voters : callable
        From the round and the entries so far to reports in (0, 1], one a player.
    principal : str
        One of :data:`PRINCIPALS`.
    n_rounds : int
        Rounds, 1 or more.
    seed : int
        Of play and of a learning Principal.
    rule_name : str
        For the log; the rule's own name if left out.
    horizon : int, optional
        Rounds that players and Principal look ahead over, this one included;
        ``n_rounds`` if left out, so that the last round is known to be the last.

    Returns
    -------
    Log
        What happened.

    Raises
    ------
    ValueError
        An unknown Principal, no rounds, ballots of the wrong length or out of range.
    """
    if principal not in PRINCIPALS:
        known = ", ".join(PRINCIPALS)
        raise ValueError(f"principal = {principal!r}: expected one of {known}")
    if n_rounds < 1:
        raise ValueError(f"n_rounds = {n_rounds}: expected an integer, 1 or more")
    horizon = n_rounds if horizon is None else horizon
    name = rule_name or getattr(rule, "__name__", "rule")
    log = Log(society.name, name, principal, seed, horizon, ())
    state, before = int(society.start), log._head()
    for k in range(n_rounds):
        rng = np.random.default_rng([seed, k])
        votes = check_votes(voters(k, log.rounds), society.n_players)
        value = float(rule(votes))
        p = float(sigma_to_p(value))
        ahead = society.ahead(p, max(0, min(horizon, n_rounds) - 1 - k))
        outcome = society.respond(state, ahead)
        welfare = power_mean(outcome.utilities, p)
        choice = PRINCIPALS[principal](welfare, rng)
        realised, after = society.play(choice, state, ahead, rng)
        entry = Round(
            number=k,
            state=state,
            votes=tuple(votes.tolist()),
            value=value,
            p=p,
            choice=choice,
            rates=tuple(np.asarray(society.menu[choice], float).tolist()),
            welfare=float(welfare[choice]),
            untaxed_welfare=float(welfare[0]),
            expected=tuple(outcome.utilities[choice].tolist()),
            untaxed=tuple(outcome.utilities[0].tolist()),
            realised=tuple(np.asarray(realised, float).tolist()),
            players_regret=float(outcome.regret[choice]),
            principal_regret=float(welfare.max() - welfare[choice]),
            next_state=int(after),
        )
        entry = replace(entry, digest=_digest(before, entry))
        log = replace(log, rounds=(*log.rounds, entry))
        state, before = entry.next_state, entry.digest
    return log


def check_votes(votes: object, n_players: int) -> np.ndarray:
    """Validate a ballot of values.

    Raises
    ------
    ValueError
        Not one report a player, or a report outside (0, 1].
    """
    reports = np.asarray(votes, float)
    if reports.shape != (n_players,):
        raise ValueError(
            f"votes: shape {reports.shape}: expected one report for each of "
            f"{n_players} players"
        )
    if not ((reports > 0) & (reports <= 1)).all():
        raise ValueError(f"votes = {reports.tolist()}: expected numbers in (0, 1]")
    return reports
