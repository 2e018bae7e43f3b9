r"""Small processes whose posteriors are known in closed form, and counterexamples.

``hypercube``: agent :math:`i` sees bit :math:`i` of a uniform state in
:math:`\{\pm1\}^n`.  ``grid``: of a point on an :math:`m\times m` grid one agent sees
the abscissa, the other the ordinate.  ``dec_tiger``: two states, every agent hears the
right side with a fixed probability, listening only.  ``xor``: a bit :math:`b` and a
fair coin :math:`r`; agent 1 sees :math:`r`, agent 2 sees :math:`r\oplus b`, so that
together they know :math:`b` and alone nothing.  ``line``: two agents who share the
state 0 and each hold another one possible.
"""

from __future__ import annotations

import itertools

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from econlib.decpomdp_diffusion.model import DecPOMDP

__all__ = ["dec_tiger", "grid", "hypercube", "line", "tiger_posterior", "xor"]


def hypercube(n_agents: int) -> DecPOMDP:
    """Bits, one an agent; ``n_agents`` from 1 to 12."""
    _whole("n_agents", n_agents, 1, 12)
    states = np.array(list(itertools.product((-1.0, 1.0), repeat=n_agents)))
    laws = tuple(np.eye(2)[(states[:, i] > 0).astype(int)] for i in range(n_agents))
    n = len(states)
    return DecPOMDP(states, np.arange(n), np.full(n, 1 / n), (), laws)


def grid(m: int) -> DecPOMDP:
    """Points of the square with ``m`` (2 to 40) abscissae in [-1, 1], all as likely."""
    _whole("m", m, 2, 40)
    at = np.linspace(-1.0, 1.0, m)
    states = np.array(list(itertools.product(at, at)))
    x, y = np.divmod(np.arange(m * m), m)
    n = m * m
    laws = (np.eye(m)[x], np.eye(m)[y])
    return DecPOMDP(states, np.arange(n), np.full(n, 1 / n), (), laws)


def dec_tiger(n_agents: int = 2, hear: float = 0.85) -> DecPOMDP:
    """Tiger behind the left door (state -1) or the right one (+1), listening only.

    Parameters
    ----------
    n_agents : int
        1 to 6.
    hear : float
        Probability of a growl from the right side, (0.5, 1).
    """
    _whole("n_agents", n_agents, 1, 6)
    if not 0.5 < hear < 1:
        raise ValueError(f"hear = {hear}: expected a number in (0.5, 1)")
    law = np.array([[hear, 1 - hear], [1 - hear, hear]])
    states = np.array([[-1.0], [1.0]])
    return DecPOMDP(states, np.arange(2), np.full(2, 0.5), (), (law,) * n_agents)


def tiger_posterior(
    net: Float[np.ndarray, " n"], hear: float = 0.85
) -> Float[np.ndarray, " n"]:
    """Probability of the left door after ``net`` more growls from there than not."""
    odds = (hear / (1 - hear)) ** net
    return odds / (1 + odds)


def xor(steps: int = 1) -> DecPOMDP:
    """The parity example; the state is the bit.

    Parameters
    ----------
    steps : int
        With 1 the coin is noise of the observations.  With 2 the coin belongs to the
        first state, observations are functions of it, and the second state, the bit
        alone, is not observed: every joint history leaves one state, yet no agent knows
        anything.
    """
    _whole("steps", steps, 1, 2)
    r, b = np.divmod(np.arange(4), 2)
    bit = np.array([[-1.0], [1.0]])
    if steps == 1:
        laws = (np.eye(2)[r], np.eye(2)[r ^ b])
        return DecPOMDP(bit, b, np.full(4, 0.25), (), laws)
    # hidden 0 to 3: the first step; 4 and 5: the second, where symbol 2 is silence
    move = np.zeros((6, 6))
    move[np.arange(4), 4 + b] = 1.0
    move[4, 4] = move[5, 5] = 1.0
    silent = np.array([2, 2])
    laws = tuple(np.eye(3)[np.concatenate([o, silent])] for o in (r, r ^ b))
    b0 = np.array([0.25] * 4 + [0.0] * 2)
    lump = np.concatenate([b, [0, 1]])
    return DecPOMDP(bit, lump, b0, (sp.csr_matrix(move),), laws)


def line(
    weight: float = 0.5, far: tuple[float, float] = (4.0, 3.9)
) -> tuple[Float[np.ndarray, "3 1"], Float[np.ndarray, "2 1 3"]]:
    """States 0, ``far[0]`` and ``far[1]``, and two local posteriors that share 0 alone.

    Parameters
    ----------
    weight : float
        Probability of the state that is not shared, (0, 1), the same for both.
    far : (float, float)
        Where it lies for either agent.

    Returns
    -------
    states : ndarray, shape (3, 1)
        Points on the line.
    local : ndarray, shape (2, 1, 3)
        Local posteriors of one joint history.
    """
    if not 0 < weight < 1:
        raise ValueError(f"weight = {weight}: expected a number in (0, 1)")
    states = np.array([[0.0], [far[0]], [far[1]]])
    local = np.zeros((2, 1, 3))
    local[:, 0, 0] = 1 - weight
    local[0, 0, 1] = local[1, 0, 2] = weight
    return states, local


def _whole(name: str, value: object, low: int, high: int) -> None:
    good = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not good or not low <= value <= high:
        raise ValueError(f"{name} = {value!r}: expected an integer, {low} to {high}")
