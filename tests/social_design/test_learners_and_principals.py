"""Learners: against exact answers, gradients, the API of the environment, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pettingzoo.test import parallel_api_test

from econlib.social_design.env import HarvestEnv
from econlib.social_design.harvest import HarvestLite
from econlib.social_design.learners import QEnsemble
from econlib.social_design.ppo import _advantages, train_ppo
from econlib.social_design.principals import (
    CategoricalPrincipal,
    run_bandit,
    run_gradient,
    run_joint,
)
from econlib.social_design.schedules import rate_grid

BASE = HarvestLite()


def test_players_learn_the_free_market_and_come_near_elsewhere():
    rates = np.array([[0, 0], [0.1, 0.37], [0.8, 0.8], [0.9, 0.9]])
    players = QEnsemble(BASE, rates, seed=3).train()
    play, exact = players.value(), BASE.solve(rates).values[:, 8].mean(axis=1)
    learned = play.utilities[:, 8].mean(axis=1)
    assert learned[:2].tolist() == pytest.approx([1.475, 1.475], abs=1e-3)
    assert (learned[2:] >= 0.92 * exact[2:]).all()
    assert (players.done == 6000).all()


def test_one_player_alone_learns_the_optimum():
    game = HarvestLite((0.2,), 4, 4, 0.8)
    players = QEnsemble(game, np.zeros((1, 2)), seed=0, updates=8000).train()
    best = game.solve(np.zeros((1, 2)), select="planner").values[0, 4, 0]
    play = players.value()
    assert play.utilities[0, 4, 0] >= 0.97 * best
    gap = play.utilities[0, 4, 0] + play.exploitability[0, 4, 0] - best
    assert abs(gap) <= 1e-9


def test_the_same_seed_learns_the_same_and_another_does_not():
    tables = [
        QEnsemble(BASE, rate_grid(0.5), seed, updates=20).train().table
        for seed in (0, 0, 1)
    ]
    assert (tables[0] == tables[1]).all()
    assert not (tables[0] == tables[2]).all()


def test_annealed_taxes_end_at_their_full_size():
    rates = np.array([[1.0, 1.0]])
    early = QEnsemble(HarvestLite(horizon=1), rates, anneal=1.0, updates=10**6)
    earned = early.learn(np.zeros(1, int), 3000)[0]
    late = QEnsemble(HarvestLite(horizon=1), rates, anneal=0.5, updates=100).train()
    plain = QEnsemble(HarvestLite(horizon=1), rates, updates=100).train()
    assert earned.max() - earned.min() > 0.2  # hardly any sharing yet
    assert late.table.shape == plain.table.shape
    assert not (late.table == plain.table).all()


def test_only_chosen_schedules_are_updated():
    players = QEnsemble(BASE, rate_grid(0.5), updates=10)
    earned = players.learn(np.array([4, 0, 4]), 3)
    assert players.done.tolist() == [3, 0, 0, 0, 6, 0, 0, 0, 0]
    assert earned.shape == (3, 4)
    assert not players.table[1].any()


def test_shared_network_improves_on_random_play():
    rates = np.array([[0.9, 0.9]])
    even = np.full((1, 8, 9, 4, 3), 1 / 3)
    before = BASE.evaluate(rates, even).utilities[0, 8].mean()
    fit = train_ppo(BASE, rates, 30, lr=3e-3, envs=32, minibatch=512, device="cpu")
    after = BASE.evaluate(rates, fit.mixed).utilities[0, 8].mean()
    assert after > before + 0.3
    assert fit.n_updates == len(fit.welfare) == 30
    assert np.abs(fit.mixed.sum(axis=-1) - 1).max() <= 1e-9


def test_advantages_without_a_trace_or_with_a_full_one():
    r, v = torch.rand(5, 3), torch.rand(5, 3)
    ahead = torch.cat([v[1:], torch.zeros(1, 3)])
    td = r + 0.9 * ahead - v
    assert torch.allclose(_advantages(r, v, 0.9, 0.0), td)
    full = _advantages(r, v, 1.0, 1.0)
    assert torch.allclose(full, r.flip(0).cumsum(0).flip(0) - v, atol=1e-6)


def test_bandits_find_the_best_of_a_few_arms():
    welfare = np.array([1.0, 3.0, 2.0])
    for kind in ("ucb", "eps"):
        run = run_bandit(kind, welfare, 500, seeds=(0, 1, 2))
        assert run.choice.tolist() == [1, 1, 1]
        assert (run.pulls[:, :3] == [0, 1, 2]).all()


def test_without_noise_a_greedy_bandit_never_errs():
    run = run_bandit("eps", np.array([0.3, 0.1, 0.9]), 50, noise=0.0, explore=0.0)
    assert (run.pulls[0, 3:] == 2).all()


def test_gradient_is_the_gradient():
    principal = CategoricalPrincipal(2, 4, (0, 1), entropy=0.3)
    rng = np.random.default_rng(0)
    principal.logits = rng.normal(size=(2, 2, 4))
    picks, outcome = principal.sample(6), rng.normal(size=(2, 6))
    logits = torch.tensor(principal.logits, requires_grad=True)
    logs = torch.log_softmax(logits, dim=-1)
    adv = outcome - outcome.mean(axis=1, keepdims=True)
    adv = torch.tensor(adv / (outcome.std(axis=1, keepdims=True) + 1e-8))
    chosen = logs.gather(-1, torch.tensor(picks).movedim(1, 2)).sum(dim=1)
    spread = -(logs.exp() * logs).sum()
    ((adv * chosen).mean(dim=1).sum() + 0.3 * spread).backward()
    assert np.abs(principal.gradient(picks, outcome) - logits.grad.numpy()).max() < 1e-9


def test_an_update_moves_the_principals_own_parameters():
    principal = CategoricalPrincipal(2, 11)
    before, picks = principal.logits.copy(), principal.sample(8)
    principal.update(picks, np.arange(8.0)[None])
    assert np.abs(principal.logits - before).max() > 0.01


def test_policy_gradient_finds_a_peak():
    grid = rate_grid(0.25)
    welfare = -((grid - [0.75, 0.5]) ** 2).sum(axis=1)
    run = run_gradient(welfare, 2, 4000, noise=0.05, seeds=(0, 1))
    assert grid[run.choice].tolist() == [[0.75, 0.5]] * 2


def test_joint_run_counts_rounds_and_trains_where_it_tries():
    players = QEnsemble(BASE, rate_grid(0.5), updates=50)
    run = run_joint(players, lambda u: u.mean(axis=-1), 2, 20, 3, n_log=5)
    assert run.rounds[-1] == 20 * 16 * 3 * 8 == players.done.sum() * 8
    assert len(run.choice) == len(run.outcome) == 5


def test_the_environment_keeps_the_parallel_api():
    env = HarvestEnv(rates=(0.6, 1.0))
    parallel_api_test(env, num_cycles=60)  # asserts inside
    assert env.possible_agents == [f"player_{i}" for i in range(4)]


def test_the_environment_plays_the_game_that_is_solved():
    rates, game = np.array([[0.8, 0.8]]), HarvestLite(horizon=5)
    answer, total = game.solve(rates), np.zeros((300, 4))
    env = HarvestEnv(game, rates[0])
    for episode in range(300):
        seen, _ = env.reset(seed=episode)
        for t in range(game.horizon):
            stock = round(float(seen["player_0"][4]) * game.capacity)
            picks = game.profiles[answer.policy[0, t, stock]]
            actions = {f"player_{i}": picks[i] for i in range(4)}
            seen, reward, *_ = env.step(actions)
            total[episode] += list(reward.values())
    error = total.std(axis=0) / np.sqrt(300) + 1e-9
    assert (np.abs(total.mean(axis=0) - answer.values[0, 8]) <= 5 * error).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: QEnsemble(BASE, rate_grid(0.5), envs=0), "envs = 0"),
        (lambda: QEnsemble(BASE, rate_grid(0.5) * 2), "rates: 2 found"),
        (lambda: QEnsemble(BASE, rate_grid(0.5)).learn(np.array([0]), 0), "times = 0"),
        (lambda: QEnsemble(BASE, rate_grid(0.5), anneal=2.0), "anneal = 2.0"),
        (lambda: train_ppo(BASE, rate_grid(0.5), 0), "n_updates = 0"),
        (lambda: train_ppo(BASE, rate_grid(0.5), 1, gamma=1.5), "gamma = 1.5"),
        (lambda: run_bandit("thompson", np.ones(3), 9), "kind = 'thompson'"),
        (lambda: run_bandit("ucb", np.ones(30), 9), "one for each of 30 arms"),
        (lambda: run_bandit("ucb", np.ones(3), 9, noise=-1.0), "noise = -1.0"),
        (lambda: run_gradient(np.ones(30), 2, 900), "no full grid"),
        (lambda: CategoricalPrincipal(0, 11), "heads = 0"),
        (lambda: HarvestEnv(rates=(0.5, 1.5)), "rates: 1.5 found"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
