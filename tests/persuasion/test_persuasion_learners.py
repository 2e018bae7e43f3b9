"""Networks, fits and climbing: exact members of each class, closed forms, errors."""

from __future__ import annotations

import math

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from econlib.persuasion.ascent import climb, field, project_simplex, soft_utilities
from econlib.persuasion.examples import match_game, surface_game
from econlib.persuasion.games import PersuasionGame, utilities_batch
from econlib.persuasion.nets import (
    DNL,
    DeLU,
    Flat,
    GatedMultilinear,
    ReLUNet,
    Shared,
)
from econlib.persuasion.surrogates import (
    draw_profiles,
    fit_surrogate,
    standardised_error,
)


def profiles(game: PersuasionGame, n: int, k: int = 3, seed: int = 0) -> torch.Tensor:
    return draw_profiles(game, k, n, np.random.default_rng(seed))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10**6), st.floats(0.1, 5))
def test_projection_is_the_nearest_point_of_the_simplex(k, seed, spread):
    rng = np.random.default_rng(seed)
    x = torch.tensor(rng.normal(0, spread, (4, k)))
    p = project_simplex(x)
    assert (p >= 0).all() and p.sum(dim=1).numpy() == pytest.approx(np.ones(4))
    for q in torch.tensor(rng.dirichlet(np.ones(k), size=20)):
        # obtuse angle towards every other point of the simplex
        assert ((x - p) * (q - p)).sum(dim=1).max() <= 1e-9


def bilinear(rules: torch.Tensor, at: float = 0.0) -> torch.Tensor:
    a = rules[:, 0, 0, 0] - rules[:, 0, 0, 1]
    b = rules[:, 1, 0, 0] - rules[:, 1, 0, 1]
    return torch.stack([a * b, -a * b], dim=1)


@pytest.mark.parametrize("how", ["plain", "extra", "optimistic"])
def test_plain_ascent_leaves_a_saddle_and_the_others_come_to_it(how):
    step, n = 0.05, 40
    start = torch.tensor([[[[0.55, 0.45]], [[0.48, 0.52]]]], dtype=torch.float64)

    def radius(rules: torch.Tensor) -> float:
        return float((rules[..., 0] - rules[..., 1]).square().sum().sqrt())

    end = climb(bilinear, start, ((step, n),), how=how)
    γ = 2 * step  # a difference of two entries moves twice as far
    if how == "optimistic":
        # z' = (1 + 2γJ) z - γJ z_, J a quarter turn, so an eigenvalue of two steps
        root = np.roots([1, -(1 + 2j * γ), 1j * γ])
        factor = np.abs(root).max()
        assert radius(end) / radius(start) == pytest.approx(factor**n, rel=0.02)
        assert factor < 1
        return
    factor = math.sqrt(1 - γ**2 + γ**4) if how == "extra" else math.sqrt(1 + γ**2)
    assert radius(end) / radius(start) == pytest.approx(factor**n, rel=1e-9)


def test_logits_stay_inside_and_find_a_corner():
    game = match_game(2, 3, 3, 1)
    rng = np.random.default_rng(0)
    start = draw_profiles(game, 3, 4, rng, sparse=0.0).double()

    def one(rules: torch.Tensor, at: float) -> torch.Tensor:
        return rules[:, :, :, 0].sum(dim=2)  # everybody likes the first signal

    for param, size in (("simplex", 0.1), ("logits", 5.0)):
        end = climb(one, start, ((size, 60),), param=param)
        assert end.sum(dim=3).numpy() == pytest.approx(np.ones((4, 2, 3)))
        assert (end[..., 0] > 0.9).all()
        assert (end[..., 0] == 1).all() == (param == "simplex")


def test_the_field_has_each_senders_own_gradient():
    game = match_game(2, 3, 3, 1)
    rules = profiles(game, 4).double()
    point = rules.clone().requires_grad_(True)
    u = utilities_batch(game, point)
    found = field(lambda x: utilities_batch(game, x), rules)
    for i in range(2):
        whole = torch.autograd.grad(u[:, i].sum(), point, retain_graph=True)[0]
        assert torch.equal(found[:, i], whole[:, i])


def test_a_sharp_receiver_is_the_true_one():
    game = match_game(3, 3, 3, 2)
    rules = profiles(game, 200).double()
    truth = utilities_batch(game, rules)
    off = [
        float((soft_utilities(game, rules, β) - truth).abs().mean())
        for β in (10, 100, 1e4)
    ]
    assert off[0] > off[1] > off[2] and off[2] < 1e-3


def test_the_truth_is_a_gated_multilinear_network():
    game = match_game(3, 3, 3, 0)
    net = GatedMultilinear(3, game.prior, n_virtual=3)
    with torch.no_grad():
        net.scores.copy_(torch.as_tensor(game.receiver))
        net.payoffs.copy_(torch.as_tensor(game.senders))
    rules = profiles(game, 300)
    truth = utilities_batch(game, rules.double()).float()
    assert (net(rules) - truth).abs().max() < 1e-4
    net.beta = 20.0
    soft = soft_utilities(game, rules, 20.0)
    assert (net(rules) - soft).abs().max() < 1e-4


def test_shared_networks_do_not_care_for_the_names_of_signals():
    game = match_game(2, 3, 3, 0)
    rules = profiles(game, 20)
    renamed = rules.clone()
    renamed[:, 0] = renamed[:, 0][..., [2, 0, 1]]
    for core in (ReLUNet(3, 2, 16), DeLU(3, 2, 16, 8), DNL(3, 2, 16, 4)):
        net = Shared(core, game.prior)
        assert torch.allclose(net(rules), net(renamed), atol=1e-6)
        flat = Flat(ReLUNet(18, 2, 16))
    assert not torch.allclose(flat(rules), flat(renamed), atol=1e-3)


def largest_jump(net: torch.nn.Module) -> float:
    """Largest move of an output between neighbours on a fine line."""
    line = torch.linspace(-1, 1, 200_001, dtype=torch.float64)[:, None]
    with torch.no_grad():
        return float(net.double()(line).diff(dim=0).abs().max())


def test_only_relu_is_continuous():
    assert largest_jump(ReLUNet(1, 1, 16)) < 1e-4
    assert largest_jump(DeLU(1, 1, 16, 8)) > 1e-3
    assert largest_jump(DNL(1, 1, 16, 4)) > 1e-3


@pytest.mark.parametrize("smooth", ["tanh", "square", "softplus"])
def test_between_jumps_dnl_is_curved_and_delu_is_not(smooth):
    x = torch.tensor([[0.3], [0.3 + 1e-4], [0.3 + 2e-4]], dtype=torch.float64)

    def bend(net: torch.nn.Module) -> float:
        y = net.double()(x)
        assert (y.diff(dim=0).abs() < 1e-2).all()  # all three on one piece
        return float((y[0] - 2 * y[1] + y[2]).detach().abs().max())

    assert bend(DeLU(1, 1, 16, 8)) < 1e-14
    assert bend(DNL(1, 1, 16, 4, smooth)) > 1e-13


def test_without_its_pattern_dnl_has_no_jumps_and_without_its_trunk_other_ones():
    line = torch.linspace(-1, 1, 20_001, dtype=torch.float64)[:, None]
    whole, smooth, direct = (
        DNL(1, 1, 16, 4, without=part).double() for part in ("", "pattern", "trunk")
    )
    with torch.no_grad():
        jumps = [
            float(net(line).diff(dim=0).abs().max()) for net in (whole, smooth, direct)
        ]
    assert jumps[1] < 1e-2 * min(jumps[0], jumps[2])
    direct(line).square().sum().backward()
    assert direct.trunk.first.weight.grad is None  # no gradient passes a pattern


def test_sizes_can_be_matched():
    def count(net: torch.nn.Module) -> int:
        return sum(w.numel() for w in net.parameters())

    sizes = [count(net(18, 2)) for net in (ReLUNet, DeLU, DNL)]
    assert max(sizes) / min(sizes) < 1.1


def test_the_gated_network_finds_the_truth_of_a_game():
    game = match_game(2, 3, 3, 1)
    train, test = profiles(game, 16_000), profiles(game, 2000, seed=1)
    net = GatedMultilinear(2, game.prior)
    fitted = fit_surrogate(net, game, train, lr=0.03)
    assert fitted.n_weights == 216
    assert standardised_error(fitted, game, test) < 0.05
    weak = fit_surrogate(Flat(ReLUNet(18, 2, 32)), game, train, n_steps=200)
    assert 0.2 < standardised_error(weak, game, test) < 1.0


def test_profiles_near_the_corners_are_a_share():
    game = match_game(2, 3, 3, 0)
    rng = np.random.default_rng(0)
    rules = draw_profiles(game, 3, 4000, rng, sparse=0.5)
    assert torch.allclose(rules.sum(dim=3), torch.ones(4000, 2, 3))
    largest = rules.amax(dim=3).mean(dim=(1, 2))
    even = draw_profiles(game, 3, 4000, rng, sparse=0.0).amax(dim=3).mean()
    assert float(even) == pytest.approx(11 / 18, abs=0.01)  # of three broken sticks
    assert float(largest.mean()) > float(even) + 0.1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: DNL(3, 2, smooth="relu"), "smooth = 'relu'"),
        (lambda g: DNL(3, 2, without="head"), "without = 'head': expected one of patt"),
        (lambda g: soft_utilities(g, profiles(g, 2), 0.0), "beta = 0.0"),
        (lambda g: climb(bilinear, profiles(g, 2), ((0.0, 3),)), "step 0.0, 3 times"),
        (lambda g: climb(bilinear, profiles(g, 2), (), how="up"), "how = 'up'"),
        (lambda g: climb(bilinear, profiles(g, 2), (), param="x"), "param = 'x'"),
        (
            lambda g: draw_profiles(g, 2, 2, np.random.default_rng(0), sparse=1.5),
            "sparse = 1.5",
        ),
        (
            lambda g: fit_surrogate(
                Flat(ReLUNet(18, 2, 4)), g, profiles(g, 9), rise=0.0
            ),
            "rise, beta = 0.0",
        ),
        (lambda g: soft_utilities(g, torch.ones(2, 3, 3, 3), 1.0), "rules: shape"),
        (lambda g: draw_profiles(g, 0, 2, np.random.default_rng(0)), "n_signals = 0"),
        (lambda g: draw_profiles(g, 2, 0, np.random.default_rng(0)), "n_profiles = 0"),
        (lambda g: ReLUNet(3, 2, 0), "width = 0: expected an integer, 1 or more"),
        (lambda g: ReLUNet(0, 2), "n_in = 0"),
        (lambda g: DeLU(3, 2, 0), "width = 0"),
        (lambda g: DeLU(3, 2, 4, 0), "n_bias = 0"),
        (lambda g: DNL(3, 2, 2.5), "width = 2.5"),
        (lambda g: DNL(3, 2, 4, 0), "head = 0"),
        (lambda g: GatedMultilinear(2, g.prior, 0), "n_virtual = 0"),
        (
            lambda g: GatedMultilinear(2, np.full((3, 4), 1 / 12)),
            r"prior: shape \(3, 4\), expected \(n,\)",
        ),
        (lambda g: Shared(ReLUNet(3, 2, 4), 2 * g.prior), "prior = .* add up to 1"),
        (
            lambda g: fit_surrogate(
                Flat(ReLUNet(18, 2, 4)), g, profiles(g, 9), batch=0
            ),
            "batch = 0: expected an integer, 1 or more",
        ),
        (
            lambda g: fit_surrogate(
                Flat(ReLUNet(18, 2, 4)), g, profiles(g, 9), n_steps=0
            ),
            "n_steps = 0",
        ),
        (
            lambda g: fit_surrogate(Flat(ReLUNet(18, 2, 4)), g, profiles(g, 1)),
            "rules: 1 profiles, expected two or more",
        ),
    ],
)
def test_bad_input_of_learners_is_named(call, message, monkeypatch):
    # a reader has no check of types before ours
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=message):
        call(match_game(2, 3, 3, 0))


def test_a_utility_that_does_not_vary_is_refused():
    game = surface_game()
    flat = PersuasionGame(game.prior, game.receiver, np.ones((2, 2, 3)))
    with pytest.raises(ValueError, match="does not depend on the rules"):
        fit_surrogate(Flat(ReLUNet(8, 2, 4)), flat, profiles(flat, 50, 2))
