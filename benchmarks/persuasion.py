"""Replies, utilities and networks of persuasion games, beside the obvious routes."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import torch

from benchmarks.record import Timing, alternate
from econlib.persuasion.best_response import reply_by_integers
from econlib.persuasion.cones import reply_by_cones
from econlib.persuasion.examples import match_game
from econlib.persuasion.games import (
    PersuasionGame,
    random_rules,
    utilities,
    utilities_batch,
)
from econlib.persuasion.stacks import fit_stack
from econlib.persuasion.study import KINDS, network
from econlib.persuasion.surrogates import draw_profiles

__all__ = ["measure"]


def _modelled(game: PersuasionGame, rules: list, sender: int) -> float:
    """The mixed-integer program of a reply in a modelling language."""
    q = rules[1 - sender].T
    (T, m), n = q.shape, game.n_actions
    k = rules[sender].shape[1]
    x = cp.Variable((k, m), nonneg=True)
    rows, worth = [cp.sum(x, axis=0) == game.prior], 0
    for s in range(k):
        for t in range(T):
            z = cp.Variable(n, boolean=True)
            y = cp.Variable((n, m), nonneg=True)
            rows += [cp.sum(z) == 1, cp.sum(y, axis=0) == x[s]]
            rows.append(y <= cp.reshape(z, (n, 1), order="C") @ game.prior[None])
            for a in range(n):
                better = game.receiver[:, [a]] - game.receiver
                rows.append(cp.multiply(y[a], q[t]) @ better >= 0)
            weights = q[t] * game.senders[sender].T
            worth += cp.sum(cp.multiply(weights, y))
    problem = cp.Problem(cp.Maximize(worth), rows)
    return float(problem.solve(solver=cp.HIGHS))


def _replies(n_runs: int, m: int) -> list[Timing]:
    games = [match_game(2, m, m, seed) for seed in range(5)]
    drawn = [random_rules(g, m, np.random.default_rng(5)) for g in games]
    pairs = list(zip(games, drawn, strict=True))

    def cones() -> list:
        return [reply_by_cones(g, r, 0).value for g, r in pairs]

    def integers() -> list:
        return [reply_by_integers(g, r, 0).value for g, r in pairs]

    def modelled() -> list:
        return [_modelled(g, r, 0) for g, r in pairs]

    off = float(np.abs(np.subtract(cones(), modelled())).max())
    also = float(np.abs(np.subtract(integers(), modelled())).max())
    task = f"five best responses, 2 senders, {m} states, actions and signals"
    peer = "the same mixed-integer program in cvxpy, HiGHS"
    return [
        Timing(
            task=task,
            ours_is="econlib.persuasion.cones.reply_by_cones",
            peer_is=peer,
            **alternate({"ours": cones, "peer": modelled}, n_runs),
            quality={"largest difference": off},
        ),
        Timing(
            task=task,
            ours_is="econlib.persuasion.best_response.reply_by_integers",
            peer_is=peer,
            **alternate({"ours": integers, "peer": modelled}, n_runs),
            quality={"largest difference": also},
        ),
    ]


def _profiles(n_runs: int, n: int) -> Timing:
    game = match_game(2, 3, 3, 0)
    rules = draw_profiles(game, 3, n, np.random.default_rng(0)).double()
    listed = [list(profile) for profile in rules.numpy()]

    def ours() -> np.ndarray:
        return utilities_batch(game, rules).numpy()

    def peer() -> np.ndarray:
        return np.array([utilities(game, profile) for profile in listed])

    off = float(np.abs(ours() - peer()).max())
    return Timing(
        task=f"utilities of {n} profiles, 2 senders, 3 states, actions and signals",
        ours_is="econlib.persuasion.games.utilities_batch",
        peer_is="one profile after another",
        **alternate({"ours": ours, "peer": peer}, n_runs),
        quality={"largest difference": off},
    )


def _networks(n_runs: int, kind: str, n_nets: int) -> Timing:
    torch.set_num_threads(1)
    game = match_game(2, 3, 3, 0)
    rules = draw_profiles(game, 3, 4000, np.random.default_rng(0))
    target = utilities_batch(game, rules.double()).float()
    target = ((target - target.mean(0)) / target.std(0)).expand(n_nets, -1, -1)
    inputs = rules.expand(n_nets, *rules.shape)
    options = {"n_steps": 200, "lr": KINDS[kind]}

    def error(nets: list) -> float:
        with torch.no_grad():
            return float(
                np.mean([float((f(rules) - target[0]).square().mean()) for f in nets])
            )

    def ours() -> float:
        nets = [network(kind, game, 3, seed=s) for s in range(n_nets)]
        fit_stack(nets, inputs, target, **options)
        return error(nets)

    def peer() -> float:
        nets = [network(kind, game, 3, seed=s) for s in range(n_nets)]
        for s, net in enumerate(nets):
            optimiser = torch.optim.Adam(net.parameters(), lr=KINDS[kind])
            source = torch.Generator().manual_seed(s)
            for _ in range(200):
                index = torch.randint(4000, (128,), generator=source)
                optimiser.zero_grad()
                (net(rules[index]) - target[0, index]).square().mean().backward()
                optimiser.step()
        return error(nets)

    return Timing(
        task=f"{n_nets} networks ({kind}) on rules of three states, 200 steps of 128",
        ours_is="econlib.persuasion.stacks.fit_stack, all in lockstep",
        peer_is="a torch loop, one network after another",
        **alternate({"ours": ours, "peer": peer}, n_runs),
        quality={"our mean error": ours(), "the peer's": peer()},
    )


def measure(n_runs: int = 5) -> list[Timing]:
    """Time both sides in turn: replies, utilities, and networks."""
    return [
        *_replies(n_runs, 3),
        _profiles(n_runs, 5000),
        _networks(n_runs, "ReLU", 10),
        _networks(n_runs, "GML", 10),
    ]
