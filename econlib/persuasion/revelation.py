r"""Full revelation, and codes that reveal everything with few signals.

Where two senders reveal the state, whatever one of them does the other still reveals:
an equilibrium for any payoffs.  With :math:`k` signals each, what is needed is that any
:math:`n-1` senders still tell all :math:`m` states apart, a code of :math:`m` words in
:math:`[k]^n` of Hamming distance two.  There is one exactly if :math:`m\le k^{n-1}`
(Singleton), and a check digit makes it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from econlib.persuasion.games import check_integer

__all__ = ["check_digit_code", "digit_split", "rules_of_code"]


def check_digit_code(
    n_senders: int, n_signals: int, n_states: int
) -> Int[np.ndarray, "n_states n_senders"]:
    """Words of which any n - 1 letters name the state.

    Raises
    ------
    ValueError
        More states than n_signals ** (n_senders - 1): no such code exists.  Fewer than
        2 senders, or a number that is not a positive integer.

    Examples
    --------
    >>> check_digit_code(3, 2, 4).tolist()
    [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]
    """
    check_integer("n_senders", n_senders, 2)
    check_integer("n_signals", n_signals)
    check_integer("n_states", n_states)
    most = n_signals ** (n_senders - 1)
    if n_states > most:
        raise ValueError(
            f"n_states = {n_states}: expected at most n_signals ** (n_senders - 1) = "
            f"{most}, or one deviating sender can hide a state"
        )
    digits = _digits(n_senders - 1, n_signals, n_states)
    return np.column_stack([digits, -digits.sum(axis=1) % n_signals])


def digit_split(
    n_senders: int, n_signals: int, n_states: int
) -> Int[np.ndarray, "n_states n_senders"]:
    """Words without a check digit: all letters together name the state.

    Raises
    ------
    ValueError
        More states than n_signals ** n_senders, or a number that is not a positive
        integer.
    """
    check_integer("n_senders", n_senders)
    check_integer("n_signals", n_signals)
    check_integer("n_states", n_states)
    if n_states > n_signals**n_senders:
        raise ValueError(
            f"n_states = {n_states}: expected at most n_signals ** n_senders = "
            f"{n_signals**n_senders}"
        )
    return _digits(n_senders, n_signals, n_states)


def _digits(n: int, base: int, n_states: int) -> np.ndarray:
    """The states' numbers in a base, n digits of each, the highest first."""
    # a power above all numbers gives 0, as the true one would, and does not overflow
    power = np.array([min(base**e, n_states) for e in range(n - 1, -1, -1)])
    return np.arange(n_states)[:, None] // power % base


def rules_of_code(
    words: Int[np.ndarray, "n_states n_senders"], n_signals: int
) -> list[Float[np.ndarray, "n_states n_signals"]]:
    """The profile in which each sender sends his letter of the state's word.

    Raises
    ------
    ValueError
        Words that are no table of integers, a negative letter, or one for which there
        are too few signals.
    """
    check_integer("n_signals", n_signals)
    words = np.asarray(words)
    if words.ndim != 2 or 0 in words.shape or words.dtype.kind not in "iu":
        raise ValueError(
            f"words: {words.dtype}, shape {words.shape}, expected integers, "
            "(n_states, n_senders), none of 0"
        )
    if words.min() < 0:
        raise ValueError(f"words: letter {words.min()}, expected integers, 0 or more")
    if words.max() >= n_signals:
        raise ValueError(
            f"n_signals = {n_signals}: expected at least {words.max() + 1}, a "
            "signal for each letter"
        )
    return [np.eye(n_signals)[letters] for letters in words.T]
