r"""From end points to certified equilibria: search, certify, select.

A profile is a :math:`(\delta,\tau)`-*local equilibrium* where no sender gains more than
:math:`\tau` by any rule whose entries differ by at most :math:`\delta` from his,

.. math::

   \max_{\|\pi_i'-\pi_i\|_\infty\le\delta}u_i(\pi_i',\pi_{-i})-u_i(\pi)\le\tau
   \qquad\forall i,

ties going to the deviator.  The maximum is a mixed-integer program, so that every end
point of a climb has a certificate; a sample of deviations can refute a profile and
never confirm one.  Utilities are the true ones with ties to the first action, whatever
the profiles were found with.  Where nothing is certified full revelation is returned,
which is an equilibrium where it can be played and outlasts a deviator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from econlib.persuasion.ascent import project_simplex
from econlib.persuasion.best_response import gains
from econlib.persuasion.games import (
    PersuasionGame,
    check_batch,
    full_revelation,
    utilities,
)
from econlib.persuasion.one_sender import welfare_bound

__all__ = [
    "Certified",
    "Selected",
    "certify",
    "nearby",
    "sampled_gains",
    "search",
    "select",
]


@dataclass(frozen=True)
class Certified:
    """Profiles with what they pay and what the best local deviation gains.

    Attributes
    ----------
    rules : ndarray, shape (n_profiles, n_senders, n_states, n_signals)
        The profiles.
    utilities : ndarray, shape (n_profiles, n_senders)
        True ones, ties to the first action.
    gains : ndarray, shape (n_profiles, n_senders)
        Exact, in a box of ``radius``.
    radius : float
        Largest change of an entry of a rule.
    """

    rules: Float[np.ndarray, "n_profiles n_senders n_states k"]
    utilities: Float[np.ndarray, "n_profiles n_senders"]
    gains: Float[np.ndarray, "n_profiles n_senders"]
    radius: float

    def verified(self, tolerance: float) -> Bool[np.ndarray, " n_profiles"]:
        """Which profiles are local equilibria up to a tolerance."""
        return (self.gains <= tolerance).all(axis=1)

    def joined(self, other: Certified) -> Certified:
        """These profiles and others, certified with the same radius."""
        if other.radius != self.radius:
            raise ValueError(f"radius = {other.radius}: expected {self.radius}")
        pairs = [
            np.concatenate([getattr(self, name), getattr(other, name)])
            for name in ("rules", "utilities", "gains")
        ]
        return Certified(*pairs, self.radius)


@dataclass(frozen=True)
class Selected:
    """The certified profile with the largest welfare, or full revelation.

    Attributes
    ----------
    utilities : ndarray, shape (n_senders,)
        What the senders have; nan where nothing is certified and full revelation is no
        equilibrium: with one sender, or with too few signals for a code that the others
        read without any one of them.
    score : float
        Welfare above full revelation's, as a share of what the bound leaves; 0 for full
        revelation, and where the bound leaves nothing.
    found : bool
        Whether anything was certified.
    index : int
        Of the profile, -1 for full revelation.
    """

    utilities: Float[np.ndarray, " n_senders"]
    score: float
    found: bool
    index: int


def certify(
    game: PersuasionGame,
    rules: Float[np.ndarray, "n_profiles n_senders n_states k"] | Tensor,
    radius: float = 0.05,
) -> Certified:
    """True utilities of profiles, and their exact local gains.

    Parameters
    ----------
    game : PersuasionGame
        Prior and payoffs.
    rules : ndarray or Tensor, shape (n_profiles, n_senders, n_states, n_signals)
        Rows that are distributions up to the rounding of single precision.
    radius : float
        Of the box, above 0, at most 1.

    Returns
    -------
    Certified
        Everything about each profile.

    Raises
    ------
    ValueError
        Profiles that do not fit the game, or rows that are no distributions.

    Notes
    -----
    One mixed-integer program for each profile and sender, about 5 ms with two senders,
    three states, actions and signals, and a small box.
    """
    tensor = torch.as_tensor(rules).detach()
    check_batch(game, tensor)
    rules = np.asarray(tensor, dtype=float)
    total = rules.sum(axis=-1, keepdims=True)
    if not (np.abs(total - 1).max(initial=0) < 1e-4 and (rules > -1e-6).all()):
        raise ValueError(
            "rules: expected rows that are distributions, up to single precision"
        )
    rules = np.maximum(rules, 0) / np.maximum(rules, 0).sum(axis=-1, keepdims=True)
    pay = np.array([utilities(game, list(one)) for one in rules])
    gain = np.array([gains(game, list(one), radius) for one in rules])
    shape = (len(rules), game.n_senders)
    return Certified(rules, pay.reshape(shape), gain.reshape(shape), radius)


def select(game: PersuasionGame, points: Certified, tolerance: float) -> Selected:
    """The best certified profile by welfare; full revelation where there is none.

    Parameters
    ----------
    game : PersuasionGame
        Prior and payoffs.
    points : Certified
        Of that game.
    tolerance : float
        Largest gain of a local equilibrium, 0 or more.
    """
    if not tolerance >= 0:
        raise ValueError(f"tolerance = {tolerance}: expected a number, 0 or more")
    floor = full_revelation(game)
    held = np.flatnonzero(points.verified(tolerance))
    if not len(held):
        k, n = points.rules.shape[3], game.n_senders
        holds = game.n_states <= k ** (n - 1)
        return Selected(floor if holds else np.full(n, np.nan), 0.0, False, -1)
    best = held[points.utilities[held].sum(axis=1).argmax()]
    pay = points.utilities[best]
    room = welfare_bound(game) - floor.sum()
    score = (pay.sum() - floor.sum()) / room if room > 1e-9 else 0.0
    return Selected(pay, float(score), True, int(best))


def nearby(
    rules: Float[Tensor, "n_profiles n_states k"],
    n_tries: int,
    radius: float,
    generator: torch.Generator,
) -> Float[Tensor, "n_profiles n_tries n_states k"]:
    """Random rules in the box about each rule.

    Half of them move all rows and half about one in two; half in any direction and half
    by the whole radius up or down; distances are the root of a uniform number.
    """
    if n_tries < 1 or not 0 < radius <= 1:
        raise ValueError(
            f"n_tries, radius = {n_tries}, {radius}: expected 1 or more, and a number "
            "above 0, at most 1"
        )
    n, m, k = rules.shape
    like = {"generator": generator, "dtype": rules.dtype}
    step = 2 * torch.rand(n, n_tries, m, k, **like) - 1
    corner = torch.rand(n, n_tries, 1, 1, **like) < 0.5
    step = torch.where(corner, step.sign(), step)
    some = torch.rand(n, n_tries, m, 1, **like) < 0.5
    some |= torch.rand(n, n_tries, 1, 1, **like) < 0.5
    step = (step - step.mean(dim=3, keepdim=True)) * some
    step = step * torch.rand(n, n_tries, 1, 1, **like).sqrt()
    about = rules[:, None]
    moved = project_simplex(about + radius * step) - about
    far = moved.abs().amax(dim=(2, 3), keepdim=True)
    return about + moved * (radius / far.clamp(min=radius))


def _deviations(
    value: Callable[[Tensor], Tensor],
    rules: Tensor,
    sender: int,
    n_tries: int,
    radius: float,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Random rules of one sender, and what he has by them."""
    tried = nearby(rules[:, sender], n_tries, radius, generator)
    profiles = rules[:, None].repeat(1, n_tries, 1, 1, 1)
    profiles[:, :, sender] = tried
    worth = value(profiles.flatten(0, 1))[:, sender]
    return tried, worth.unflatten(0, (len(rules), n_tries))


@torch.no_grad()
def search(
    value: Callable[[Tensor], Tensor],
    rules: Float[Tensor, "n_profiles n_senders n_states k"],
    generator: torch.Generator,
    *,
    n_rounds: int = 20,
    n_tries: int = 24,
    radii: tuple[float, float] = (0.05, 0.01),
) -> Float[Tensor, "n_profiles n_senders n_states k"]:
    """Profiles after senders in turn have moved to the best of random rules nearby.

    Parameters
    ----------
    value : callable
        Takes profiles, gives a utility for each sender: a surrogate, or the truth.
    rules : Tensor, shape (n_profiles, n_senders, n_states, n_signals)
        Starts.
    generator : torch.Generator
        Source of randomness.
    n_rounds, n_tries : int
        Turns of each sender, and rules tried in each.
    radii : (float, float)
        Boxes of the first and the last round, geometric in between.

    Returns
    -------
    Tensor
        End points, of the same shape.
    """
    rules = rules.clone()
    rows = torch.arange(len(rules))
    for radius in np.geomspace(*radii, n_rounds):
        for i in range(rules.shape[1]):
            tried, worth = _deviations(value, rules, i, n_tries, radius, generator)
            best = worth.argmax(dim=1)
            better = worth[rows, best] > value(rules)[:, i]
            rules[better, i] = tried[rows, best][better]
    return rules


@torch.no_grad()
def sampled_gains(
    value: Callable[[Tensor], Tensor],
    rules: Float[Tensor, "n_profiles n_senders n_states k"],
    radius: float,
    n_tries: int,
    generator: torch.Generator,
) -> Float[Tensor, "n_profiles n_senders n_tries"]:
    """What random deviations in a box gain each sender.

    With the true utilities never more than the exact gain: one above a tolerance
    refutes a local equilibrium, and none above it proves nothing.

    Parameters
    ----------
    value : callable
        Takes profiles, gives a utility for each sender.
    rules : Tensor, shape (n_profiles, n_senders, n_states, n_signals)
        Whence they deviate, alone.
    radius : float
        Of the box, above 0, at most 1.
    n_tries : int
        Deviations of each sender.
    generator : torch.Generator
        Source of randomness.
    """
    now = value(rules)
    gained = [
        _deviations(value, rules, i, n_tries, radius, generator)[1] - now[:, i, None]
        for i in range(rules.shape[1])
    ]
    return torch.stack(gained, dim=1)
