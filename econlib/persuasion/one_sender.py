r"""One sender: Bayesian persuasion as a linear program, and as a concave envelope.

With :math:`x_a(\omega)` the mass of state :math:`\omega` after the recommendation
:math:`a`,

.. math::

   \max_{x\ge0}\ \sum_{a,\omega}x_a(\omega)v(\omega,a)\quad\text{s.t.}\quad
   \sum_ax_a(\omega)=\mu(\omega),\qquad
   \sum_\omega x_a(\omega)\big(r(\omega,a)-r(\omega,b)\big)\ge0\ \ \forall a,b .

No profile of several senders gives any of them more, since all of their signals
together are one signal; with the sum of utilities in place of :math:`v` the program
bounds welfare.  With two states the optimum is the concave envelope of the sender's
value as a function of the posterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from econlib.persuasion.games import TIE, PersuasionGame, check_table
from econlib.programs import solve

__all__ = ["OneSender", "ceilings", "concavification", "one_sender", "welfare_bound"]


@dataclass(frozen=True)
class OneSender:
    """An optimal rule of one sender.

    Attributes
    ----------
    value : float
        What he expects.
    masses : ndarray, shape (n_actions, n_states)
        Of states, for each recommended action; divided by the prior, the rule.
    gap : float
        Distance of the value to that of the duals.
    """

    value: float
    masses: Float[np.ndarray, "n_actions n_states"]
    gap: float


def one_sender(
    prior: Float[np.ndarray, " n_states"],
    receiver: Float[np.ndarray, "n_states n_actions"],
    sender: Float[np.ndarray, "n_states n_actions"],
) -> OneSender:
    """Best rule of one sender, with as many signals as there are actions.

    Parameters
    ----------
    prior : ndarray, shape (n_states,)
        Weights of the states, 0 or more; they need not add up to 1.
    receiver, sender : ndarray, shape (n_states, n_actions)
        Utilities.

    Returns
    -------
    OneSender
        Value and rule; ties of the receiver go to the sender.

    Raises
    ------
    ValueError
        Tables of different shapes, numbers that are not finite, or negative weights.

    Examples
    --------
    >>> convict = np.array([[1.0, 0.0], [1.0, 0.0]])
    >>> judge = np.array([[-0.5, 0.0], [0.5, 0.0]])
    >>> round(one_sender(np.array([0.7, 0.3]), judge, convict).value, 6)
    0.6
    """
    prior = check_table("prior", prior, "n_states")
    receiver, sender = _tables(receiver, sender)
    if len(prior) != len(receiver) or (prior < 0).any():
        raise ValueError(
            f"prior = {prior.tolist()}: expected {len(receiver)} numbers, 0 or more"
        )
    m, n = receiver.shape
    obey = np.zeros((n, n, n, m))
    a = np.arange(n)
    # row (a, b), columns of recommendation a: what b would lose her
    obey[a, :, a] = receiver.T[:, None] - receiver.T[None]
    obey = obey[~np.eye(n, dtype=bool)].reshape(-1, n * m)
    split = np.tile(np.eye(m), (1, n))
    found = solve(
        sender.T.ravel(),
        np.concatenate([obey, split]),
        np.concatenate([np.zeros(len(obey)), prior]),
        np.concatenate([np.full(len(obey), np.inf), prior]),
        maximise=True,
    )
    return OneSender(found.objective, found.x.reshape(n, m), found.gap)


def _tables(receiver: object, sender: object) -> tuple[np.ndarray, np.ndarray]:
    """Utilities of the receiver and of one sender, checked."""
    receiver = check_table("receiver", receiver, "n_states n_actions")
    sender = check_table("sender", sender, "n_states n_actions")
    if sender.shape != receiver.shape:
        raise ValueError(f"sender: shape {sender.shape}, expected {receiver.shape}")
    return receiver, sender


def ceilings(game: PersuasionGame) -> Float[np.ndarray, " n_senders"]:
    """What each sender would have alone: no profile gives him more."""
    return np.array(
        [one_sender(game.prior, game.receiver, v).value for v in game.senders]
    )


def welfare_bound(game: PersuasionGame) -> float:
    """Bound on the sum of the senders' utilities, over all profiles."""
    total = game.senders.sum(axis=0)
    return one_sender(game.prior, game.receiver, total).value


def concavification(
    receiver: Float[np.ndarray, "n_states n_actions"],
    sender: Float[np.ndarray, "n_states n_actions"],
    posteriors: Float[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """A sender's value by the posterior of the second state, and its envelope.

    Parameters
    ----------
    receiver, sender : ndarray, shape (2, n_actions)
        Utilities.
    posteriors : ndarray, shape (n,)
        Of the second state, in [0, 1]; not empty.

    Returns
    -------
    value, envelope : ndarray, shape (n,)
        What he has when the receiver holds that belief, ties going to him; and the
        least concave function above it, the optimum at that prior.
    """
    receiver, sender = _tables(receiver, sender)
    if receiver.shape[0] != 2:
        raise ValueError(f"receiver: {receiver.shape[0]} states, expected two")
    posteriors = check_table("posteriors", posteriors, "n")
    if ((posteriors < 0) | (posteriors > 1)).any():
        raise ValueError("posteriors: expected numbers in [0, 1]")
    # between two beliefs at which the receiver changes her mind the value is linear
    level, slope = receiver[0], receiver[1] - receiver[0]
    rise = slope[:, None] - slope
    with np.errstate(divide="ignore", invalid="ignore"):
        cross = (level[None] - level[:, None]) / rise
    kinks = np.unique(np.concatenate([[0.0, 1.0], cross[(cross > 0) & (cross < 1)]]))

    def value(p: np.ndarray) -> np.ndarray:
        belief = np.stack([1 - p, p], axis=1)
        worth = belief @ receiver
        tied = worth >= worth.max(axis=1, keepdims=True) - TIE
        return np.where(tied, belief @ sender, -np.inf).max(axis=1)

    top = value(kinks)
    i, j = np.triu_indices(len(kinks), 1)
    share = (posteriors[:, None] - kinks[i]) / (kinks[j] - kinks[i])
    chord = top[i] + share * (top[j] - top[i])
    chord[(share < -1e-12) | (share > 1 + 1e-12)] = -np.inf
    return value(posteriors), chord.max(axis=1)
