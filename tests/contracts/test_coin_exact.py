"""The solved Coin Game against published tables, brute force and sampling."""

from __future__ import annotations

import numpy as np
import pytest

from econlib.contracts.coin_equilibria import (
    constant_proportion,
    contract_ratios,
    markov_equilibrium,
    minimal_payments,
    outcome,
    principal_fixed_point,
)
from econlib.contracts.coin_exact import CoinQuotient, joint, pure
from econlib.contracts.coin_game import CoinGame, CoinRules


def solved(board, alpha=0.1, initial=None):
    found = principal_fixed_point(board, alpha, initial)
    pair = [pure(found.recommend[:, i]) for i in range(2)]
    both = np.stack([found.payments, found.payments], axis=1)
    return found, outcome(board, *pair, found.recommend, both)


@pytest.mark.parametrize(
    ("size", "horizon", "pickup", "colour", "finite", "welfare", "paid"),
    [
        (3, 20, "single", "random", 13.9000, 13.8600, 2.1955),
        (3, 20, "single", "alternate", 13.9000, 13.8600, 2.6606),
        (3, 20, "share", "random", 15.8095, 15.8095, 0.1698),
        (3, 20, "share", "alternate", 15.8095, 15.8095, 0.1597),
    ],
)
def test_fixed_points_of_small_boards(
    size, horizon, pickup, colour, finite, welfare, paid
):
    board = CoinQuotient(CoinRules(size, horizon, pickup, colour))
    found, got = solved(board)
    assert found.converged and found.gain < 1e-8
    assert board.finite_optimum() == pytest.approx(finite, abs=6e-5)
    assert got.welfare == pytest.approx(welfare, abs=6e-5)
    # with alternating colours, payments depend on how ties of the optimum are broken
    assert got.paid == pytest.approx(paid, abs=5e-3)
    assert got.follow == pytest.approx(1)


def test_the_large_board_has_the_published_optimum_and_random_welfare():
    board = CoinQuotient(CoinRules(7, 50))
    act, _ = board.optimum(board.reward.sum(axis=-1))
    weights = np.eye(16)[act]
    assert board.finite_optimum() == pytest.approx(15.2490, abs=6e-5)
    welfare = board.rollout(weights, board.reward.sum(axis=-1))
    assert welfare == pytest.approx(15.2165, abs=6e-5)
    uniform = np.full((board.n_states, 16), 1 / 16)
    random = board.rollout(uniform, board.reward.sum(axis=-1))
    assert random == pytest.approx(0.8635, abs=6e-5)


@pytest.mark.parametrize(
    ("pickup", "colour", "value"),
    [("single", "random", 2.5718), ("share", "alternate", 2.7227)],
)
def test_uniform_play_of_small_boards(pickup, colour, value):
    board = CoinQuotient(CoinRules(3, 20, pickup, colour))
    uniform = np.full((162, 16), 1 / 16)
    got = board.rollout(uniform, board.reward.sum(axis=-1))
    assert got == pytest.approx(value, abs=6e-5)


def test_a_rollout_is_the_mean_of_sampled_episodes():
    rules = CoinRules(4, 15, "share", "alternate", 0.4)
    board, game = CoinQuotient(rules), CoinGame(20_000, rules, 5)
    rng = np.random.default_rng(6)
    red, blue = rng.dirichlet(np.ones(4), (2, board.n_states))
    total = np.zeros(20_000)
    for _ in range(15):
        s = game.relative()
        u = rng.random((20_000, 2))
        act = [
            (p[s].cumsum(axis=1) < u[:, i : i + 1]).sum(axis=1)
            for i, p in enumerate((red, blue))
        ]
        total += game.step(np.stack(act, axis=1))[0].sum(axis=1)
    exact = board.rollout(joint(red, blue), board.reward.sum(axis=-1))
    assert abs(total.mean() - exact) < 4 * total.std() / np.sqrt(20_000)


def test_sparse_and_dense_values_agree_and_solve_bellmans_equation():
    board = CoinQuotient(CoinRules(5, 20, "single", "alternate", 0.5), gamma=0.97)
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(16), board.n_states)
    reward = rng.normal(size=(board.n_states, 16))
    value = board.evaluate(weights, reward)
    assert np.abs(board.transition(weights).sum(axis=1) - 1).max() < 1e-12
    back = (weights * (reward + 0.97 * board.cont(value))).sum(axis=1)
    assert np.abs(value - back).max() < 1e-8
    act, q = board.optimum(reward)
    best = q.max(axis=1)
    assert np.abs(best - (reward + 0.97 * board.cont(best)).max(axis=1)).max() < 1e-6
    assert (best >= value - 1e-8).all()
    assert (q[np.arange(board.n_states), act] >= best - 1e-7).all()


def test_no_policy_of_one_player_beats_the_best_response():
    board = CoinQuotient(CoinRules(2, 10), gamma=0.8)
    rng = np.random.default_rng(1)
    other = rng.dirichlet(np.ones(4), board.n_states)
    for player in (0, 1):
        reward = board.reward[..., player]
        best = board.best_response(player, other, reward).max(axis=1)
        for _ in range(200):
            mine = pure(rng.integers(4, size=board.n_states))
            pair = (mine, other) if player == 0 else (other, mine)
            assert (board.evaluate(joint(*pair), reward) <= best + 1e-9).all()


def test_contracts_make_following_optimal_whether_the_other_follows_or_not():
    board = CoinQuotient()
    found, _ = solved(board)
    red = pure(found.recommend[:, 0])
    none = np.zeros(162)
    ratio = contract_ratios(board, found.recommend, found.payments[1], red)
    bare = contract_ratios(board, found.recommend, none, red)
    assert ratio == pytest.approx(1, abs=1e-6)
    assert bare == pytest.approx(0.8653, abs=1e-4)
    selfish = markov_equilibrium(board, max_iter=60)
    q = board.best_response(1, selfish.red, board.reward[..., 1])
    due = minimal_payments(q, found.recommend[:, 1])
    right = contract_ratios(board, found.recommend, due, selfish.red)
    wrong = contract_ratios(board, found.recommend, found.payments[1], selfish.red)
    assert right == pytest.approx(1, abs=1e-6)
    assert wrong < 0.98


def test_no_one_shot_deviation_pays_at_the_fixed_point():
    board = CoinQuotient(CoinRules(3, 20, "single", "alternate", 0.1))
    found, _ = solved(board)
    for i in range(2):
        other = pure(found.recommend[:, 1 - i])
        follows = np.divmod(np.arange(16), 4)[i] == found.recommend[:, i : i + 1]
        paid = board.reward[..., i] + follows * found.payments[i][:, None]
        best = board.best_response(i, other, paid)
        chosen = best[np.arange(162), found.recommend[:, i]]
        assert (best.max(axis=1) - chosen).max() < 1e-7


def test_tie_breaks_of_the_optimum_do_not_move_welfare_or_share():
    board = CoinQuotient()
    _, q = board.optimum(board.reward.sum(axis=-1))
    for seed in range(5):
        noise = np.random.default_rng(seed).random(q.shape)
        ties = q >= q.max(axis=1, keepdims=True) - 1e-8
        start = np.where(ties, noise, -1).argmax(axis=1)
        initial = np.stack(np.divmod(start, 4), axis=1)
        _, got = solved(board, initial=initial)
        assert got.welfare == pytest.approx(13.86, abs=1e-4)
        assert got.share == pytest.approx(0.1584, abs=2e-3)


def test_selfish_play_is_an_equilibrium_up_to_its_regret_and_wasteful():
    single = CoinQuotient()
    shared = CoinQuotient(CoinRules(pickup="share"))
    for board, low, high in ((single, 0.65, 0.9), (shared, 0.95, 1.0)):
        found = markov_equilibrium(board, max_iter=60)
        reward = board.reward[..., 0]
        value = board.evaluate(joint(found.red, found.blue), reward)
        q = board.one_shot(0, found.blue, reward + 0.99 * board.cont(value))
        gain = (q.max(axis=1) - (found.red * q).sum(axis=1)).max()
        assert gain == pytest.approx(found.regret, abs=1e-5)
        assert found.regret < 0.003
        act, _ = board.optimum(board.reward.sum(axis=-1))
        best = board.rollout(np.eye(16)[act], board.reward.sum(axis=-1))
        assert low < outcome(board, found.red, found.blue).welfare / best < high


def test_constant_proportions_pay_their_share_and_order_welfare():
    board = CoinQuotient()
    extra = constant_proportion(board, 0.3) - board.reward
    assert np.allclose(extra.sum(axis=-1), 0.3 * board.reward.sum(axis=-1))
    equal = constant_proportion(board, 0.3, "equal") - board.reward
    assert np.allclose(equal.sum(axis=-1), 0.3 * board.reward.sum(axis=-1))
    welfare = []
    for p in (0.0, 0.1584, 1.0):
        found = markov_equilibrium(board, constant_proportion(board, p), max_iter=60)
        welfare.append(outcome(board, found.red, found.blue).welfare)
    assert welfare[0] + 1 < welfare[1] < welfare[2] <= 13.86 + 1e-6
    assert welfare[2] > 13.6


def test_a_cycle_is_reported_with_what_the_principal_has_to_gain():
    board = CoinQuotient(CoinRules(5, 20, other_reward=0.5))
    found, _ = solved(board)
    assert not found.converged
    assert found.period != 1
    assert 0 < found.gain < 0.5


def test_bad_arguments_are_refused():
    board = CoinQuotient(CoinRules(2))
    with pytest.raises(ValueError, match="alpha = -1"):
        principal_fixed_point(board, -1.0)
    with pytest.raises(ValueError, match="share = 2"):
        constant_proportion(board, 2.0)
    with pytest.raises(ValueError, match="variant = 'mean'"):
        constant_proportion(board, 0.5, "mean")
