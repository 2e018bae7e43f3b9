r"""Extensive games of two players as flat arrays.

A game is a rooted tree of histories :math:`h`.  At a chance node nature moves by
:math:`\sigma_c`; at a decision node player :math:`P(h)` moves, who sees the infostate
:math:`s(h)` only; at a terminal node player 1 gets :math:`u(h)` and player 2
:math:`-u(h)`.  Nodes are numbered breadth first, so that the children of a node stand
next to each other:

.. math::

   h\cdot a = \text{first\_child}(h) + a .
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from jaxtyping import Float, Int

__all__ = [
    "CHANCE",
    "DECISION",
    "TERMINAL",
    "FlatTree",
    "build",
    "from_openspiel",
    "kuhn",
    "matrix_game",
    "weighted_rps",
]

CHANCE, DECISION, TERMINAL = 0, 1, 2
_EPS = 1e-9


@dataclass(frozen=True)
class FlatTree:
    """A zero-sum game of two players with perfect recall, in arrays.

    Attributes
    ----------
    name : str
        What it was built from.
    kind : ndarray of int8, shape (n_nodes,)
        ``CHANCE``, ``DECISION`` or ``TERMINAL``.
    player : ndarray of int8, shape (n_nodes,)
        Who moves, 0 or 1; -1 elsewhere.
    infoset : ndarray of int32, shape (n_nodes,)
        Infostate of a decision node, players mixed; -1 elsewhere.
    first_child, n_children : ndarray of int64, shape (n_nodes,)
        Children are contiguous; 0 and 0 at terminal nodes.
    parent : ndarray of int64, shape (n_nodes,)
        -1 at the root.
    chance : ndarray of float, shape (n_nodes,)
        Probability of the move that leads here, if nature makes it; 1 elsewhere.
    utility : ndarray of float, shape (n_nodes,)
        Of player 0 at terminal nodes; 0 elsewhere.
    owner, n_actions : ndarray of int, shape (n_infosets,)
        Player and number of actions of each infostate.
    parent_sequence : ndarray of int64, shape (n_infosets, 2)
        Infostate and action by which its owner came there; -1, -1 where none.
    keys : tuple
        What the players see at each infostate.
    """

    name: str
    kind: Int[np.ndarray, " n_nodes"]
    player: Int[np.ndarray, " n_nodes"]
    infoset: Int[np.ndarray, " n_nodes"]
    first_child: Int[np.ndarray, " n_nodes"]
    n_children: Int[np.ndarray, " n_nodes"]
    parent: Int[np.ndarray, " n_nodes"]
    chance: Float[np.ndarray, " n_nodes"]
    utility: Float[np.ndarray, " n_nodes"]
    owner: Int[np.ndarray, " n_infosets"]
    n_actions: Int[np.ndarray, " n_infosets"]
    parent_sequence: Int[np.ndarray, "n_infosets 2"]
    keys: tuple

    @property
    def n_nodes(self) -> int:
        """Number of histories."""
        return len(self.kind)

    @property
    def n_infosets(self) -> int:
        """Number of infostates of both players."""
        return len(self.owner)

    @property
    def max_actions(self) -> int:
        """Largest number of actions at an infostate."""
        return int(self.n_actions.max())

    @property
    def legal(self) -> np.ndarray:
        """Mask of legal actions, shape (n_infosets, max_actions)."""
        return np.arange(self.max_actions) < self.n_actions[:, None]

    def uniform(self) -> Float[np.ndarray, "n_infosets max_actions"]:
        """Policy that plays every legal action alike."""
        return self.legal / self.n_actions[:, None]

    def random_policy(
        self, rng: np.random.Generator
    ) -> Float[np.ndarray, "n_infosets max_actions"]:
        """Policy with full support, each row drawn evenly from its simplex."""
        weights = rng.exponential(size=self.legal.shape) * self.legal + 0.0
        return weights / weights.sum(axis=1, keepdims=True)

    def check_policy(self, policy: np.ndarray) -> np.ndarray:
        """Policy as an array; ValueError for another shape or rows that are no law."""
        policy = np.asarray(policy, dtype=float)
        shape = self.legal.shape
        if policy.shape != shape:
            raise ValueError(f"policy: shape {policy.shape}, expected {shape}")
        bad = (policy < -_EPS).any(axis=1) | (
            np.abs((policy * self.legal).sum(axis=1) - 1) > 1e-6
        )
        if bad.any() or not np.isfinite(policy).all():
            row = int(np.argmax(bad))
            raise ValueError(
                f"policy[{row}] = {policy[row]}: expected probabilities of the "
                f"{self.n_actions[row]} legal actions that sum to one"
            )
        return policy


#: What a describe function returns: kind, who, what is seen, and what follows.
Described = tuple[str, Any, Any, Any]


def build(
    root: Any,
    describe: Callable[[Any], Described],
    name: str = "game",
    max_nodes: int = 1_000_000,
) -> FlatTree:
    """Flatten any game that a function describes.

    Parameters
    ----------
    root : object
        State at the start.
    describe : callable
        Takes a state and returns ``("chance", None, None, [(p, state), ...])``,
        ``("decision", player, key, [state, ...])`` or
        ``("terminal", None, None, u)``, ``u`` being player 0's utility.
    name : str
        Of the game, for messages.
    max_nodes : int
        Where to give up, 1 or more.

    Returns
    -------
    FlatTree
        Breadth first.

    Raises
    ------
    ValueError
        More than two players, probabilities that are no law, an infostate with
        different actions at its nodes, imperfect recall, or too large a game.
    """
    if max_nodes < 1:
        raise ValueError(f"max_nodes = {max_nodes}: expected an integer, 1 or more")
    states: list[Any] = [root]
    kind, player, infoset, first, count = [], [], [], [], []
    parent, chance, utility = [-1], [1.0], []
    came: list[tuple[tuple[int, int], ...]] = [((-1, -1), (-1, -1))]
    ids: dict[Hashable, int] = {}
    owner: list[int] = []
    n_actions: list[int] = []
    origin: list[tuple[int, int]] = []
    for h in range(max_nodes + 1):
        if h == len(states):
            break
        what, who, seen, then = describe(states[h])
        states[h] = None
        first.append(len(states) if what != "terminal" else 0)
        count.append(len(then) if what != "terminal" else 0)
        kind.append({"chance": CHANCE, "decision": DECISION}.get(what, TERMINAL))
        utility.append(float(then) if what == "terminal" else 0.0)
        player.append(int(who) if what == "decision" else -1)
        s = -1
        if what == "chance":
            law = np.array([p for p, _ in then])
            if (law < 0).any() or abs(law.sum() - 1) > _EPS:
                raise ValueError(f"{name}: chance node {h}: probabilities {law}")
            states += [x for _, x in then]
            chance += law.tolist()
            came += [came[h]] * len(then)
        elif what == "decision":
            if who not in (0, 1):
                raise ValueError(
                    f"{name}: player {who} moves at node {h}: expected two players, "
                    "0 and 1"
                )
            s = ids.setdefault((who, seen), len(ids))
            if s == len(owner):
                owner.append(int(who))
                n_actions.append(len(then))
                origin.append(came[h][who])
            if len(then) != n_actions[s] or not then:
                raise ValueError(
                    f"{name}: infostate {seen!r} has {n_actions[s]} and {len(then)} "
                    "actions at different nodes"
                )
            if origin[s] != came[h][who]:
                raise ValueError(
                    f"{name}: imperfect recall: player {who + 1} comes to infostate "
                    f"{seen!r} by different moves of its own"
                )
            states += then
            chance += [1.0] * len(then)
            for a in range(len(then)):
                mine = (s, a)
                came.append((mine, came[h][1]) if who == 0 else (came[h][0], mine))
        infoset.append(s)
        parent += [h] * count[-1]
    else:
        raise ValueError(
            f"{name}: more than {max_nodes} nodes. Try a smaller game or max_nodes"
        )
    if not owner:
        raise ValueError(f"{name}: nobody moves")
    return FlatTree(
        name=name,
        kind=np.array(kind, dtype=np.int8),
        player=np.array(player, dtype=np.int8),
        infoset=np.array(infoset, dtype=np.int32),
        first_child=np.array(first, dtype=np.int64),
        n_children=np.array(count, dtype=np.int64),
        parent=np.array(parent, dtype=np.int64),
        chance=np.array(chance),
        utility=np.array(utility),
        owner=np.array(owner, dtype=np.int8),
        n_actions=np.array(n_actions, dtype=np.int32),
        parent_sequence=np.array(origin, dtype=np.int64).reshape(-1, 2),
        keys=tuple(key for _, key in ids),
    )


def from_openspiel(game: str | Any, max_nodes: int = 1_000_000) -> FlatTree:
    """Flatten an OpenSpiel game.

    Parameters
    ----------
    game : str or pyspiel.Game
        Such as ``"leduc_poker"`` or ``"liars_dice(numdice=1,dice_sides=3)"``.
    max_nodes : int
        Where to give up, 1 or more.

    Returns
    -------
    FlatTree
        Actions keep OpenSpiel's order of legal actions.

    Raises
    ------
    ValueError
        Not two players, not zero-sum, simultaneous moves, chance that is not explicit,
        imperfect recall, or too large a game.
    """
    import pyspiel

    if isinstance(game, str):
        if game.split("(")[0] not in pyspiel.registered_names():
            raise ValueError(f"game = {game!r}: OpenSpiel has no game of that name")
        try:
            game = pyspiel.load_game(game)
        except (pyspiel.SpielError, RuntimeError) as err:
            reason = str(err).strip().splitlines()[0]
            raise ValueError(f"game = {game!r}: OpenSpiel: {reason}") from None
    sort, name = game.get_type(), str(game)
    if game.num_players() != 2:
        raise ValueError(
            f"{name}: {game.num_players()} players: expected two. A Markov decision "
            "process is an Mdp"
        )
    if sort.dynamics != pyspiel.GameType.Dynamics.SEQUENTIAL:
        raise ValueError(
            f"{name}: moves are simultaneous. Try pyspiel.load_game_as_turn_based"
        )
    if sort.chance_mode == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC:
        raise ValueError(
            f"{name}: chance is sampled inside the game: expected explicit chance nodes"
        )
    if sort.utility != pyspiel.GameType.Utility.ZERO_SUM:
        raise ValueError(f"{name}: expected a zero-sum game")
    if not (sort.provides_information_state_string):
        raise ValueError(f"{name}: tells no information state")

    def describe(state: Any) -> Described:
        if state.is_terminal():
            return "terminal", None, None, state.returns()[0]
        if state.is_chance_node():
            outcomes = state.chance_outcomes()
            return "chance", None, None, [(p, state.child(a)) for a, p in outcomes]
        who = state.current_player()
        then = [state.child(a) for a in state.legal_actions()]
        return "decision", who, state.information_state_string(who), then

    return build(game.new_initial_state(), describe, name, max_nodes)


def kuhn(n_cards: int = 3) -> FlatTree:
    """Kuhn's poker with ``n_cards`` cards, 2 or more.

    Each player antes 1 and gets a card; player 1 passes or bets 1, and so on; after a
    bet the other folds or calls.  Actions: 0 passes or folds, 1 bets or calls.

    Examples
    --------
    >>> t = kuhn()
    >>> t.n_nodes, t.n_infosets
    (55, 12)
    """
    if not 2 <= n_cards <= 60:
        raise ValueError(f"n_cards = {n_cards}: expected an integer, 2 to 60")
    deals = list(permutations(range(n_cards), 2))
    pay = {"pp": 1, "bp": 1, "pbp": -1, "bb": 2, "pbb": 2}

    def describe(state: Any) -> Described:
        if state is None:
            return "chance", None, None, [(1 / len(deals), (d, "")) for d in deals]
        (own, other), moves = state
        if moves in pay:
            shown = moves in ("pp", "bb", "pbb")
            sign = (1 if own > other else -1) if shown else 1
            return "terminal", None, None, sign * pay[moves]
        who = len(moves) % 2
        card = (own, other)[who]
        then = [((own, other), moves + m) for m in "pb"]
        return "decision", who, f"{card}{moves}", then

    return build(None, describe, f"kuhn({n_cards})")


def matrix_game(
    payoffs: Float[np.ndarray, "n_rows n_columns"], name: str = "matrix game"
) -> FlatTree:
    """A matrix game: player 1 picks a row unseen, then player 2 a column.

    Parameters
    ----------
    payoffs : ndarray, shape (n_rows, n_columns)
        To player 1; finite.
    name : str
        Of the game.

    Examples
    --------
    >>> matrix_game([[1, -1], [-1, 1]]).n_nodes
    7
    """
    U = np.asarray(payoffs, dtype=float)
    if U.ndim != 2 or not U.size or not np.isfinite(U).all():
        raise ValueError(f"payoffs: shape {U.shape}: expected a finite matrix")

    def describe(moves: Any) -> Described:
        if len(moves) == 2:
            return "terminal", None, None, U[moves]
        n = U.shape[len(moves)]
        return "decision", len(moves), "", [(*moves, k) for k in range(n)]

    return build((), describe, name)


def weighted_rps(weight: float = 2.0) -> FlatTree:
    r"""Rock, paper, scissors where scissors over paper pay ``weight``, positive.

    The only equilibrium plays :math:`(w,1,1)/(w+2)`.

    Examples
    --------
    >>> weighted_rps().n_nodes
    13
    """
    w = float(weight)
    if not 0 < w < np.inf:
        raise ValueError(f"weight = {weight}: expected a positive number")
    payoffs = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -w], [-1.0, w, 0.0]])
    return matrix_game(payoffs, f"weighted RPS({w:g})")
