r"""A tree as a Gymnasium environment, for one principal or many side by side.

The agent's truncated values :math:`\bar Q` are those of a plan, by default of the exact
equilibrium.  The principal sees the node and chooses

recommend
    an action; the agent takes it, and the cheapest contract for it, with the plan's
    margin, is paid: the best total reward is the equilibrium's value;
contract
    the payments at both outcomes; the agent takes the action it likes better, and of
    two that are equally good that which is better for the principal.

The reward is :math:`r^p(s,o)-b(o)`; an episode ends after as many steps as there are
layers.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from econlib.contracts.trees import Equilibrium, Trees, expected_pay, solve

__all__ = ["TreeEnv", "TreeVectorEnv"]

_TIE = 1e-9


class _Rules:
    """What happens at nodes, for many games of one tree at once."""

    def __init__(
        self, trees: Trees, choose: str, plan: Equilibrium | None, xi: float
    ) -> None:
        if trees.n_trees != 1:
            raise ValueError(f"trees.n_trees = {trees.n_trees}: expected one tree")
        if choose not in ("recommend", "contract"):
            raise ValueError(
                f"choose = {choose!r}: expected one of recommend, contract"
            )
        if not xi >= 0:
            raise ValueError(f"xi = {xi}: expected 0 or more")
        self.plan = solve(trees, xi) if plan is None else plan
        self.p, self.choose, self.n = trees.p, choose, trees.n_nodes
        self.cost, self.reward = trees.cost[0], trees.reward[0]
        self.qbar = self.plan.qbar[0]
        pay = expected_pay(self.qbar, xi, trees.p)
        self.bonus = pay / trees.p
        self.worth = self.plan.q[0] + pay  # the principal's, before payment
        high = float(np.maximum(2 * self.bonus.max(), 1.0))
        self.observation = spaces.Discrete(self.n + 1)
        self.action = spaces.Discrete(2)
        if choose == "contract":
            self.action = spaces.Box(0.0, high, (2,), np.float64)

    def step(
        self, nodes: np.ndarray, choice: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Next nodes, rewards, and what else is known."""
        law = np.array([[self.p, 1 - self.p], [1 - self.p, self.p]])
        if self.choose == "recommend":
            act = np.asarray(choice, int)
            b = np.zeros((len(nodes), 2))
            b[np.arange(len(nodes)), act] = self.bonus[nodes, act]
        else:
            b = np.maximum(np.asarray(choice, float), 0.0)
            agent = self.qbar[nodes] + b @ law.T
            principal = self.worth[nodes] - b @ law.T
            lead = agent[:, 1] - agent[:, 0]
            tie = principal[:, 1] > principal[:, 0]
            act = np.where(np.abs(lead) <= _TIE, tie, lead > 0).astype(int)
        o = (rng.random(len(nodes)) < law[act, 1]).astype(int)
        paid = b[np.arange(len(nodes)), o]
        after = np.minimum(2 * nodes + 1 + o, self.n)
        info = {
            "action": act,
            "outcome": o,
            "payment": paid,
            "agent_reward": paid - self.cost[nodes] * act,
        }
        return after, self.reward[nodes] * o - paid, info


class TreeEnv(gymnasium.Env):
    """One game at a time.

    Observations are nodes, and ``n_nodes`` at the end of play.

    Parameters
    ----------
    trees : Trees
        One tree.
    choose : {"recommend", "contract"}
        What the principal chooses.
    plan : Equilibrium, optional
        Whose truncated values the agent has; the exact equilibrium if left out.
    xi : float
        Margin of contracts where actions are recommended, at least 0.

    Raises
    ------
    ValueError
        More than one tree, an unknown choice, or a negative margin.

    Examples
    --------
    >>> from econlib.contracts.trees import tree_batch
    >>> env = TreeEnv(tree_batch(2, [0]))
    >>> node, _ = env.reset(seed=0)
    >>> int(node), env.action_space
    (0, Discrete(2))
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        trees: Trees,
        choose: str = "recommend",
        plan: Equilibrium | None = None,
        xi: float = 0.0,
    ) -> None:
        self.rules = _Rules(trees, choose, plan, xi)
        self.observation_space = self.rules.observation
        self.action_space = self.rules.action
        self.render_mode = None
        self._node = np.zeros(1, int)

    def reset(
        self, *, seed: int | None = None, options: dict | None = None
    ) -> tuple[int, dict]:
        """Start at the root; a seed makes the outcomes repeatable."""
        super().reset(seed=seed)
        self._node = np.zeros(1, int)
        return 0, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict]:
        """Play one decision."""
        choice = np.asarray(action)[None]
        self._node, reward, info = self.rules.step(self._node, choice, self.np_random)
        over = bool(self._node[0] == self.rules.n)
        info = {k: v[0].item() for k, v in info.items()}
        return int(self._node[0]), float(reward[0]), over, False, info


class TreeVectorEnv(gymnasium.vector.VectorEnv):
    """Many games of one tree in one array operation.

    Parameters
    ----------
    num_envs : int
        Games, at least 1.
    trees, choose, plan, xi
        As for :class:`TreeEnv`.

    Notes
    -----
    A game that is over starts again in the next step, whose action is ignored and whose
    reward is 0.

    Examples
    --------
    >>> from econlib.contracts.trees import tree_batch
    >>> env = TreeVectorEnv(3, tree_batch(2, [0]))
    >>> env.reset(seed=0)[0].tolist()
    [0, 0, 0]
    """

    metadata = {  # noqa: RUF012
        "render_modes": [],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int,
        trees: Trees,
        choose: str = "recommend",
        plan: Equilibrium | None = None,
        xi: float = 0.0,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs = {num_envs}: expected 1 or more")
        self.rules, self.num_envs = _Rules(trees, choose, plan, xi), num_envs
        self.single_observation_space = self.rules.observation
        self.single_action_space = self.rules.action
        self.observation_space = batch_space(self.rules.observation, num_envs)
        self.action_space = batch_space(self.rules.action, num_envs)
        self._nodes = np.zeros(num_envs, int)

    def reset(
        self, *, seed: int | None = None, options: dict | None = None
    ) -> tuple[np.ndarray, dict]:
        """Start all games at the root."""
        super().reset(seed=seed)
        self._nodes = np.zeros(self.num_envs, int)
        return self._nodes.copy(), {}

    def step(
        self, actions: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        """Play one decision in every game."""
        fresh = self._nodes == self.rules.n
        nodes = np.where(fresh, 0, self._nodes)
        after, reward, info = self.rules.step(nodes, actions, self.np_random)
        self._nodes = np.where(fresh, 0, after)
        reward = np.where(fresh, 0.0, reward)
        info = {k: np.where(fresh, 0, v) for k, v in info.items()}
        over = self._nodes == self.rules.n
        return self._nodes.copy(), reward, over, np.zeros_like(over), info
