r"""One simulator for compiled code: a game tree, a decision process, Cartpole, a stack.

A state is seven numbers, ``[mode, node, x, x', θ, θ', t]``: the mode says which part
of the environment is on, ``node`` is a history of the tree or a state of the table,
and the rest is Cartpole's.  A step takes an action of the traverser and lets
chance and the other player move until the traverser acts again or the episode ends.
Its label names the child for the stationarity test: the next hidden state, or the
reward where the episode ended.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Int
from numba import njit

from econlib.abcs.mdp import Mdp
from econlib.abcs.tree import TERMINAL, FlatTree

__all__ = [
    "BINS",
    "Environment",
    "Simulator",
    "cartpole",
    "cartpole_bins",
    "cartpole_scores",
    "cartpole_step",
    "decision_process",
    "game",
    "stacked",
]

TREE, TABLE, CART = 0, 1, 2
GRAVITY, MASS_CART, MASS_POLE, HALF_LENGTH, FORCE, TICK = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
FALL_X, FALL_ANGLE = 2.4, 12 * 2 * math.pi / 360
#: Half-widths of the bins' range in x, x', θ, θ'.
BINS = (2.4, 3.0, 0.5, 2.0)
RAW_LABELS = 1 << 30  # first label of the raw continuous states


class Simulator(NamedTuple):
    """What compiled code reads.

    A tree's nodes are rows of ``nodes`` (kind, player, infostate, first child, number
    of children, label) and ``reals`` (probability, utility); of a decision process,
    outcomes are (target, ends, label) and (cumulated probability, reward), and
    ``first`` says where a pair's outcomes begin.  ``start`` is the cumulated law of
    its first state, ``rules`` are the numbers named below.
    """

    nodes: np.ndarray
    reals: np.ndarray
    first: np.ndarray
    start: np.ndarray
    rules: np.ndarray


#: Places of ``Simulator.rules``: first mode of both players, Cartpole, discount.
MODE, TERM, LIMIT, SIDE, RAW, REFALL, GAMMA, SHIFT = 0, 2, 3, 4, 5, 6, 7, 8


@dataclass(frozen=True)
class Environment:
    """A simulator with what its users need to know.

    Attributes
    ----------
    name : str
        For messages and records.
    simulator : Simulator
        Arrays for compiled code.
    n_players : int
        Who learns in turn: 1 or 2.
    n_actions : ndarray of int, shape (n_infosets,)
        Actions of each infostate; Cartpole's bins first, then the tree's infostates.
    depth : int
        Own moves after which a recursion stops.
    tree : FlatTree, optional
        The game, or the second part of a stack.
    mdp : Mdp, optional
        The decision process.
    n_bins : int
        Cartpole's infostates; 0 where there is no Cartpole.
    """

    name: str
    simulator: Simulator
    n_players: int
    n_actions: Int[np.ndarray, " n_infosets"]
    depth: int
    tree: FlatTree | None = None
    mdp: Mdp | None = None
    n_bins: int = 0


def _simulator(
    modes: tuple[int, int],
    tree: FlatTree | None = None,
    mdp: Mdp | None = None,
    cart: tuple = (0.0, 0.0, 1.0, 0.0, 0.0),
    shift: int = 0,
) -> Simulator:
    nodes, reals = np.zeros((1, 6), dtype=np.int64), np.zeros((1, 2))
    first, start = np.zeros(1, dtype=np.int64), np.zeros(1)
    gamma = 1.0
    if tree is not None:
        end = tree.kind == TERMINAL
        _, which = np.unique(tree.utility[end], return_inverse=True)
        label = np.arange(tree.n_nodes)
        label[end] = tree.n_nodes + which
        seen = tree.infoset + shift
        nodes = np.stack(
            [tree.kind, tree.player, seen, tree.first_child, tree.n_children, label],
            axis=1,
        ).astype(np.int64)
        reals = np.stack([tree.chance, tree.utility], axis=1)
    if mdp is not None:
        size = mdp.n_states * mdp.n_actions
        first = np.searchsorted(mdp.pair, np.arange(size + 1)).astype(np.int64)
        cum = np.cumsum(mdp.probability)
        cum -= np.concatenate([[0.0], cum])[first[mdp.pair]]
        _, which = np.unique(mdp.reward, return_inverse=True)
        label = np.where(mdp.ends, mdp.n_states + which, mdp.target)
        nodes = np.stack([mdp.target, mdp.ends, label], axis=1).astype(np.int64)
        reals = np.stack([cum, mdp.reward], axis=1)
        start, gamma = np.cumsum(mdp.start), float(mdp.gamma)
    rules = np.array([*modes, *cart, gamma, shift], dtype=float)
    return Simulator(nodes, np.ascontiguousarray(reals), first, start, rules)


def game(tree: FlatTree) -> Environment:
    """Self-play of both players on a game tree."""
    depth = tree.n_infosets + 1
    return Environment(
        tree.name,
        _simulator((TREE, TREE), tree=tree),
        2,
        tree.n_actions,
        min(depth, 400),
        tree=tree,
    )


def decision_process(mdp: Mdp, name: str = "MDP", max_depth: int = 1000) -> Environment:
    """One learner in a Markov decision process; states are infostates and labels.

    Parameters
    ----------
    mdp : Mdp
        The process.
    name : str
        For messages.
    max_depth : int
        Steps after which an episode is left, 1 or more; targets bootstrap there.
    """
    if max_depth < 1:
        raise ValueError(f"max_depth = {max_depth}: expected an integer, 1 or more")
    n_actions = np.full(mdp.n_states, mdp.n_actions, dtype=np.int32)
    simulator = _simulator((TABLE, TABLE), mdp=mdp)
    return Environment(name, simulator, 1, n_actions, max_depth, mdp=mdp)


def _cart(
    term_prob: float, max_steps: int, n_bins: int, labels: str, reset_fall: bool
) -> tuple:
    if not 0 <= term_prob < 1:
        raise ValueError(f"term_prob = {term_prob}: expected a number in [0, 1)")
    if not 1 <= max_steps <= 5000:
        raise ValueError(f"max_steps = {max_steps}: expected an integer, 1 to 5000")
    if not 2 <= n_bins <= 16:
        raise ValueError(f"n_bins = {n_bins}: expected an integer, 2 to 16")
    if labels not in ("raw", "binned"):
        raise ValueError(f"labels = {labels!r}: expected one of raw, binned")
    return (term_prob, max_steps, n_bins, labels == "raw", reset_fall)


def cartpole(
    *,
    term_prob: float = 1 / 200,
    max_steps: int = 500,
    n_bins: int = 10,
    labels: str = "raw",
    reset_fall: bool = False,
) -> Environment:
    """Cartpole whose learner sees bins, as in the official code.

    Parameters
    ----------
    term_prob : float
        Probability that an episode ends after a step, [0, 1).
    max_steps : int
        Time limit, 1 to 5000.
    n_bins : int
        Bins of each of four coordinates, 2 to 16; the outer ones are open.
    labels : {"raw", "binned"}
        Label of a child: its continuous state, which never comes twice, or its bins.
    reset_fall : bool
        Whether a second fall in an episode, after a state was restored, is paid 1 like
        the first; in Gym it is paid 0.

    Returns
    -------
    Environment
        One learner; infostates are the bins.
    """
    cart = _cart(term_prob, max_steps, n_bins, labels, reset_fall)
    n = n_bins**4
    return Environment(
        f"Cartpole ({labels} labels)",
        _simulator((CART, CART), cart=cart),
        1,
        np.full(n, 2, dtype=np.int32),
        max_steps + 1,
        n_bins=n,
    )


def stacked(
    tree: FlatTree,
    *,
    term_prob: float = 1 / 100,
    max_steps: int = 500,
    n_bins: int = 10,
    labels: str = "raw",
    reset_fall: bool = False,
) -> Environment:
    """Cartpole, whose end leads player 1 to a fresh hand of a game; player 2 plays it.

    Parameters are those of :func:`cartpole`, and the tree of the game.
    """
    cart = _cart(term_prob, max_steps, n_bins, labels, reset_fall)
    n = n_bins**4
    return Environment(
        f"Cartpole ({labels} labels), then {tree.name}",
        _simulator((CART, TREE), tree=tree, cart=cart, shift=n),
        2,
        np.concatenate([np.full(n, 2), tree.n_actions]).astype(np.int32),
        max_steps + 100,
        tree=tree,
        n_bins=n,
    )


@njit(cache=True, error_model="numpy")
@no_type_check
def cartpole_step(stack, d, k, action):
    """Move Cartpole's state ``stack[d, k, 2:7]`` by one tick; whether the pole fell."""
    v, θ, ω = stack[d, k, 3], stack[d, k, 4], stack[d, k, 5]
    force = FORCE if action == 1 else -FORCE
    cos, sin = math.cos(θ), math.sin(θ)
    total = MASS_CART + MASS_POLE
    pole = MASS_POLE * HALF_LENGTH
    push = (force + pole * ω * ω * sin) / total
    spin = (GRAVITY * sin - cos * push) / (
        HALF_LENGTH * (4.0 / 3.0 - MASS_POLE * cos * cos / total)
    )
    stack[d, k, 2] += TICK * v
    stack[d, k, 3] += TICK * (push - pole * spin * cos / total)
    stack[d, k, 4] += TICK * ω
    stack[d, k, 5] += TICK * spin
    stack[d, k, 6] += 1.0
    return abs(stack[d, k, 2]) > FALL_X or abs(stack[d, k, 4]) > FALL_ANGLE


@njit(cache=True, error_model="numpy")
@no_type_check
def cartpole_bins(stack, d, k, n_bins):
    """Infostate of the state ``stack[d, k]``: four bins, the outer ones open."""
    s = 0
    for j in range(4):
        limit = BINS[j]
        b = math.floor((stack[d, k, 2 + j] + limit) / (2 * limit) * n_bins)
        s = s * n_bins + min(max(b, 0), n_bins - 1)
    return s


@njit(cache=True, error_model="numpy")
@no_type_check
def cartpole_scores(policy, n_bins, cap, rng, out):
    """Scores of evaluation episodes without random ends, ``cap`` steps at most."""
    stack = np.zeros((1, 1, 7))
    for k in range(len(out)):
        for j in range(2, 6):
            stack[0, 0, j] = rng.random() * 0.1 - 0.05
        out[k] = 0.0
        while out[k] < cap:
            s = cartpole_bins(stack, 0, 0, n_bins)
            out[k] += 1.0
            if cartpole_step(stack, 0, 0, 1 if rng.random() >= policy[s, 0] else 0):
                break
