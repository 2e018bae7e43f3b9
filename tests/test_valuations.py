"""Laws of values: sample, density, marginals and support say the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from econlib.valuations import DISTRIBUTIONS, make

LAWS = [
    make("uniform", 2),
    make("uniform", 3),
    make("beta", 2, a=2.0, b=3.0),
    make("truncnorm", 2, mean=0.4, sd=0.2),
    make("linear_correlation", 2, weight=0.3),
    make("gaussian_copula", 2, correlation=0.6),
    make("gaussian_copula", 2, correlation=-0.9),
    make("small_box", 2, base=(0.5, -0.2), size=(0.1, 2.0)),
]
IDS = [f"{law.name}-{i}" for i, law in enumerate(LAWS)]


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
@pytest.mark.parametrize("even", [False, True])
def test_each_item_follows_its_marginal(law, even):
    x = law.sample(20_000, _generator(), torch.float64, even=even).numpy()
    assert x.shape == (20_000, law.n_items)
    for values, marginal in zip(x.T, law.marginals, strict=True):
        distance = stats.kstest(values, marginal.cdf).statistic
        assert distance < 1.95 / np.sqrt(len(values))  # 0.1 % level of Kolmogorov


@pytest.mark.parametrize("law", [law for law in LAWS if law.n_items == 2])
def test_density_gives_the_probability_of_a_box(law):
    low, high = law.support.T
    cut = low + 0.45 * (high - low)
    x = law.sample(200_000, _generator(1), torch.float64).numpy()
    share = (x <= cut).all(axis=1).mean()
    axes = [np.linspace(a, b, 801) for a, b in zip(low, cut, strict=True)]
    middle = [(a[1:] + a[:-1]) / 2 for a in axes]
    grid = np.stack(np.meshgrid(*middle, indexing="ij"), axis=-1).reshape(-1, 2)
    cell = np.prod([a[1] - a[0] for a in axes])
    # four standard errors, and the midpoint rule on a density with a jump or a peak
    assert law.pdf(grid).sum() * cell == pytest.approx(share, abs=0.0045)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_score_is_the_gradient_of_the_log_density(law):
    s = np.random.default_rng(2).uniform(0.1, 0.9, (50, law.n_items))
    h = 1e-5
    for i, step in enumerate(h * np.eye(law.n_items)):
        rise = np.log(law.unit_pdf(s + step)) - np.log(law.unit_pdf(s - step))
        assert law.unit_score(s)[:, i] == pytest.approx(rise / (2 * h), abs=1e-5)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_support_holds_the_sample_and_density_is_zero_outside(law):
    low, high = law.support.T
    x = law.sample(5_000, _generator(3)).numpy()
    assert (x >= low - 1e-6).all()
    assert (x <= high + 1e-6).all()
    assert law.pdf(np.stack([low - 0.1, high + 0.1])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_same_seed_same_draws_and_unit_coordinates_return(law):
    assert torch.equal(law.sample(7, _generator(5)), law.sample(7, _generator(5)))
    assert law.sample(3, _generator()).dtype == torch.float32
    x = law.sample(9, _generator(), torch.float64).numpy()
    assert law.from_unit(law.to_unit(x)) == pytest.approx(x, abs=1e-12)


def test_copula_has_its_correlation():
    x = LAWS[5].sample(100_000, _generator(6), torch.float64).numpy()
    z = stats.norm.ppf(x)
    assert np.corrcoef(z.T)[0, 1] == pytest.approx(0.6, abs=0.01)


def test_even_draws_have_far_less_variance():
    law = make("uniform", 2)

    def spread(even: bool) -> float:
        means = [
            law.sample(512, _generator(k), torch.float64, even=even).prod(1).mean()
            for k in range(40)
        ]
        return float(torch.stack(means).std())

    assert spread(True) ** 2 < 0.1 * spread(False) ** 2
    means = [law.sample(64, _generator(k), even=True).mean(0) for k in range(200)]
    assert torch.stack(means).mean(0).tolist() == pytest.approx([0.5, 0.5], abs=5e-3)


def test_virtual_value_of_uniform_values():
    x = np.linspace(0, 1, 11)
    marginal = make("uniform", 1).marginals[0]
    assert marginal.virtual_value(x) == pytest.approx(2 * x - 1)
    assert marginal.virtual_value(x, ironed=True) == pytest.approx(2 * x - 1, abs=2e-3)


def test_ironed_virtual_value_is_monotone_and_has_the_same_mean():
    marginal = make("beta", 1, a=1.0, b=1.0).marginals[0]
    steep = type(marginal)(stats.beta(0.5, 0.5), 0.0, 1.0)  # not regular
    x = np.linspace(0.001, 0.999, 2001)
    plain, ironed = steep.virtual_value(x), steep.virtual_value(x, ironed=True)
    assert (np.diff(plain) < 0).any()
    assert (np.diff(ironed) >= -1e-9).all()
    q = np.linspace(1e-4, 1 - 1e-4, 20_001)
    mean = integrate.trapezoid(steep.virtual_value(steep.ppf(q), ironed=True), q)
    assert mean == pytest.approx(0.0, abs=5e-3)  # E φ is the lowest value


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(["beta", "truncnorm", "gaussian_copula"]), data=st.data())
def test_density_integrates_to_one_at_any_parameters(name, data):
    chosen = {
        key: data.draw(st.floats(low, min(high, 6.0)))
        for key, (_, low, high) in DISTRIBUTIONS[name].items()
    }
    law = make(name, 2, **chosen)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    s = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1).reshape(-1, 2)
    total = law.pdf((s + 1) / 2) @ np.outer(weights, weights).ravel() / 4
    assert total == pytest.approx(1.0, abs=0.02)  # copulas peak in two corners


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("unifrom", {}, "Did you mean 'uniform'"),
        ("beta", {"a": 0.5}, r"a = 0.5: expected 1.0 to 50.0"),
        ("beta", {"b": float("nan")}, "b = nan: expected"),
        ("beta", {"sd": 1.0}, "sd: not a parameter of beta, which has a, b"),
        ("uniform", {"n_items": 0}, "n_items = 0: expected an integer, 1 to 10"),
        ("gaussian_copula", {"n_items": 3}, "is a law of 2 items"),
        ("small_box", {"size": (0.1, 0.0)}, "expected positive sides"),
        ("small_box", {"base": (0.1, 0.2, 0.3)}, "expected 2 numbers"),
        ("uniform", {"base": (0.1, 0.2)}, "but of small_box"),
    ],
)
def test_bad_laws_are_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        make(name, **options)


def test_no_sample_of_nothing():
    with pytest.raises(ValueError, match="n_samples = 0"):
        make("uniform", 2).sample(0)


@pytest.mark.parametrize("law", [law for law in LAWS if law.n_items == 2])
def test_marginal_is_the_density_with_the_other_item_summed_out(law):
    for i, marginal in enumerate(law.marginals):
        low, high = law.support.T
        other = np.linspace(low[1 - i], high[1 - i], 20_001)
        middle = (other[1:] + other[:-1]) / 2
        for share in (0.2, 0.5, 0.7):
            at = low[i] + share * (high[i] - low[i])
            x = np.insert(middle[:, None], i, at, axis=1)
            total = law.pdf(x).sum() * (other[1] - other[0])
            # midpoint rule across a jump, and the copula's peak
            assert total == pytest.approx(float(marginal.pdf(at)), rel=1e-3)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_quantiles_undo_the_distribution_function(law):
    q = np.linspace(0.01, 0.99, 50)
    for marginal in law.marginals:
        assert marginal.cdf(marginal.ppf(q)) == pytest.approx(q, abs=1e-9)
        ends = np.array([marginal.low, marginal.high])
        assert marginal.cdf(ends) == pytest.approx([0, 1], abs=1e-12)


@pytest.mark.parametrize(
    ("law", "mean", "variance"),
    [
        (make("uniform", 2), 0.5, 1 / 12),
        (make("beta", 2), 0.5, 1 / 20),
        # four standard deviations on either side are kept
        (make("truncnorm", 2), 0.5, 0.998929 / 64),
        (make("small_box", 2, base=(0.6, 0.6), size=0.2), 0.7, 0.04 / 12),
    ],
)
def test_mean_and_variance_by_hand(law, mean, variance):
    x = law.sample(100_000, _generator(8), torch.float64, even=True)
    # even draws: errors of a lattice, far below the 1e-3 of independent ones
    assert x.mean(0).tolist() == pytest.approx([mean] * 2, abs=2e-4)
    assert x.var(0).tolist() == pytest.approx([variance] * 2, rel=2e-3)


def test_second_item_of_the_linear_law_is_a_mixture_of_the_first():
    w, law = 0.3, make("linear_correlation", 2, weight=0.3)
    x = law.sample(100_000, _generator(9), torch.float64)
    rest = (x[:, 1] - w * x[:, 0]) / (1 - w)
    assert 0 <= rest.min()
    assert rest.max() <= 1
    correlation = np.corrcoef(x.T.numpy())[0, 1]
    assert correlation == pytest.approx(w / np.hypot(w, 1 - w), abs=0.01)
    assert abs(np.corrcoef(x[:, 0], rest)[0, 1]) < 0.01  # three standard errors


@pytest.mark.parametrize("law", LAWS, ids=IDS)
@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_have_the_dtype_asked_for_and_the_generators_device(law, even, dtype):
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        generator = torch.Generator(device).manual_seed(0)
        x = law.sample(64, generator, dtype, even=even)
        assert (x.dtype, x.device.type) == (dtype, device)
        assert torch.isfinite(x).all()


def test_seeds_differ():
    law = make("uniform", 2)
    assert not torch.equal(law.sample(7, _generator(5)), law.sample(7, _generator(6)))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gaussian_copulla", {}, "Did you mean 'gaussian_copula'"),
        ("zzz", {}, r"expected one of uniform, beta, .*small_box\.$"),
        ("gaussian_copula", {"correlation": 1.0}, "correlation = 1.0: expected -0.95"),
        ("linear_correlation", {"weight": -0.1}, "weight = -0.1: expected 0.0 to 0.95"),
        ("truncnorm", {"sd": 0.0}, r"sd = 0.0: expected 0.05 to 10.0"),
        ("uniform", {"n_items": 11}, "n_items = 11: expected an integer, 1 to 10"),
        ("small_box", {"base": (0.1, float("nan"))}, "expected finite numbers"),
        ("small_box", {"size": -1.0}, "expected positive sides"),
    ],
)
def test_further_bad_laws_are_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        make(name, **options)
