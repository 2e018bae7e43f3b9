r"""Training of menu networks: revenue, and a penalty on what is sold twice.

With :math:`u_i^k=\alpha_i^k\cdot v_i-\beta_i^k` and the soft choice
:math:`z_i=\mathrm{softmax}(\tau u_i)`, the loss is

.. math::

   -\mathbb E\sum_i z_i\cdot\beta_i
   +\lambda\,\mathbb E\sum_j\Big[\sum_i z_i\cdot\alpha_{ij}-1+s\Big]_+ ,

s being a safety margin.  What is reported is never the soft choice.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from econlib.gemnet.laws import Law, Market
from econlib.gemnet.networks import MenuNetwork
from econlib.menus import soft_choice
from econlib.training import FitResult, fit

__all__ = [
    "MenuTraining",
    "finite_profiles",
    "law_sampler",
    "menu_loss",
    "train_menus",
]

_MOST = 200_000  # profiles that are enumerated


def menu_loss(
    net: MenuNetwork,
    values: Float[Tensor, "n_samples n_bidders n_items"],
    temperature: float,
    penalty: float,
    margin: float = 0.0,
    chance: Float[Tensor, " n_samples"] | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
    r"""Loss of soft choices, their revenue, and what they hand out too much.

    Parameters
    ----------
    net : MenuNetwork
    values : Tensor, shape (n_samples, n_bidders, n_items)
    temperature : float
        :math:`\tau`, for values in units of the network; large is hard.
    penalty : float
        :math:`\lambda`, in units of the network for an item handed out twice.
    margin : float
        :math:`s\ge0`.
    chance : Tensor, shape (n_samples,), optional
        Probability of each profile; the same for all without it.

    Returns
    -------
    loss, revenue : Tensor, scalar
        In money.
    excess : Tensor, scalar
        Expected number of items sold beyond :math:`1-s` each.
    """
    bundles, prices = net(values)
    own = values.transpose(0, 1)
    if bundles.ndim == 2:
        utilities = torch.matmul(own, bundles.T) - prices
    else:
        utilities = torch.matmul(bundles, own[..., None])[..., 0] - prices
    z = soft_choice(utilities, temperature / net.unit)
    paid = (z * prices).sum(dim=(0, 2))
    if bundles.ndim == 2:
        handed = z.sum(dim=0) @ bundles
    else:
        handed = torch.matmul(z[:, :, None], bundles)[:, :, 0].sum(dim=0)
    over = torch.relu(handed - 1 + margin).sum(dim=1)
    if chance is None:
        revenue, excess = paid.mean(), over.mean()
    else:
        revenue, excess = paid @ chance, over @ chance
    return -revenue + penalty * net.unit * excess, revenue, excess


Sampler = Callable[[int, np.random.Generator], np.ndarray]


def law_sampler(laws: Market | Sequence[Sequence[Law]]) -> Sampler:
    """Draws of independent values, ``sample(n, rng)``, (n, n_bidders, n_items).

    Parameters
    ----------
    laws : Market, or a law for each bidder and item
        Anything with a quantile function ``ppf`` is a law.
    """
    if isinstance(laws, Market):
        laws = [[laws.first] * 2, [laws.second] * 2]
    n, m = len(laws), len(laws[0])
    same = all(law is laws[0][0] for row in laws for law in row)

    def sample(size: int, rng: np.random.Generator) -> np.ndarray:
        u = rng.random((size, n, m))
        if same:
            return laws[0][0].ppf(u)
        for i, j in itertools.product(range(n), range(m)):
            u[:, i, j] = laws[i][j].ppf(u[:, i, j])
        return u

    return sample


def finite_profiles(
    types: Float[np.ndarray, "n_types n_items"],
    probabilities: Float[np.ndarray, " n_types"],
    n_bidders: int = 2,
) -> tuple[
    Float[np.ndarray, "n_profiles n_bidders n_items"], Float[np.ndarray, " n_profiles"]
]:
    """Every profile of independent types, and its probability.

    Raises
    ------
    ValueError
        More than 200,000 profiles, or fewer than one bidder.
    """
    k = len(types)
    if n_bidders < 1 or k**n_bidders > _MOST:
        raise ValueError(
            f"n_bidders = {n_bidders} with {k} types: expected 1 or more, and at most "
            f"{_MOST} profiles"
        )
    index = np.array(list(itertools.product(range(k), repeat=n_bidders)))
    return types[index], probabilities[index].prod(axis=1)


@dataclass(frozen=True)
class MenuTraining:
    """How a network was trained.

    Attributes
    ----------
    fit : FitResult
        Of the loss.
    revenue, excess : ndarray, shape (n_steps,)
        Of soft choices: money, and items handed out beyond one each.
    """

    fit: FitResult
    revenue: Float[np.ndarray, " n_steps"]
    excess: Float[np.ndarray, " n_steps"]


def train_menus(
    net: MenuNetwork,
    source: Sampler
    | tuple[
        Float[np.ndarray, "n_profiles n_bidders n_items"],
        Float[np.ndarray, " n_profiles"],
    ],
    *,
    n_steps: int = 2000,
    batch: int = 2048,
    lr: float = 3e-3,
    lr_end: float = 5e-5,
    temperature: tuple[float, float] = (20.0, 400.0),
    penalty: tuple[float, float] = (1.0, 2.0),
    margin: float = 0.0,
    seed: int = 0,
    bar: bool = False,
) -> MenuTraining:
    """Train a network's menus in place.

    Parameters
    ----------
    net : MenuNetwork
    source : callable, or (values, chance)
        ``sample(n, rng)`` as of :func:`law_sampler`, called afresh in each step; or all
        profiles with their probabilities as of :func:`finite_profiles`, used whole.
    n_steps, batch : int
        Steps, and values in each where they are drawn; 1 or more.
    lr, lr_end : float
        Adam's first and last rate, linear between.
    temperature, penalty : (float, float)
        Of :func:`menu_loss` at the first and the last step: geometric, and linear.
    margin : float
        Safety margin, 0 to 1.
    seed : int
        Of the draws.
    bar : bool
        Whether to show a progress bar.

    Raises
    ------
    ValueError
        No step, an empty batch, a temperature, penalty or margin out of range.
    TrainingError
        A loss that is not finite.
    """
    if n_steps < 1 or batch < 1:
        raise ValueError(
            f"n_steps = {n_steps}, batch = {batch}: expected integers, 1 or more"
        )
    if min(temperature) <= 0 or min(penalty) < 0 or not 0 <= margin <= 1:
        raise ValueError(
            f"temperature = {temperature}, penalty = {penalty}, margin = {margin}: "
            "expected above 0, 0 or more, and 0 to 1"
        )
    rng = np.random.default_rng([seed, 7])
    kw = {"dtype": net.head.dtype, "device": net.head.device}
    whole = chance = None
    if not callable(source):
        whole, chance = (torch.as_tensor(z, **kw) for z in source)
    revenue, excess = [], []
    τs = np.geomspace(*temperature, n_steps)
    λs = np.linspace(*penalty, n_steps)

    def loss(step: int) -> Tensor:
        values = whole
        if callable(source):
            values = torch.as_tensor(source(batch, rng), **kw)
        total, earned, over = menu_loss(
            net, values, float(τs[step]), float(λs[step]), margin, chance
        )
        revenue.append(earned.detach())
        excess.append(over.detach())
        return total

    done = fit(
        loss, net.parameters(), n_steps, lr=lr, lr_end=lr_end, tolerance=0.1, bar=bar
    )
    curves = [torch.stack(z).double().cpu().numpy() for z in (revenue, excess)]
    return MenuTraining(done, *curves)
