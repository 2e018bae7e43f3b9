r"""Churn, multiplicity, and what ties them.

Classifiers are rows of 0 and 1, one entry a point :math:`x` of weight :math:`w(x)`,
:math:`\sum w=1`.  Two classifiers disagree on

.. math:: C(h,h')=\mathbb E_x\,1[h(x)\ne h'(x)] ,

their *churn* where one replaces the other.  Of a set of models with baseline
:math:`h_0`, *ambiguity* is the mass of points on which some member disagrees with
:math:`h_0`, *discrepancy* the largest churn from :math:`h_0` to a member.  With
:math:`p(x),q(x)` the shares of two sets that say 1, the expected churn from one set to
the other is multiplicity plus shift,

.. math::

   \mathbb E\,C=\tfrac12V_p+\tfrac12V_q+\mathbb E_x(p-q)^2,\qquad
   V_p=\mathbb E_x\,2p(1-p) .
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = [
    "ChurnDecomposition",
    "Overlap",
    "ambiguity",
    "baseline_churn",
    "churn",
    "discrepancy",
    "expected_churn",
    "multiplicity",
    "overlap",
    "pairwise_churn",
    "smooth_churn",
    "unstable",
]

_FORMS = ("ramp", "flip")


@dataclass(frozen=True)
class ChurnDecomposition:
    r"""Expected churn between two sets of models, and its parts.

    Attributes
    ----------
    multiplicity_a, multiplicity_b : float
        :math:`V_p` and :math:`V_q`: churn inside each set, pairs with replacement.
    shift : float
        :math:`\mathbb E(p-q)^2`.
    total : float
        Mean churn over all pairs of one model of each set, counted pair by pair.
    """

    multiplicity_a: float
    multiplicity_b: float
    shift: float
    total: float

    @property
    def residual(self) -> float:
        """Total less its parts; rounding only."""
        parts = (self.multiplicity_a + self.multiplicity_b) / 2 + self.shift
        return self.total - parts


@dataclass(frozen=True)
class Overlap:
    """How much of the churn falls on points called unstable.

    Attributes
    ----------
    recall : float
        Share of the churn on those points.
    precision : float
        Mean churn of those points.
    lift : float
        Precision over the mean churn of all points.
    jaccard : float
        Common churn over the union's, churn counted as a fuzzy set.
    """

    recall: float
    precision: float
    lift: float
    jaccard: float


def _labels(name: str, h: np.ndarray, ndim: int) -> np.ndarray:
    h = np.asarray(h)
    if h.ndim != ndim or h.size == 0:
        raise ValueError(f"{name}: shape {h.shape}, expected {ndim} axes, not empty")
    if not np.isin(h, (0, 1)).all():
        raise ValueError(f"{name}: expected labels 0 and 1")
    return h.astype(bool)


def _weights(w: np.ndarray | None, n: int) -> np.ndarray:
    if w is None:
        return np.full(n, 1 / n)
    w = np.asarray(w, dtype=float)
    if w.shape != (n,) or not np.isfinite(w).all() or (w < 0).any() or w.sum() <= 0:
        raise ValueError(f"w: expected {n} weights, 0 or more, not all 0")
    return w / w.sum()


def churn(
    a: Int[np.ndarray, " n"] | Bool[np.ndarray, " n"],
    b: Int[np.ndarray, " n"] | Bool[np.ndarray, " n"],
    w: Float[np.ndarray, " n"] | Int[np.ndarray, " n"] | None = None,
) -> float:
    """Share of points on which two classifiers disagree.

    Parameters
    ----------
    a, b : ndarray, shape (n,)
        Labels, 0 and 1.
    w : ndarray, shape (n,), optional
        Weights of the points, 0 or more.

    Raises
    ------
    ValueError
        Labels other than 0 and 1, shapes that differ, negative weights.

    Examples
    --------
    >>> churn(np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]))
    0.25
    """
    a, b = _labels("a", a, 1), _labels("b", b, 1)
    if a.shape != b.shape:
        raise ValueError(f"a, b: {len(a)} and {len(b)} labels, expected as many")
    return float(_weights(w, len(a)) @ (a != b))


def pairwise_churn(
    P: Int[np.ndarray, "m n"] | Bool[np.ndarray, "m n"],
    Q: Int[np.ndarray, "k n"] | Bool[np.ndarray, "k n"] | None = None,
    w: Float[np.ndarray, " n"] | Int[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, "m k"]:
    """Churn of every pair, one model of each set.

    Parameters
    ----------
    P, Q : ndarray, shapes (m, n) and (k, n)
        Labels, one model a row; the same set where Q is not given.
    w : ndarray, shape (n,), optional
        Weights of the points.
    """
    P = _labels("P", P, 2).astype(float)
    Q = P if Q is None else _labels("Q", Q, 2).astype(float)
    if P.shape[1] != Q.shape[1]:
        raise ValueError(
            f"P, Q: {P.shape[1]} and {Q.shape[1]} points, expected as many"
        )
    w = _weights(w, P.shape[1])
    return (P @ w)[:, None] + (Q @ w)[None, :] - 2 * (P * w) @ Q.T


def unstable(
    P: Int[np.ndarray, "m n"] | Bool[np.ndarray, "m n"], base: int = 0
) -> Bool[np.ndarray, " n"]:
    """Points on which some model of a set disagrees with the baseline.

    Parameters
    ----------
    P : ndarray, shape (m, n)
        Labels, one model a row.
    base : int
        Row of the baseline.  Which one does not matter: a point is unstable where the
        set is not unanimous.

    Raises
    ------
    ValueError
        A baseline that is not in the set.
    """
    P = _labels("P", P, 2)
    base = _base(base, len(P))
    return (P != P[base]).any(axis=0)


def _base(base: int, m: int) -> int:
    if not 0 <= base < m:
        raise ValueError(f"base = {base}: expected a row, 0 to {m - 1}")
    return base


def ambiguity(
    P: Int[np.ndarray, "m n"] | Bool[np.ndarray, "m n"],
    base: int = 0,
    w: Float[np.ndarray, " n"] | Int[np.ndarray, " n"] | None = None,
) -> float:
    """Mass of the unstable points."""
    mask = unstable(P, base)
    return float(_weights(w, len(mask)) @ mask)


def _from_base(P: np.ndarray, base: int, w: np.ndarray | None) -> np.ndarray:
    P = _labels("P", P, 2)
    base = _base(base, len(P))
    return (P != P[base]) @ _weights(w, P.shape[1])


def discrepancy(
    P: Int[np.ndarray, "m n"] | Bool[np.ndarray, "m n"],
    base: int = 0,
    w: Float[np.ndarray, " n"] | Int[np.ndarray, " n"] | None = None,
) -> float:
    """Largest churn from the baseline to a member."""
    return float(_from_base(P, base, w).max())


def baseline_churn(
    P: Int[np.ndarray, "m n"] | Bool[np.ndarray, "m n"],
    base: int = 0,
    w: Float[np.ndarray, " n"] | Int[np.ndarray, " n"] | None = None,
) -> float:
    """Mean churn from the baseline to a member, the baseline itself counted."""
    return float(_from_base(P, base, w).mean())


def multiplicity(
    P: Int[np.ndarray, "m n"] | Bool[np.ndarray, "m n"],
    w: Float[np.ndarray, " n"] | Int[np.ndarray, " n"] | None = None,
    *,
    distinct: bool = False,
) -> float:
    r"""Mean churn between two members, :math:`V=\mathbb E_x2p(1-p)`.

    Parameters
    ----------
    P : ndarray, shape (m, n)
        Labels, one model a row.
    w : ndarray, shape (n,), optional
        Weights of the points.
    distinct : bool
        Whether the two must differ: :math:`V\,m/(m-1)`; needs two models.
    """
    P = _labels("P", P, 2)
    m = len(P)
    if distinct and m < 2:
        raise ValueError(f"P: {m} model, expected two or more for distinct pairs")
    p = P.mean(axis=0)
    v = float(_weights(w, P.shape[1]) @ (2 * p * (1 - p)))
    return v * m / (m - 1) if distinct else v


def expected_churn(
    P: Int[np.ndarray, "m n"] | Bool[np.ndarray, "m n"],
    Q: Int[np.ndarray, "k n"] | Bool[np.ndarray, "k n"],
    w: Float[np.ndarray, " n"] | Int[np.ndarray, " n"] | None = None,
) -> ChurnDecomposition:
    """Expected churn from one set to another, and its parts.

    Parameters
    ----------
    P, Q : ndarray, shapes (m, n) and (k, n)
        Labels, one model a row.
    w : ndarray, shape (n,), optional
        Weights of the points.

    Examples
    --------
    >>> one, other = np.array([[0, 1], [1, 1]]), np.array([[0, 0], [0, 1]])
    >>> found = expected_churn(one, other)
    >>> found.total, found.multiplicity_a, found.multiplicity_b, found.shift
    (0.5, 0.25, 0.25, 0.25)
    """
    total = float(pairwise_churn(P, Q, w).mean())
    p, q = np.asarray(P).mean(axis=0), np.asarray(Q).mean(axis=0)
    shift = float(_weights(w, len(p)) @ (p - q) ** 2)
    return ChurnDecomposition(multiplicity(P, w), multiplicity(Q, w), shift, total)


def smooth_churn(
    fa: Float[np.ndarray, " n"],
    fb: Float[np.ndarray, " n"],
    y: Int[np.ndarray, " n"],
    gamma: float,
    *,
    form: str = "ramp",
) -> float:
    r"""Churn of scores, with a margin of confidence :math:`\gamma`.

    The ramp form is :math:`\mathbb E|\ell_\gamma(f_a,y)-\ell_\gamma(f_b,y)|` with
    :math:`\ell_\gamma(f,y)=\min(1,\max(0,1-yf/\gamma))`, a pseudo-metric; the flip form
    :math:`\mathbb E\,1[f_af_b<0]\min(1,|f_a-f_b|/\gamma)` is none.  Both are at most
    :math:`\mathbb E|f_a-f_b|/\gamma`.

    Parameters
    ----------
    fa, fb : ndarray, shape (n,)
        Scores; the label is 1 where they are positive.
    y : ndarray, shape (n,)
        True labels, 0 and 1.
    gamma : float
        Above 0, in units of the scores.
    form : {"ramp", "flip"}
        Which of the two.

    Raises
    ------
    ValueError
        Another form, a margin that is not positive, shapes that differ, or scores that
        are missing.
    """
    if form not in _FORMS:
        raise ValueError(f"form = {form!r}: expected one of {', '.join(_FORMS)}")
    if not gamma > 0:
        raise ValueError(f"gamma = {gamma}: expected a number above 0")
    if not fa.shape == fb.shape == y.shape:
        raise ValueError("fa, fb, y: expected the same shape")
    if not (np.isfinite(fa).all() and np.isfinite(fb).all()):
        raise ValueError("fa, fb: missing or infinite scores")
    if form == "flip":
        return float(np.mean((fa * fb < 0) * np.minimum(1, np.abs(fa - fb) / gamma)))
    sign = 2.0 * _labels("y", y, 1) - 1
    la, lb = (np.clip(1 - sign * f / gamma, 0, 1) for f in (fa, fb))
    return float(np.abs(la - lb).mean())


def overlap(
    mask: Bool[np.ndarray, " n"],
    flips: Float[np.ndarray, " n"] | Bool[np.ndarray, " n"],
    w: Float[np.ndarray, " n"] | Int[np.ndarray, " n"] | None = None,
) -> Overlap:
    """Points called unstable against the churn of an update.

    Parameters
    ----------
    mask : ndarray of bool, shape (n,)
        Points called unstable.
    flips : ndarray, shape (n,)
        Probability that each point's label changes, [0, 1]; a mask for one update.
    w : ndarray, shape (n,), optional
        Weights of the points.

    Returns
    -------
    Overlap
        NaN where there is nothing to divide by.

    Raises
    ------
    ValueError
        Flips that are no probabilities, or missing.
    """
    c = np.asarray(flips, dtype=float)
    if c.shape != mask.shape or not ((c >= 0) & (c <= 1)).all():
        raise ValueError("flips: expected probabilities, one a point")
    w = _weights(w, len(mask))
    both, called, all_flips = w @ (c * mask), w @ mask, w @ c
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.float64(both) / called
        return Overlap(
            recall=float(np.float64(both) / all_flips),
            precision=float(precision),
            lift=float(precision / all_flips),
            jaccard=float(np.float64(both) / (called + all_flips - both)),
        )
