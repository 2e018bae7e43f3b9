r"""Which points are unstable: two sets of points, row by row, against honest nulls.

A *set* of models before the update says which points are ambiguous,
:math:`U_R=\{x:\text{the set is not unanimous}\}`.  *Other* models of the same procedure
are deployed and replaced by models *after* the update; a point flips with probability
:math:`c(x)=p(1-q)+q(1-p)`.  Set and deployed models share no run, so that

.. math::

   \Pr[x\in U_R]=1-p^k-(1-p)^k,\qquad
   \mathbb E\,\text{recall}=\frac{\mathbb E\,c\,(1-p^k-(1-p)^k)}{\mathbb E\,c} .

Recall rises with the number k of models wherever :math:`0<p<1`: it says little without
what it is compared with.  Two nulls have the size of :math:`U_R`: random points, and
those with the smallest score of the single deployed model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.special import gammaln
from sklearn.metrics import roc_auc_score

from econlib.churn.updates import ScoredBank

__all__ = [
    "bootstrap",
    "flip_auroc",
    "law_of_overlap",
    "left_out_measures",
    "not_unanimous",
    "overlaps",
    "row_measures",
    "subset_law",
]

_PAIRS = 10  # matched pairs that an area is averaged over


def row_measures(
    some: ScoredBank, other: ScoredBank, after: ScoredBank
) -> pd.DataFrame:
    """Everything that is a mean over test rows, one row each.

    Parameters
    ----------
    some : ScoredBank
        The set before the update.
    other : ScoredBank
        Models deployed before the update, none of them in the set.
    after : ScoredBank
        Models after the update.

    Returns
    -------
    DataFrame
        ``ambiguity``, ``V_a``, ``V_b``, ``shift`` and ``churn`` of set and models
        after; ``seed`` churn of set and others; ``flips``, the probability to flip of
        the others; ``both``, to flip and to be ambiguous; ``margin``, to flip and to
        be among as many points with the smallest score of the model that flips.
    """
    p, p_other, q = (x.labels.mean(axis=0) for x in (some, other, after))
    mask = (p > 0) & (p < 1)
    flips = _disagree(p_other, q)
    near = np.stack([_nearest(f, int(mask.sum())) for f in other.logits])
    each = np.where(other.logits > 0, 1 - q, q)
    return pd.DataFrame(
        {
            "ambiguity": mask.astype(float),
            "V_a": 2 * p * (1 - p),
            "V_b": 2 * q * (1 - q),
            "shift": (p - q) ** 2,
            "churn": _disagree(p, q),
            "seed": _disagree(p, p_other),
            "flips": flips,
            "both": flips * mask,
            "margin": (near * each).mean(axis=0),
        }
    )


def left_out_measures(before: ScoredBank, after: ScoredBank) -> pd.DataFrame:
    """The same with each model deployed in turn, and all others as its set.

    Parameters
    ----------
    before, after : ScoredBank
        Three models or more before the update.

    Returns
    -------
    DataFrame
        As ``row_measures``, without ``seed``.

    Raises
    ------
    ValueError
        Fewer than three models before the update.
    """
    labels, m = before.labels, len(before.logits)
    if m < 3:
        raise ValueError(f"{m} models before the update: expected 3 or more")
    others = labels.sum(axis=0) - labels
    mask = (others > 0) & (others < m - 1)
    near = np.stack(
        [_nearest(f, int(u.sum())) for f, u in zip(before.logits, mask, strict=True)]
    )
    p, q = labels.mean(axis=0), after.labels.mean(axis=0)
    each = np.where(labels == 1, 1 - q, q)
    return pd.DataFrame(
        {
            "ambiguity": mask.mean(axis=0),
            "V_a": 2 * p * (1 - p),
            "V_b": 2 * q * (1 - q),
            "shift": (p - q) ** 2,
            "churn": _disagree(p, q),
            "flips": each.mean(axis=0),
            "both": (each * mask).mean(axis=0),
            "margin": (each * near).mean(axis=0),
        }
    )


def flip_auroc(before: ScoredBank, after: ScoredBank) -> dict[str, float]:
    """Area under the curve of guesses at who flips, mean over matched pairs.

    Parameters
    ----------
    before, after : ScoredBank
        Model j after replaces model j before; ten pairs at most are used, and those
        without a flip are left out.

    Returns
    -------
    dict
        ``margin`` of the model itself, ``multiplicity`` of the other models before,
        ``mean margin`` of the others and, where there is one, ``variance`` of the
        score and the ``mean-field`` margin; empty where no pair flips.
    """
    areas: dict[str, list[float]] = {}
    pairs = min(len(before.logits), len(after.logits), _PAIRS)
    for j in range(pairs):
        f, others = before.logits[j], np.delete(before.logits, j, axis=0)
        flips = (f > 0) != (after.logits[j] > 0)
        if not 0 < flips.sum() < len(flips):
            continue
        p = (others > 0).mean(axis=0)
        guesses = {
            "margin": -np.abs(f),
            "multiplicity": p * (1 - p),
            "mean margin": -np.abs(others.mean(axis=0)),
        }
        if before.variance is not None:
            v = before.variance[j]
            guesses["variance"] = v
            guesses["mean-field"] = -np.abs(f) / np.sqrt(1 + np.pi * v / 8)
        for name, guess in guesses.items():
            areas.setdefault(name, []).append(float(roc_auc_score(flips, guess)))
    return {name: float(np.mean(a)) for name, a in areas.items()}


def _nearest(scores: np.ndarray, size: int) -> np.ndarray:
    """Mask of as many points with the smallest scores."""
    near = np.zeros(len(scores), dtype=bool)
    near[np.argsort(np.abs(scores), kind="stable")[:size]] = True
    return near


def _disagree(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return p * (1 - q) + q * (1 - p)


def overlaps(means: pd.Series | pd.DataFrame) -> dict:
    """Overlap of ambiguous and flipping points, from means over rows.

    Parameters
    ----------
    means : Series, or DataFrame with a sample a row
        Means of the columns of ``row_measures``.

    Returns
    -------
    dict
        ``recall``, ``precision``, ``lift`` over a random set of the same size,
        ``jaccard``, recall of the ``margin`` and its ``gain``; NaN where nothing
        flips or is ambiguous.
    """
    m = means
    recall, margin = m["both"] / m["flips"], m["margin"] / m["flips"]
    return {
        "recall": recall,
        "precision": m["both"] / m["ambiguity"],
        "lift": recall / m["ambiguity"],
        "jaccard": m["both"] / (m["ambiguity"] + m["flips"] - m["both"]),
        "margin recall": margin,
        "gain": recall - margin,
    }


def bootstrap(
    frames: Sequence[pd.DataFrame],
    statistic: Callable[[pd.DataFrame], dict],
    rng: np.random.Generator,
    n_draws: int = 500,
    level: float = 0.95,
) -> pd.DataFrame:
    """Interval of statistics of row means, averaged over splits.

    Test rows of each split are drawn again with replacement; models are held.

    Parameters
    ----------
    frames : sequence of DataFrame
        Measures by row, one frame a split, the same columns.
    statistic : callable
        Takes means, one draw a row, and returns columns by name.
    rng : Generator
    n_draws : int
        100 or more.
    level : float
        Of the interval, (0, 1).

    Returns
    -------
    DataFrame
        ``value`` on the rows as they are, ``low`` and ``high``, indexed by name.

    Raises
    ------
    ValueError
        No frame, too few draws, or a level out of range.
    """
    if not len(frames) or n_draws < 100 or not 0 < level < 1:
        raise ValueError(
            f"{len(frames)} frames, n_draws = {n_draws}, level = {level}: expected a "
            "frame, 100 draws or more, and a level in (0, 1)"
        )
    values, drawn = 0.0, 0.0
    for frame in frames:
        n, table = len(frame), frame.to_numpy()
        counts = rng.multinomial(n, np.full(n, 1 / n), n_draws)
        means = pd.DataFrame(counts @ table / n, columns=frame.columns)
        drawn = drawn + pd.DataFrame(statistic(means)) / len(frames)
        own = statistic(pd.DataFrame(table.mean(axis=0)[None], columns=frame.columns))
        values = values + pd.DataFrame(own).iloc[0] / len(frames)
    tails = drawn.quantile([(1 - level) / 2, (1 + level) / 2])
    return pd.DataFrame({"value": values, "low": tails.iloc[0], "high": tails.iloc[1]})


def not_unanimous(
    ones: Int[np.ndarray, " n"], m: int, ks: Sequence[int]
) -> Float[np.ndarray, "n_ks n"]:
    """Share of the subsets of k of m models that are not unanimous about a point.

    Parameters
    ----------
    ones : ndarray of int, shape (n,)
        Models that say 1, 0 to m.
    m : int
    ks : sequence of int
        Sizes, 1 to m.

    Raises
    ------
    ValueError
        A size or a count out of range.
    """
    ks = np.asarray(ks)[:, None]
    if (ks < 1).any() or (ks > m).any() or (ones < 0).any() or (ones > m).any():
        raise ValueError(f"ks, ones: expected sizes 1 to {m} and counts 0 to {m}")

    def unanimous(c: np.ndarray) -> np.ndarray:
        short = c < ks
        some = np.where(short, ks, c)
        ratio = gammaln(some + 1) - gammaln(some - ks + 1)
        ratio = ratio - gammaln(m + 1) + gammaln(m - ks + 1)
        return np.where(short, 0.0, np.exp(ratio))

    return 1 - unanimous(ones) - unanimous(m - ones)


def law_of_overlap(
    p: Float[np.ndarray, " n"], flips: Float[np.ndarray, " n"], ks: Sequence[int]
) -> Float[np.ndarray, " n_ks"]:
    """Expected recall of the points on which k independent models are not unanimous."""
    p, k = np.asarray(p), np.asarray(ks)[:, None]
    return ((1 - p**k - (1 - p) ** k) * flips).sum(axis=1) / flips.sum()


def subset_law(
    some: ScoredBank, flips: Float[np.ndarray, " n"], ks: Sequence[int]
) -> pd.DataFrame:
    """Ambiguity, recall and precision of all subsets of k models, their mean."""
    m = len(some.logits)
    chance = not_unanimous(some.labels.sum(axis=0), m, ks)
    both = chance @ flips
    return pd.DataFrame(
        {
            "ambiguity": chance.mean(axis=1),
            "recall": both / flips.sum(),
            "precision": both / chance.sum(axis=1),
        },
        index=pd.Index(ks, name="k"),
    )
