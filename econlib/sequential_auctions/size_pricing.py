r"""Prices by bundle size, by backward induction on common random numbers.

Where items are exchangeable the state is how many are left.  With :math:`x_k(v)` the
value of a buyer's best bundle of size :math:`k`, :math:`w_k=p_k+V_{t+1}(s-k)` and
:math:`p_0=0`, prices are trained on the smoothed objective

.. math::

   R(p)=\mathbb E\sum_k\Delta_kw_k,\qquad\Delta=\mathrm{softmax}_k\,\beta(x_k-p_k),
   \qquad\frac{\partial R}{\partial p_k}
   =\mathbb E\,\Delta_k\big(1-\beta(w_k-\textstyle\sum_r\Delta_rw_r)\big),

:math:`\beta` rising, and the value :math:`V_t(s)` is the mean of :math:`w` at the hard
choice on a sample of its own: in-sample optimism would add up over buyers.  Size prices
are a lower bound on what the best menus earn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from econlib.sequential_auctions.settings import Setting

__all__ = [
    "SizePricing",
    "hard_value",
    "play_sizes",
    "price_gradient",
    "size_pricing_dp",
    "value_of_prices",
]


@dataclass(frozen=True)
class SizePricing:
    """Best prices by size.

    Attributes
    ----------
    values : ndarray, shape (n_buyers + 1, n_items + 1)
        Revenue with t buyers to come and s items left, out of sample.
    errors : ndarray, shape (n_buyers + 1, n_items + 1)
        Standard error of the last stage of each value.
    prices : ndarray, shape (n_buyers + 1, n_items + 1, most + 1)
        Price of size k with t buyers to come and s items left; infinite where there are
        not so many.
    """

    values: Float[np.ndarray, "n_stages n_sizes"]
    errors: Float[np.ndarray, "n_stages n_sizes"]
    prices: Float[np.ndarray, "n_stages n_sizes n_options"]


def price_gradient(
    values: Float[np.ndarray, "n_samples n_options"],
    prices: Float[np.ndarray, " n_options"],
    after: Float[np.ndarray, " n_options"],
    beta: float | int,
) -> tuple[float, Float[np.ndarray, " n_options"]]:
    """Smoothed objective and its gradient by price, of the empty bundle 0.

    Parameters
    ----------
    values : ndarray, shape (n_samples, n_options)
        Values of the options, first the empty bundle's 0.
    prices, after : ndarray, shape (n_options,)
        Prices, the first 0, and continuation values when an option is taken.
    beta : float
        Inverse temperature, above 0.

    Returns
    -------
    objective : float
        Payment plus continuation value of a soft choice.
    gradient : ndarray, shape (n_options,)
        By price.
    """
    z = beta * (values - prices)
    z -= z.max(axis=1, keepdims=True)
    choice = np.exp(z)
    choice /= choice.sum(axis=1, keepdims=True)
    w = prices + after
    mean = choice @ w
    gradient = choice.mean(axis=0) * (1 - beta * w) + beta * (mean @ choice) / len(mean)
    gradient[0] = 0.0
    return float(mean.mean()), gradient


def hard_value(
    values: Float[np.ndarray, "n_samples n_options"],
    prices: Float[np.ndarray, " n_options"],
    after: Float[np.ndarray, " n_options"],
) -> tuple[float, float]:
    """Mean and standard error of payment plus continuation at the best option.

    Of equally good options the larger is taken; arguments as for
    :func:`price_gradient`, options by size.
    """
    utility = (values - prices)[:, ::-1]
    taken = values.shape[1] - 1 - utility.argmax(axis=1)
    w = (prices + after)[taken]
    return float(w.mean()), float(w.std() / np.sqrt(len(w)))


def size_pricing_dp(
    setting: Setting,
    n_buyers: int,
    *,
    seed: int = 0,
    n_train: int = 16_384,
    n_test: int = 65_536,
    n_steps: int = 150,
) -> SizePricing:
    """Best prices by size, for every number of buyers to come and of items left.

    Parameters
    ----------
    setting : Setting
        With exchangeable items.
    n_buyers : int
        1 to 200.
    seed : int
        Of both samples.
    n_train, n_test : int
        Buyers that prices are trained on, and others that value them; 100 or more.
    n_steps : int
        Gradient steps a state, 10 or more.

    Returns
    -------
    SizePricing
        Values and prices.

    Raises
    ------
    ValueError
        Items that are not exchangeable, or a number out of range.

    Notes
    -----
    Samples are drawn once for each number of items left and shared by all buyers to
    come.  Adam starts at the prices of the stage before, or at 0.6 of the mean value.
    """
    for name, n, low, high in (
        ("n_buyers", n_buyers, 1, 200),
        ("n_train", n_train, 100, 10**7),
        ("n_test", n_test, 100, 10**7),
        ("n_steps", n_steps, 10, 10**5),
    ):
        if not low <= n <= high:
            raise ValueError(f"{name} = {n}: expected an integer, {low} to {high}")
    m, most = setting.n_items, setting.most
    shape = (n_buyers + 1, m + 1)
    values, errors = np.zeros(shape), np.zeros(shape)
    prices = np.full((*shape, most + 1), np.inf)
    prices[:, :, 0] = 0.0
    rngs = np.random.default_rng(seed).spawn(m)
    for s in range(1, m + 1):
        train = setting.best_by_size(n_train, s, rngs[s - 1]).astype(np.float32)
        test = setting.best_by_size(n_test, s, rngs[s - 1])
        k = train.shape[1]
        start = 0.6 * train.mean(axis=0)
        for t in range(1, n_buyers + 1):
            after = values[t - 1, s::-1][:k]
            start = _ascend(train, start, after, n_steps)
            prices[t, s, :k] = start
            values[t, s], errors[t, s] = hard_value(test, start, after)
    return SizePricing(values, errors, prices)


def value_of_prices(
    setting: Setting,
    prices: Float[np.ndarray, "n_stages n_sizes n_options"],
    *,
    seed: int = 0,
    n_samples: int = 32_768,
) -> tuple[
    Float[np.ndarray, "n_stages n_sizes"], Float[np.ndarray, "n_stages n_sizes"]
]:
    """What size prices earn from buyers who may be others than they were made for.

    Parameters
    ----------
    setting : Setting
        Of the buyers who come; with exchangeable items.
    prices : ndarray, shape (n_buyers + 1, n_items + 1, most + 1)
        As in :class:`SizePricing`.
    seed : int
        Of the sample.
    n_samples : int
        Buyers that value each state, 100 or more.

    Returns
    -------
    values, errors : ndarray, shape (n_buyers + 1, n_items + 1)
        Revenue with t buyers to come and s items left; standard error of its last
        stage.

    Raises
    ------
    ValueError
        Prices of another shape, or too small a sample.
    """
    expected = (setting.n_items + 1, setting.most + 1)
    if prices.shape[1:] != expected or n_samples < 100:
        raise ValueError(
            f"prices: shape {prices.shape}, expected (n, *{expected}); "
            f"n_samples = {n_samples}: expected 100 or more"
        )
    values, errors = np.zeros((2, *prices.shape[:2]))
    for s in range(1, setting.n_items + 1):
        best = setting.best_by_size(n_samples, s, np.random.default_rng([seed, s]))
        k = best.shape[1]
        for t in range(1, len(prices)):
            after = values[t - 1, s::-1][:k]
            values[t, s], errors[t, s] = hard_value(best, prices[t, s, :k], after)
    return values, errors


def play_sizes(
    setting: Setting,
    prices: Float[np.ndarray, "n_stages n_sizes n_options"],
    n_episodes: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, " n_episodes"]:
    """Revenue of each of a number of auctions that are played with size prices.

    What a buyer draws does not depend on what is left, so that two tables of prices
    played with equal generators meet the same buyers, and their difference is quiet.

    Parameters
    ----------
    setting : Setting
        A, C or D: exchangeable items with values of their own, of any number.
    prices : ndarray, shape (n_buyers + 1, n_items + 1, most + 1)
        As in :class:`SizePricing`; a missing price (no number) is taken as infinite.
    n_episodes : int
        2 or more.
    rng : numpy.random.Generator
        Source of the buyers' values.

    Returns
    -------
    ndarray, shape (n_episodes,)
        What the buyers of an auction pay together.

    Raises
    ------
    ValueError
        Another setting, prices of another shape, or too few episodes.
    """
    m, most = setting.n_items, setting.most
    if setting.name not in "ACD":
        raise ValueError(f"name = {setting.name!r}: expected A, C or D")
    if prices.shape[1:] != (m + 1, most + 1) or n_episodes < 2:
        raise ValueError(
            f"prices: shape {prices.shape}, expected (n, {m + 1}, {most + 1}); "
            f"n_episodes = {n_episodes}: expected 2 or more"
        )
    prices = np.where(np.isnan(prices), np.inf, prices)
    # few at a time, and each with buyers of its own
    revenue = np.zeros(n_episodes)
    chunk = max(2, 2**20 // m)
    for start in range(0, n_episodes, chunk):
        part = revenue[start : start + chunk]
        left = np.full(len(part), m)
        for t in range(len(prices) - 1, 0, -1):
            items = setting.items(len(part), rng)
            items[np.arange(m) >= left[:, None]] = -np.inf
            worth = np.sort(items, axis=1)[:, ::-1][:, :most].cumsum(axis=1)
            gain = worth - prices[t, left, 1:]
            size = gain.argmax(axis=1)
            gain = np.take_along_axis(gain, size[:, None], axis=1)[:, 0]
            size = np.where(gain >= 0, size + 1, 0)
            part += np.where(size, prices[t, left, size], 0.0)
            left = left - size
    return revenue


def _ascend(
    sample: np.ndarray, start: np.ndarray, after: np.ndarray, n_steps: int
) -> np.ndarray:
    """Adam on the smoothed objective, colder and in smaller steps towards the end."""
    scale = sample.max(axis=0) + 1e-9
    p = start.astype(np.float32)
    after = after.astype(np.float32)
    m, v = np.zeros(len(p)), np.zeros(len(p))
    for step in range(n_steps):
        done = step / n_steps
        β = 20 * (300 / 20) ** min(1.0, done / 0.7)
        g = price_gradient(sample, p, after, β)[1] * scale
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        unbiased = m / (1 - 0.9 ** (step + 1))
        size = np.sqrt(v / (1 - 0.99 ** (step + 1))) + 1e-12
        lr = 0.02 * (1 - done) ** 1.5 + 1e-4
        p = (p + lr * scale * unbiased / size).astype(np.float32)
        p[0] = 0.0
    return p.astype(float)
