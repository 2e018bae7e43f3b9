"""Boards of the Coin Game: their moves, pick-ups and views, and the environment."""

from __future__ import annotations

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test

from econlib.contracts.coin_env import CoinEnv
from econlib.contracts.coin_exact import CoinQuotient
from econlib.contracts.coin_game import CoinGame, CoinRules


@pytest.mark.parametrize("size", [2, 3, 4, 7])
@pytest.mark.parametrize("pickup", ["single", "share"])
@pytest.mark.parametrize("colour", ["random", "alternate"])
def test_sampled_steps_are_those_of_the_quotient(size, pickup, colour):
    rules = CoinRules(size, 20, pickup, colour, 0.3)
    board, game = CoinQuotient(rules), CoinGame(3000, rules, 1)
    rng = np.random.default_rng(2)
    for _ in range(10):
        s = game.relative()
        assert (board.start[s] > 0).all() or game.t > 0
        act = rng.integers(4, size=(3000, 2))
        reward, picked = game.step(act)
        code = act[:, 0] * 4 + act[:, 1]
        assert (picked == (board.picked[s, code] > 0)).all()
        stay = ~picked
        assert (game.relative()[stay] == board.next_state[s, code][stay]).all()
        lone = board.picked[s, code] != 3
        assert np.abs(reward - board.reward[s, code])[lone].max() < 1e-12
        total = reward.sum(axis=1)[~lone]
        if pickup == "single":
            assert np.isin(total.round(9), [1.0, 0.3]).all()
        else:
            assert np.abs(total - 1.3).max(initial=0) < 1e-12
        places = game.places[picked]
        assert (places[:, :2] != places[:, 2:]).all()
        if colour == "alternate":
            assert (game.colours[picked] == 1 - s[picked] % 2).all()


def test_new_coins_fall_on_every_free_cell_alike():
    game = CoinGame(40_000, CoinRules(3), 0)
    shift = game.places[:, 1] - game.places[:, 0]
    fixed = (game.places[:, 0] == 4) & (shift == 2)
    counts = np.bincount(game.places[fixed, 2], minlength=9)
    assert counts[4] == counts[6] == 0
    assert np.abs(counts[counts > 0] / counts.sum() - 1 / 7).max() < 0.04


def test_channels_show_me_first_and_coins_by_owner():
    game = CoinGame(50, CoinRules(4), 3)
    red, blue = game.channels(0), game.channels(1)
    assert (red[:, 0] == blue[:, 1]).all()
    assert (red[:, 2] == blue[:, 3]).all()
    assert (red.sum(axis=(1, 2, 3)) == 3).all()
    assert (red[:, 2].sum(axis=(1, 2)) == (game.colours == 0)).all()


def test_blue_sees_the_swapped_board():
    for size in (2, 3, 5):
        board = CoinQuotient(CoinRules(size))
        assert (board.swap[board.swap] == np.arange(board.n_states)).all()
        mirrored = board.reward.reshape(-1, 4, 4, 2)[board.swap]
        ours = board.reward.reshape(-1, 4, 4, 2)
        assert np.abs(mirrored.transpose(0, 2, 1, 3)[..., ::-1] - ours).max() < 1e-12


def test_the_environment_keeps_the_parallel_api(capsys):
    parallel_api_test(CoinEnv(CoinRules(3)), num_cycles=100)
    env = CoinEnv(CoinRules(5, 7))
    first, _ = env.reset(seed=4)
    again, _ = env.reset(seed=4)
    assert all((first[k] == again[k]).all() for k in first)
    for t in range(7):
        *_, over, _ = env.step({"red": t % 4, "blue": 1})
    assert all(over.values()) and env.agents == []


def test_bad_rules_are_named_together():
    with pytest.raises(ValueError, match=r"size = 1.*other_reward = 2"):
        CoinRules(1, other_reward=2.0)
    with pytest.raises(ValueError, match="pickup = 'both'"):
        CoinRules(pickup="both")
    with pytest.raises(ValueError, match="n_envs = 0"):
        CoinGame(0)
    with pytest.raises(ValueError, match="gamma = 1"):
        CoinQuotient(gamma=1.0)
