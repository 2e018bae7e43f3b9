"""Learners of the Coin Game: their updates, what they reach, how they are judged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from econlib.contracts import coin_deep
from econlib.contracts.coin_deep import (
    DeepConfig,
    StackedNet,
    train_deep,
    validate_deep,
)
from econlib.contracts.coin_exact import CoinQuotient
from econlib.contracts.coin_game import CoinRules
from econlib.contracts.coin_judge import (
    LearnedContracts,
    judge,
    play,
    sample_episodes,
    share_split,
)
from econlib.contracts.coin_replay import PrioritizedReplay
from econlib.contracts.coin_solution import solve_coin
from econlib.contracts.coin_tabular import train_tabular, validate_tabular


def exact_contracts(found):
    """Exact contracts of a symmetric board in the learners' form."""
    rec, board = found.contracts.recommend, found.board
    q = np.eye(4)[rec[:, 0]]
    phi = found.contracts.q_agents[0]
    return LearnedContracts.from_tables(q, np.stack([phi, phi])), board


@pytest.mark.parametrize("seed", [0, 1])
def test_tables_reach_the_exact_optimum_and_payments_in_the_right_range(seed):
    board = CoinQuotient()
    run = train_tabular(board, 12_000, 256, seed=seed, n_kept=2)
    got = judge(board, LearnedContracts.from_tables(run.q[-1], run.phi[-1]))
    assert got.followed.welfare > 0.985 * 13.86
    assert got.followed.share == pytest.approx(0.1584, abs=0.05)
    assert 0.95 < got.spe <= 1 + 1e-9
    live = board.start > 0
    value = run.q[-1].max(axis=1)
    total = (value + value[board.swap])[live].mean()
    assert total == pytest.approx(68, abs=4)  # below 69.5, what welfare is worth


def test_fresh_tables_follow_exact_contracts_with_a_nudge():
    found = solve_coin(CoinRules())
    contracts, board = exact_contracts(found)
    run = validate_tabular(board, contracts, 0.2, 8000, 256, seed=0, n_kept=1)
    got = play(board, contracts, run.psi[-1], 0.2)
    assert got.follow > 0.97
    assert got.welfare > 0.95 * 13.86


def test_the_other_rules_are_learned_too():
    board = CoinQuotient(CoinRules(2, 10, "share", "alternate", 0.5))
    act, _ = board.optimum(board.reward.sum(axis=-1))
    best = board.rollout(np.eye(16)[act], board.reward.sum(axis=-1))
    run = train_tabular(board, 4000, 64, seed=0, n_kept=1)
    got = judge(board, LearnedContracts.from_tables(run.q[-1], run.phi[-1]))
    assert got.followed.welfare > 0.95 * best


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_looked_up_convolution_is_the_wrapped_one(size):
    board = CoinQuotient(CoinRules(size))
    net = StackedNet(2, size, 0, torch.Generator().manual_seed(0))
    cells = torch.from_numpy(coin_deep._views(board))
    got = net(cells[None].expand(2, -1, -1))
    x = torch.zeros(board.n_states, 4 * size * size)
    x[:, 0] = 1
    x.scatter_(1, cells, 1.0)
    x = functional.pad(x.reshape(-1, 4, size, size), (1, 2, 1, 2), mode="circular")
    for r in range(2):
        h = functional.conv2d(x, net.kernel[r], net.offset[r]).flatten(2)
        h = h.transpose(1, 2).reshape(board.n_states, -1).relu()
        for k in range(3):
            h = h @ net.weights[k][r] + net.biases[k][r]
            h = h.relu() if k < 2 else h
        assert (h - got[r]).abs().max() < 1e-5


def test_networks_learn_and_repeat_themselves():
    board = CoinQuotient(CoinRules(3, 20))
    short = DeepConfig(iters=10, boards=4)
    once, again = (train_deep(board, short, (0, 1), n_kept=2).tables for _ in "12")
    assert (once == again).all()
    config = DeepConfig(iters=30, boards=16, lr=(2e-3, 1e-3))
    first = train_deep(board, config, (0, 1), n_kept=2)
    assert first.tables.shape == (2, 2, 3, 162, 4)
    kept = [LearnedContracts.from_tables(t[0], t[1:]) for t in first.tables[-1]]
    welfare = [judge(board, c).followed.welfare for c in kept]
    assert min(welfare) > 3.5  # uniform play has 2.6
    fresh = validate_deep(board, kept, [0.0, 0.1], short, 0, n_kept=1)
    assert fresh.tables.shape == (1, 2, 2, 162, 4)
    assert np.isfinite(fresh.tables).all()


def test_robust_training_differs_from_plain_training():
    board = CoinQuotient(CoinRules(2, 10))
    tables = [
        train_deep(board, DeepConfig(10, robust=r), (3,), n_kept=1).tables
        for r in (True, False)
    ]
    assert np.abs(tables[0] - tables[1]).max() > 1e-4


def test_replay_draws_by_priority_and_forgets_the_oldest():
    replay = PrioritizedReplay(2, 5, 1)
    replay.add(np.arange(14.0).reshape(2, 7, 1))
    assert sorted(replay.rows[0, :, 0]) == [2, 3, 4, 5, 6]
    errors = np.array([[1.0, 0, 0, 0, 3.0], [0, 0, 2.0, 0, 0]])
    replay.update(np.tile(np.arange(5), (2, 1)), errors)
    where, rows = replay.sample(20_000, np.random.default_rng(0))
    law = (errors + 1e-7) ** 0.4
    law /= law.sum(axis=1, keepdims=True)
    for r in range(2):
        got = np.bincount(where[r], minlength=5) / 20_000
        assert np.abs(got - law[r]).max() < 0.015
        assert (rows[r, :, 0] == replay.rows[r, where[r], 0]).all()


def test_sampled_episodes_average_the_exact_outcome():
    found = solve_coin(CoinRules())
    contracts, board = exact_contracts(found)
    psi = np.random.default_rng(0).random((2, 162, 4))
    exact = play(board, contracts, psi, 0.1)
    rows = sample_episodes(board, contracts, psi, 0.1, 5000, 1)
    error = rows.std(axis=0) / np.sqrt(5000)
    truth = np.array([exact.welfare, exact.paid, exact.follow])
    assert (np.abs(rows.mean(axis=0) - truth) < 4.5 * error + 1e-12).all()


def test_parts_of_the_share_add_up_and_vanish_for_exact_contracts():
    found = solve_coin(CoinRules())
    contracts, board = exact_contracts(found)
    split = share_split(board, contracts, found.followed.share, 0.05)
    total = split["exact"] + split["advice"] + split["values"] + split["nudge"]
    assert total == pytest.approx(split["total"])
    share = 0.05 * 2 * 20 / judge(board, contracts).followed.welfare
    assert split["nudge"] == pytest.approx(share)


def test_bad_arguments_are_refused():
    board = CoinQuotient(CoinRules(2))
    with pytest.raises(ValueError, match="steps = 0"):
        train_tabular(board, 0)
    with pytest.raises(ValueError, match="n_kept = 9"):
        train_tabular(board, 5, 2, n_kept=9)
    with pytest.raises(ValueError, match="alpha = -1"):
        train_tabular(board, 50, 2, alpha=-1.0)
    with pytest.raises(ValueError, match="batch = 0"):
        DeepConfig(batch=0)
    with pytest.raises(ValueError, match="nudges: 1 of them"):
        validate_deep(board, [], [0.1], DeepConfig(10))
    with pytest.raises(ValueError, match="capacity = 0"):
        PrioritizedReplay(1, 0, 1)
