r"""Is what follows an action stationary?  Tests of labels, compiled.

The chi-squared test splits the last labels of a pair into an older and a newer half
with counts :math:`c_{1k},c_{2k}`, and compares

.. math::

   \chi^2=\frac{n^2}{n_1n_2}\sum_k\frac{(c_{1k}-n_1c_k/n)^2}{c_k},\qquad
   c_k=c_{1k}+c_{2k},

with the quantile :math:`1-\alpha` of its law with :math:`K-1` degrees of freedom
(Yates' correction for :math:`K=2`).

The sequential test bets.  Under the null hypothesis labels are independent draws of one
unknown law, and the likelihood of each *repeat* of a known label is at most that of the
best law in hindsight, so that

.. math::

   E_t=\frac13\sum_{\lambda}\frac{\prod_{r\le t}q^\lambda_r(c_r)}
   {\sup_p\prod_{\text{repeats }r\le t}p(c_r)},\qquad
   q^\lambda_r(k)\propto\tfrac12+\sum_{r'<r}\lambda^{r-r'-1}1\{c_{r'}=k\},

is an e-process (universal inference, :cite:p:`wasserman2020universal`): at any time
:math:`\mathbb P(\exists t:E_t\ge1/\alpha)\le\alpha`.  Here :math:`q^\lambda` gives
weight :math:`\tfrac12` to a label not seen before, and such an event counts as certain
under the null.
"""

from __future__ import annotations

import math
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from scipy.stats import chi2

__all__ = [
    "FORGETTING",
    "HASH",
    "N_LABELS",
    "chi2_halves",
    "chi2_ring",
    "critical_values",
    "e_process",
    "e_value",
    "observe",
]

#: Factors by which old labels count less in the bets of the sequential test.
FORGETTING = (0.9, 0.98, 1.0)
#: Labels that a sequential test tells apart.
N_LABELS = 32
#: Places of the hash table of the chi-squared test.
HASH = 4096
_LABELS, _REPEATS, _WEIGHTS = 6, 6 + N_LABELS, 6 + 2 * N_LABELS


@njit(cache=True, error_model="numpy")
@no_type_check
def chi2_ring(ring, s, a, n_seen, scratch, stamp):
    """Statistic and number of labels of the ring buffer ``ring[s, a]``.

    ``n_seen`` labels were put into it; ``scratch`` has five rows of ``HASH`` places
    (keys, stamps, slots, and the two rows of counts), ``stamp`` was not used before.
    """
    size = ring.shape[2]
    n = min(n_seen, size)
    first = n_seen - n
    half = n // 2
    n_labels = 0
    for j in range(n):
        x = ring[s, a, (first + j) % size]
        place = (x * 2654435761) & (HASH - 1)
        while scratch[1, place] == stamp and scratch[0, place] != x:
            place = (place + 1) & (HASH - 1)
        if scratch[1, place] != stamp:
            scratch[1, place] = stamp
            scratch[0, place] = x
            scratch[2, place] = n_labels
            scratch[3, n_labels] = 0
            scratch[4, n_labels] = 0
            n_labels += 1
        scratch[3 if j < half else 4, scratch[2, place]] += 1
    total = 0.0
    for k in range(n_labels):
        c = float(scratch[3, k] + scratch[4, k])
        gap = abs(scratch[3, k] - half * c / n)
        if n_labels == 2:
            gap -= min(0.5, gap)  # Yates
        total += gap * gap / c
    return total * n * n / (half * (n - half)), n_labels


@njit(cache=True, error_model="numpy")
@no_type_check
def observe(bets, s, a, label):
    """Add a label to the sequential test in ``bets[s, a]``.

    Its places: labels known, sum of m log m, repeats, three log numerators; then the
    labels, how often each came again, and the three rows of discounted weights.
    Labels beyond the places stay new for ever, which is a loss of power only.
    """
    known = int(bets[s, a, 0])
    k = 0
    while k < known and bets[s, a, _LABELS + k] != label:
        k += 1
    for j in range(3):
        row = _WEIGHTS + j * N_LABELS
        total, own = 0.0, 0.5
        if k < known:
            own += bets[s, a, row + k]
        for i in range(known):
            total += bets[s, a, row + i]
            bets[s, a, row + i] *= FORGETTING[j]
        bets[s, a, 3 + j] += math.log(own / (total + 0.5 * (known + 1)))
        if k < N_LABELS:
            bets[s, a, row + k] += 1.0
    if k < known:
        m = bets[s, a, _REPEATS + k]
        before = m * math.log(m) if m > 0 else 0.0
        bets[s, a, _REPEATS + k] = m + 1
        bets[s, a, 1] += (m + 1) * math.log(m + 1) - before
        bets[s, a, 2] += 1
    elif known < N_LABELS:
        bets[s, a, _LABELS + k] = label
        bets[s, a, 0] += 1


@njit(cache=True, error_model="numpy")
@no_type_check
def e_value(bets, s, a):
    """Logarithm of the evidence against one law for all labels of ``bets[s, a]``."""
    best = max(bets[s, a, 3], bets[s, a, 4], bets[s, a, 5])
    total = 0.0
    for j in range(3):
        total += math.exp(bets[s, a, 3 + j] - best)
    null = bets[s, a, 1]
    if bets[s, a, 2] > 0:
        null -= bets[s, a, 2] * math.log(bets[s, a, 2])
    return best + math.log(total / 3.0) - null


def critical_values(alpha: float, n: int = 1024) -> Float[np.ndarray, " n"]:
    """Chi-squared quantiles at ``1 - alpha`` for 0 to ``n - 1`` degrees of freedom."""
    out = np.full(n, np.inf)
    out[1:] = chi2.ppf(1 - alpha, np.arange(1, n))
    return out


def chi2_halves(
    labels: Int[np.ndarray, " n_labels"], alpha: float = 0.05
) -> tuple[float, bool]:
    """Test whether the older half of some labels and the newer have one law.

    Parameters
    ----------
    labels : ndarray of int, shape (n_labels,)
        The oldest first; 2 to 2000 of them.
    alpha : float
        Level, (0, 1).

    Returns
    -------
    p : float
        By the chi-squared law; 1 where all labels are the same.
    nonstationary : bool
        Whether ``p <= alpha``.

    Examples
    --------
    >>> chi2_halves(np.repeat([0, 1], 10))[1]
    True
    >>> chi2_halves(np.zeros(10, dtype=int))
    (1.0, False)
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not 2 <= len(labels) <= HASH // 2:
        raise ValueError(f"labels: shape {labels.shape}: expected 2 to {HASH // 2}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha = {alpha}: expected a number in (0, 1)")
    _, ring = np.unique(labels, return_inverse=True)
    scratch = np.full((5, HASH), -1, dtype=np.int64)
    ring = ring.astype(np.int32).reshape(1, 1, -1)
    statistic, k = chi2_ring(ring, 0, 0, len(labels), scratch, 0)
    p = 1.0 if k < 2 else float(chi2.sf(statistic, k - 1))
    return p, bool(k > 1 and p <= alpha)


def e_process(labels: Int[np.ndarray, " n_labels"]) -> Float[np.ndarray, " n_labels"]:
    """Logarithm of :math:`E_t` after each label, the oldest first.

    Reject, at any time that suits you, once it exceeds ``log(1 / alpha)``.

    Examples
    --------
    >>> bool(e_process(np.repeat([0, 1], 200)).max() > np.log(1 / 0.001))
    True
    """
    bets = np.zeros((1, 1, 6 + 5 * N_LABELS))
    return _run(bets, np.asarray(labels, dtype=np.int64))


@njit(cache=True, error_model="numpy")
@no_type_check
def _run(bets, labels):
    out = np.zeros(len(labels))
    for t in range(len(labels)):
        observe(bets, 0, 0, labels[t])
        out[t] = e_value(bets, 0, 0)
    return out
