r"""The paper's algorithm 3 in full: a RochetNet for every buyer and set of items left.

Nothing is assumed about items.  There are :math:`n2^m` states, and a set of :math:`s`
items has at most :math:`2^s` bundles, so that a stage has at most :math:`3^m` prices;
sets of one size are trained together.  A buyer's values are drawn once for all of
them, which makes their errors move together and costs less.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from econlib.sequential_auctions.bundles import Bundles, bundles, buyers
from econlib.sequential_auctions.rochet_offsets import (
    BOOK,
    RochetOffsetConfig,
    hard_values,
    train_menus,
)
from econlib.sequential_auctions.settings import Setting
from econlib.training import generator, pick_device

__all__ = ["MOST_FULL", "FullDP", "full_dp"]

#: Largest number of items of which every set is a state.
MOST_FULL = 10
_CHUNK = 2**21  # numbers in one array of utilities


@dataclass(frozen=True)
class FullDP:
    """Best menus of all states.

    Attributes
    ----------
    values, errors : ndarray, shape (n_buyers + 1, 2 ** n_items)
        Revenue with t buyers to come and a set of items left, out of sample, and the
        standard error of its last stage.
    prices : ndarray of float32, shape (n_buyers + 1, 2 ** n_items, n_options)
        Of the options of ``bundles(setting)``; infinite for those not to be had.
    """

    values: Float[np.ndarray, "n_stages n_states"]
    errors: Float[np.ndarray, "n_stages n_states"]
    prices: Float[np.ndarray, "n_stages n_states n_options"]


def full_dp(
    setting: Setting | Sequence[Setting],
    n_buyers: int,
    config: RochetOffsetConfig = BOOK,
    *,
    seed: int = 0,
    device: str = "cpu",
    on_stage: Callable[[int], None] | None = None,
) -> FullDP:
    """Dynamic programme by RochetNets over all states.

    Parameters
    ----------
    setting : Setting or sequence of Setting
        Of every buyer, or of each, first buyer first; at most 10 items.
    n_buyers : int
        1 to 200.
    config : RochetOffsetConfig
        How menus are trained; buyers are always fresh.
    seed : int
        Of all draws.
    device : str
        Where tensors live; ``auto`` is a GPU where there is one.
    on_stage : callable, optional
        Called after each stage with the number of buyers to come.

    Returns
    -------
    FullDP
        Values and prices with t buyers to come and each set of items left.

    Raises
    ------
    ValueError
        A number out of range, or more than ten items.
    """
    each = buyers(setting, n_buyers)
    m = each[0].n_items
    if m > MOST_FULL:
        raise ValueError(
            f"n_items = {m}: {n_buyers} * 2^{m} states with up to 2^{m} prices each; "
            f"expected at most {MOST_FULL} items. Try rochet_dp, which prices sizes, "
            "or entry fees, which need n_items + 1 prices"
        )
    options = bundles(each[0])
    shape = (n_buyers + 1, 2**m)
    values, errors = np.zeros((2, *shape))
    prices = np.full((*shape, len(options)), np.inf, np.float32)
    prices[:, :, 0] = 0.0
    where = pick_device(device)
    g = generator(seed, where)
    for t in range(1, n_buyers + 1):
        one = each[n_buyers - t]
        for states, columns in _groups(options, m, config.n_samples):
            after = values[t - 1][states[:, None] & ~options.masks[columns]]
            after = torch.tensor(after, dtype=torch.float32, device=where)
            scale = bundles(one).scale[columns]
            scale = torch.tensor(scale, dtype=torch.float32, device=where)
            start = None
            if config.warm and t > 1 and one == each[n_buyers - t + 1]:
                start = np.take_along_axis(prices[t - 1, states], columns, axis=1)
                start = torch.from_numpy(start).to(where)
            sample = _sampler(one, states, options.masks[columns[0]], g)
            top = float(bundles(one).scale[options.sizes == 1].max())
            found = train_menus(sample, after, scale, config, start, item=top)
            value, error = hard_values(sample, found, after, config.n_eval)
            values[t, states], errors[t, states] = value, error
            np.put_along_axis(block := prices[t, states], columns, found.cpu(), axis=1)
            prices[t, states] = block
        if on_stage is not None:
            on_stage(t)
    return FullDP(values, errors, prices)


def _groups(options: Bundles, n_items: int, n_samples: int) -> object:
    """States of one size, and the columns of their options, smaller ones first."""
    for s in range(1, n_items + 1):
        sets = [
            sum(1 << j for j in held)
            for held in itertools.combinations(range(n_items), s)
        ]
        states = np.array(sets)
        inside = (options.masks & ~states[:, None]) == 0
        columns = np.nonzero(inside)[1].reshape(len(states), -1)
        # in the order of sizes, so that ties go to the larger; alike for all states
        order = np.argsort(options.sizes[columns[0]], kind="stable")
        chunk = max(1, _CHUNK // (n_samples * columns.shape[1]))
        for first in range(0, len(states), chunk):
            part = slice(first, first + chunk)
            yield states[part], columns[part][:, order]


def _sampler(
    setting: Setting, states: np.ndarray, first: np.ndarray, g: torch.Generator
) -> Callable[[int], Tensor]:
    """Values of the options of states of one size; ``first``: those of the first."""
    m, device = setting.n_items, g.device
    left = (states[:, None] >> np.arange(m)) & 1
    items = np.nonzero(left)[1].reshape(len(states), -1)
    places = (first[:, None] >> items[0]) & 1  # (options, items left)
    loc = torch.tensor(places.T, dtype=torch.float32, device=device)
    k = loc.sum(dim=0)
    chosen = torch.from_numpy(items).to(device)
    low, high = setting.bounds

    def sample(n: int) -> Tensor:
        if setting.name == "E":
            return torch.rand((1, n, len(k)), generator=g, device=device) * k.sqrt()
        u = torch.rand((n, m), generator=g, device=device)
        if setting.law is not None:
            u = torch.from_numpy(
                np.asarray(setting.law.ppf(u.cpu().numpy()), np.float32)
            ).to(device)
        else:
            u = low + (high - low) * u
        if setting.name == "B":
            u = u * torch.arange(1, m + 1, device=device) / m
        v = u[:, chosen].transpose(0, 1) @ loc
        if setting.name == "F":
            a, b = setting.spread
            c = torch.rand((1, n, len(k)), generator=g, device=device)
            v = v + (a + (b - a) * c) * k
        return v

    return sample
