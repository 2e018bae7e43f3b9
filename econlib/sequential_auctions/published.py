r"""What the paper prints of fitted policy iteration, and the best that is known.

Best known revenues are closed forms (C), quadrature (E) and prices by size (A, D, F);
for B at both sizes, and A and D at 10 × 10, the root of the official dynamic programme.
They are yardsticks: no learner sees them.
"""

from __future__ import annotations

__all__ = ["BEST", "PRINTED"]

#: Revenue of fitted policy iteration in tables 1 and 2.
PRINTED = {
    "5x5-A": 3.12,
    "5x5-B": 1.86,
    "5x5-C": 2.43,
    "5x5-D": 3.10,
    "10x10-A": 7.59,
    "10x10-B": 4.16,
    "10x10-C": 6.00,
    "10x10-D": 7.54,
    "10-E": 7.00,
    "10-F": 24.48,
    "20-E": 8.17,
    "20-F": 25.70,
}

#: Best known revenue of each cell.
BEST = {
    "5x5-A": 3.1272,
    "5x5-B": 1.8676,
    "5x5-C": 2.43487,
    "5x5-D": 3.1029,
    "10x10-A": 7.6000,
    "10x10-B": 4.1642,
    "10x10-C": 6.0010,
    "10x10-D": 7.5407,
    "10-E": 7.0112,
    "10-F": 24.773,
    "20-E": 8.1887,
    "20-F": 25.869,
}
