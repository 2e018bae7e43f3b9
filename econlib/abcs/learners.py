r"""Runs of the five methods, scored as they go.

The budget counts *nodes touched*, one for each action of the traverser that is
simulated; moves of chance and of the other player are free.  Games are scored by the
exploitability of the average policy :math:`C(s,\cdot)/\sum_aC(s,a)`, Cartpole by the
regret :math:`200-\text{score}` of the current policy over episodes without random ends,
decision processes by the value of the greedy policy.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from econlib.abcs.config import CORRECTIONS, DETECTORS, METHODS, OFFICIAL, Config
from econlib.abcs.detection import critical_values
from econlib.abcs.mdp import policy_value
from econlib.abcs.sequence_form import exploitability, sequence_form
from econlib.abcs.simulators import SIDE, Environment, cartpole_scores
from econlib.abcs.tables import COUNTERS, FLAGGED, Tables, make_tables
from econlib.abcs.traversals import advance

__all__ = ["Trace", "average_policy", "cartpole_policy", "solve"]

CAP = 200  # steps of an evaluation episode of Cartpole


@dataclass(frozen=True)
class Trace:
    """One run.

    Attributes
    ----------
    method, detector, environment : str
        What ran where.
    config : Config
        The hyper-parameters that were passed, the same object.
    seed : int
        Of everything random.
    nodes, iterations : ndarray of int, shape (n_points,)
        Nodes touched and iterations at each evaluation.
    scores : dict of str to ndarray, shape (n_points,)
        ``exploitability`` where there is a game, ``regret`` where there is Cartpole,
        ``value`` where there is a decision process (of the greedy policy, at the
        start).
    nonstationary : dict of str to ndarray, shape (n_points,)
        Share of verdicts so far that were nonstationary, defaults not counted:
        ``cart`` and ``game``; not a number where none was given.
    followed : ndarray, shape (n_points,)
        Share of simulated actions that were followed so far.
    policies : ndarray, shape (n_points, n_infosets, n_actions)
        Average policies, kept for small games; empty otherwise.
    greedy : ndarray, shape (n_points, n_infosets)
        Best actions by :math:`Q`, kept likewise.
    policy : ndarray, shape (n_infosets, n_actions)
        Average policy at the end.
    flags : ndarray of bool, shape (n_infosets, n_actions)
        Pairs whose last verdict was nonstationary; those of a fixed detector.
    flagged_after : ndarray of int, shape (n_infosets, n_actions)
        Evaluation at which a pair was first seen flagged; -1 for never.
    first_flag : ndarray of int, shape (n_infosets, n_actions)
        Nodes touched when a test first flagged a pair; -1 for never.
    seconds : float
        Of learning, evaluations left out.
    tables : Tables
        As they are at the end, without the buffer of labels, which is large.
    """

    method: str
    detector: str
    environment: str
    config: Config
    seed: int
    nodes: Int[np.ndarray, " n_points"]
    iterations: Int[np.ndarray, " n_points"]
    scores: dict
    nonstationary: dict
    followed: Float[np.ndarray, " n_points"]
    policies: np.ndarray
    greedy: np.ndarray
    policy: Float[np.ndarray, "n_infosets n_actions"]
    flags: Bool[np.ndarray, "n_infosets n_actions"]
    flagged_after: Int[np.ndarray, "n_infosets n_actions"]
    first_flag: Int[np.ndarray, "n_infosets n_actions"]
    seconds: float
    tables: Tables = field(repr=False)

    def last(self, score: str, n: int = 5) -> float:
        """Mean of a score over the last ``n`` evaluations."""
        return float(self.scores[score][-n:].mean())


def average_policy(tables: Tables) -> Float[np.ndarray, "n_infosets n_actions"]:
    """Policy sums normalised, uniform over legal actions where nothing was added."""
    legal = _legal(tables)
    C = tables.table[:, :, 2]
    mass = C.sum(axis=1, keepdims=True)
    uniform = legal / tables.n_actions[:, None]
    return np.where(mass > 0, C / np.where(mass > 0, mass, 1.0), uniform)


def cartpole_policy(
    tables: Tables, method: str
) -> Float[np.ndarray, "n_infosets n_actions"]:
    r"""Current policy by which Cartpole is scored.

    It is the softmax of :math:`Q\max_aN` (ABCs, MAX-CFR), :math:`Q\min_aN` (Boltzmann
    Q-learning) or of the cumulative values (outcome and external sampling).
    """
    Q, N = tables.table[:, :2, 0], tables.table[:, :2, 1]
    if method == "bql":
        Q = Q * N.min(axis=1, keepdims=True)
    elif method in ("abcs", "max_cfr"):
        Q = Q * N.max(axis=1, keepdims=True)
    with np.errstate(under="ignore"):
        weights = np.exp(np.maximum(Q - Q.max(axis=1, keepdims=True), -700.0))
    return weights / weights.sum(axis=1, keepdims=True)


def solve(
    env: Environment,
    method: str,
    budget: int,
    seed: int,
    config: Config = OFFICIAL,
    *,
    detector: str = "chi2",
    stationary: Bool[np.ndarray, "n_infosets n_actions"] | None = None,
    correction: str = "first",
    n_points: int = 20,
    n_eval: int = 100,
) -> Trace:
    """Learn by one method until a budget of nodes is spent.

    Parameters
    ----------
    env : Environment
        From :mod:`econlib.abcs.simulators`.
    method : {"abcs", "max_cfr", "es", "os", "bql", "es_rm"}
        ABCs, MAX-CFR, external sampling, outcome sampling, Boltzmann Q-learning;
        external sampling with regret matching in place of Hedge.
    budget : int
        Nodes touched, 1 or more; the last iteration is completed.
    seed : int
        0 or more.
    config : Config
        Hyper-parameters.
    detector : {"chi2", "oracle", "always", "never", "sequential"}
        How ABCs judges pairs: by the official test, by ``stationary``, all or none of
        them stationary, or by the sequential test at level ``config.alpha`` for all
        pairs of the run together.
    stationary : ndarray of bool, shape (n_infosets, n_actions)
        For ``"oracle"`` only.
    correction : {"first", "none", "every"}
        Which updates of a nonstationary pair in an iteration are corrected, by ABCs
        and MAX-CFR: the first (the algorithm), none, or every one.
    n_points : int
        Evaluations after the first iteration, evenly spread, 1 or more.
    n_eval : int
        Episodes of an evaluation of Cartpole, 1 or more.

    Returns
    -------
    Trace
        Scores at ``n_points + 1`` or fewer numbers of nodes.

    Raises
    ------
    ValueError
        A bad argument, or a method that does not suit the environment: external
        sampling tries every action, which in Cartpole never ends.
    """
    _check(env, method, budget, seed, detector, stationary, n_points, n_eval)
    root = np.random.SeedSequence(seed)
    rng, coin, judge = (np.random.default_rng(s) for s in root.spawn(3))
    n_pairs = int(env.n_actions.sum())
    threshold = float(np.log(n_pairs / config.alpha))
    critical = critical_values(config.alpha, max(config.buffer + 1, 2))
    if correction not in CORRECTIONS:
        raise ValueError(
            f"correction = {correction!r}: expected one of {', '.join(CORRECTIONS)}"
        )
    tables = make_tables(
        env, config, detector, stationary, critical, threshold, correction
    )
    marks = np.unique(np.ceil(budget * np.arange(1, n_points + 1) / n_points))
    score = _scorer(env, method, n_eval, judge)
    shape = tables.table.shape[:2]
    small = shape[0] * shape[1] <= 100
    rows, kept, greedy = [], [], []
    after = np.full(shape, -1)
    seconds = 0.0
    for mark in [1, *marks.astype(int)]:
        if rows and tables.count[0] >= mark:
            continue
        began = time.perf_counter()
        advance(tables, rng, coin, METHODS[method], env.n_players, int(mark))
        seconds += time.perf_counter() - began
        after[(after < 0) & (tables.memo[:, :, 1] == 2)] = len(rows)
        rows.append((tables.count.copy(), score(tables)))
        if small:
            kept.append(average_policy(tables))
            greedy.append(
                np.where(_legal(tables), tables.table[:, :, 0], -np.inf).argmax(axis=1)
            )
    counts = np.array([c for c, _ in rows])
    return Trace(
        method=method,
        detector=detector,
        environment=env.name,
        config=config,
        seed=seed,
        nodes=counts[:, COUNTERS["nodes"]],
        iterations=counts[:, COUNTERS["iterations"]],
        scores={k: np.array([s[k] for _, s in rows]) for k in rows[0][1]},
        nonstationary={
            "cart": _share(counts, "nonstationary cart", "stationary cart"),
            "game": _share(counts, "nonstationary", "stationary"),
        },
        followed=_share(counts, "followed", "left"),
        policies=np.array(kept).reshape(-1, *shape),
        greedy=np.array(greedy, dtype=int).reshape(-1, shape[0]),
        policy=average_policy(tables),
        flags=(tables.memo[:, :, 1 if detector in ("chi2", "sequential") else 5] == 2)
        & _legal(tables),
        flagged_after=after,
        first_flag=tables.memo[:, :, FLAGGED].copy(),
        seconds=seconds,
        tables=tables._replace(ring=tables.ring[:0].copy()),
    )


def _check(
    env: Environment,
    method: str,
    budget: int,
    seed: int,
    detector: str,
    stationary: np.ndarray | None,
    n_points: int,
    n_eval: int,
) -> None:
    if method not in METHODS:
        raise ValueError(f"method = {method!r}: expected one of {', '.join(METHODS)}")
    if detector not in DETECTORS:
        raise ValueError(
            f"detector = {detector!r}: expected one of {', '.join(DETECTORS)}"
        )
    for name, value, least in (
        ("budget", budget, 1),
        ("seed", seed, 0),
        ("n_points", n_points, 1),
        ("n_eval", n_eval, 1),
    ):
        whole = isinstance(value, int | float | np.integer) and np.isfinite(value)
        if not whole or isinstance(value, bool) or value % 1 or value < least:
            raise ValueError(f"{name} = {value}: expected an integer, {least} or more")
    if method in ("es", "es_rm") and (env.tree is None or env.n_bins):
        raise ValueError(
            f"method = {method!r}: external sampling tries every action of every "
            f"state, which does not end in {env.name}"
        )
    shape = (len(env.n_actions), int(env.n_actions.max()))
    if detector == "oracle" and np.shape(stationary) != shape:
        raise ValueError(
            f"stationary: shape {np.shape(stationary)}: expected {shape} for the oracle"
        )
    if detector != "oracle" and stationary is not None:
        raise ValueError("stationary: only for detector = 'oracle'")


def _legal(tables: Tables) -> np.ndarray:
    return np.arange(tables.table.shape[1]) < tables.n_actions[:, None]


def _share(counts: np.ndarray, yes: str, no: str) -> np.ndarray:
    a = counts[:, COUNTERS[yes]].astype(float)
    total = a + counts[:, COUNTERS[no]]
    return np.where(total > 0, a / np.maximum(total, 1), np.nan)


def _scorer(env: Environment, method: str, n_eval: int, rng: np.random.Generator):
    """Function from tables to the scores that the environment has."""
    form = sequence_form(env.tree) if env.tree is not None else None
    out = np.zeros(n_eval)
    bins = int(env.simulator.rules[SIDE])

    def score(tables: Tables) -> dict:
        found = {}
        if form is not None:
            policy = average_policy(tables)[env.n_bins :, : env.tree.max_actions]
            found["exploitability"] = exploitability(form, policy)
        if env.n_bins:
            policy = cartpole_policy(tables, method)[: env.n_bins]
            cartpole_scores(policy, bins, CAP, rng, out)
            found["regret"] = CAP - float(out.mean())
        if env.mdp is not None:
            values = policy_value(env.mdp, tables.table[:, :, 0].argmax(axis=1))
            found["value"] = float(env.mdp.start @ values)
        return found

    return score
