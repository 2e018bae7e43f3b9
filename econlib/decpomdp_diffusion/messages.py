r"""Do shared attractors suffice, and if not, how few bits make them?

The agents share the states :math:`\mathcal S_\cap(\tau)` that nobody excludes; together
they could know :math:`\mathcal S(\tau)\subseteq\mathcal S_\cap(\tau)`.  The *excess* is
the probability that the inclusion is strict, summed over all joint histories.  A
message :math:`m_i=g_i(\tau_i)` of agent :math:`i` tells the others something of its
history; agent :math:`j` then holds

.. math::

   p\big(s\mid\tau_j,(m_i)_{i\ne j}\big)

and the shared set shrinks.  Maps :math:`g_i` are searched by changing one value at a
time while the excess falls, from random maps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from econlib.decpomdp_diffusion.model import DecPOMDP

__all__ = ["JointLaw", "Messages", "excess", "joint_law", "search_messages", "told"]


@dataclass(frozen=True)
class JointLaw:
    """All joint histories of a length, as numbers.

    Attributes
    ----------
    prob : ndarray, shape (n_histories,)
        Probability of each.
    joint : ndarray, shape (n_histories, n_states)
        Posteriors given everything.
    code : ndarray of int, shape (n_histories, n_agents)
        Number of each agent's local history.
    """

    prob: Float[np.ndarray, " n_histories"]
    joint: Float[np.ndarray, "n_histories n_states"]
    code: Int[np.ndarray, "n_histories n_agents"]

    @property
    def n_codes(self) -> tuple[int, ...]:
        """Number of local histories of each agent."""
        return tuple(int(n) + 1 for n in self.code.max(axis=0))


def joint_law(env: DecPOMDP, length: int) -> JointLaw:
    """Enumerate a process."""
    every = env.histories(length)
    code = [
        np.unique(every.obs[:, :, i], axis=0, return_inverse=True)[1].ravel()
        for i in range(env.n_agents)
    ]
    return JointLaw(every.prob, env.posterior(every.obs), np.stack(code, axis=1))


def told(
    law: JointLaw, sent: Int[np.ndarray, "n_histories n_agents"]
) -> Float[np.ndarray, "n_agents n_histories n_states"]:
    """Each agent's posterior given its history and what the others sent."""
    mass, found = law.joint * law.prob[:, None], []
    for i in range(law.code.shape[1]):
        heard = sent.copy()
        heard[:, i] = law.code[:, i]
        _, back = np.unique(heard, axis=0, return_inverse=True)
        total = np.zeros((back.max() + 1, mass.shape[1]))
        np.add.at(total, back.ravel(), mass)
        found.append((total / total.sum(axis=1, keepdims=True))[back.ravel()])
    return np.stack(found)


def excess(law: JointLaw, local: Float[np.ndarray, "n_agents n n_states"]) -> float:
    """Probability that more states are shared than possible."""
    shared = (local > 0).all(axis=0).sum(axis=1)
    return float(law.prob @ (shared > (law.joint > 0).sum(axis=1)))


@dataclass(frozen=True)
class Messages:
    """Maps from local histories to messages.

    Attributes
    ----------
    maps : tuple of ndarray of int, each of shape (n_codes,)
        Message of each local history, one map an agent.
    sent : ndarray of int, shape (n_histories, n_agents)
        Message in each joint history.
    excess : float
        Probability that more states are shared than possible, after the messages.
    n_tried : int
        Maps that were tried.
    """

    maps: tuple[Int[np.ndarray, " n_codes"], ...]
    sent: Int[np.ndarray, "n_histories n_agents"]
    excess: float
    n_tried: int


def search_messages(
    law: JointLaw, n_bits: int, rng: np.random.Generator, *, n_starts: int = 10
) -> Messages:
    """Look for messages after which only possible states are shared.

    Parameters
    ----------
    law : JointLaw
        Of the process.
    n_bits : int
        Bits of each agent's message, 0 to 8; with 0 nothing is searched.
    rng : Generator
        Source of the first maps and of the order of changes.
    n_starts : int
        Random first maps, 1 or more; stops at the first without excess.

    Raises
    ------
    ValueError
        A number of bits or starts out of range.
    """
    if not 0 <= n_bits <= 8 or n_starts < 1:
        raise ValueError(
            f"n_bits = {n_bits}, n_starts = {n_starts}: expected 0 to 8, 1 or more"
        )
    tried, best = 0, None
    for _ in range(n_starts if n_bits else 1):
        maps = [rng.integers(0, 2**n_bits, n) for n in law.n_codes]
        sent = _sent(law, maps)
        value, tried = excess(law, told(law, sent)), tried + 1
        moved = n_bits > 0
        while moved and value > 0:
            moved = False
            for i in rng.permutation(len(maps)):
                for k in rng.permutation(len(maps[i])):
                    old = maps[i][k]
                    maps[i][k] = (old + rng.integers(1, 2**n_bits)) % 2**n_bits
                    new = excess(law, told(law, _sent(law, maps)))
                    tried += 1
                    if new > value:
                        maps[i][k] = old
                    else:
                        moved = moved or new < value - 1e-12
                        value = new
                    if value <= 0:
                        break
                if value <= 0:
                    break
        if best is None or value < best.excess:
            best = Messages(tuple(maps), _sent(law, maps), value, tried)
        if value <= 0:
            break
    return best


def _sent(law: JointLaw, maps: list[np.ndarray]) -> np.ndarray:
    return np.stack([m[law.code[:, i]] for i, m in enumerate(maps)], axis=1)
