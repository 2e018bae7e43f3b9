"""One set of hyper-parameters for every environment, frozen."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CORRECTIONS", "DETECTORS", "METHODS", "OFFICIAL", "Config"]

#: Methods by name; the number is the code in compiled traversals.
METHODS = {"abcs": 0, "max_cfr": 1, "es": 2, "os": 3, "bql": 4, "es_rm": 5}

#: How a pair (infostate, action) is judged; the first three are fixed tables.
DETECTORS = ("oracle", "always", "never", "chi2", "sequential")

#: When the target of a nonstationary pair is corrected: never, at its first update in
#: an iteration (the algorithm), or at every update.
CORRECTIONS = ("none", "first", "every")


@dataclass(frozen=True)
class Config:
    r"""Hyper-parameters of all methods; the defaults are the official code's.

    Attributes
    ----------
    alpha : float
        Level of the stationarity test, 0 to 1 (both ends left out).
    min_samples : int
        Labels below which a pair counts as stationary by default, 2 or more.
    buffer : int
        Labels kept for each pair, the oldest dropped, ``min_samples`` to 2048.
    cache_clear : float
        Probability that verdicts are forgotten at the start of an iteration, [0, 1].
    temperature : float
        :math:`\tau` at the start, positive.
    decay_abcs, decay_bql : float
        Factor on :math:`\tau` every ``decay_every`` iterations, (0, 1].
    decay_every : int
        Iterations between two decays, 1 or more.
    os_epsilon : float
        Share of uniform play in outcome sampling, (0, 1].
    bql_step : float
        Constant step of Boltzmann Q-learning, [0, 1]; 0 is the running mean,
        :math:`1/N`.

    Raises
    ------
    ValueError
        A value out of its range.
    """

    alpha: float = 0.05
    min_samples: int = 10
    buffer: int = 1000
    cache_clear: float = 0.05
    temperature: float = 1.0
    decay_abcs: float = 0.99
    decay_bql: float = 0.995
    decay_every: int = 20
    os_epsilon: float = 0.6
    bql_step: float = 0.0

    def __post_init__(self) -> None:
        rules = [
            ("alpha", 0 < self.alpha < 1, "a number in (0, 1)"),
            ("min_samples", self.min_samples >= 2, "an integer, 2 or more"),
            (
                "buffer",
                self.min_samples <= self.buffer <= 2048,  # half of the hash table
                "an integer, min_samples to 2048",
            ),
            ("cache_clear", 0 <= self.cache_clear <= 1, "a number in [0, 1]"),
            ("temperature", self.temperature > 0, "a positive number"),
            ("decay_abcs", 0 < self.decay_abcs <= 1, "a number in (0, 1]"),
            ("decay_bql", 0 < self.decay_bql <= 1, "a number in (0, 1]"),
            ("decay_every", self.decay_every >= 1, "an integer, 1 or more"),
            ("os_epsilon", 0 < self.os_epsilon <= 1, "a number in (0, 1]"),
            ("bql_step", 0 <= self.bql_step <= 1, "a number in [0, 1]"),
        ]
        for name, holds, rule in rules:
            if not holds:
                raise ValueError(f"{name} = {getattr(self, name)}: expected {rule}")


#: The hyper-parameters of every figure.
OFFICIAL = Config()
