"""Sets of good models against the obvious routes, and networks in lockstep."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.record import Timing, alternate
from econlib.churn.banks import BankConfig, ModelBank
from econlib.churn.cells import compas_binary, compas_cells
from econlib.churn.linear_cells import LinearCells
from econlib.churn.lookup import LookupTables
from econlib.churn.plane import affine_labelings, example_points
from econlib.churn.rashomon import good_models
from econlib.churn.small_trees import free_trees, good_trees

__all__ = ["measure"]


def _lines(n_runs: int, n: int, slack: int) -> Timing:
    """Ambiguity and discrepancy of all good lines: by list, and by programs."""
    X, y = example_points(n, 5)
    ones = np.ones(n, dtype=int)

    def ours() -> tuple[float, float]:
        stats = good_models(affine_labelings(X), ones, y, slack).stats()
        return stats.ambiguity, stats.discrepancy

    base = good_models(affine_labelings(X), ones, y, slack).labels[0]

    def peer() -> tuple[float, float]:
        search = LinearCells(np.column_stack([X, ones]), ones, y)
        costs = search.flip_costs(base, slack)
        return float((costs <= slack).mean()), search.discrepancy(base, slack)[0]

    off = float(np.abs(np.subtract(ours(), peer())).max())
    return Timing(
        task=f"ambiguity and discrepancy of good lines of {n} points, {slack} errors",
        ours_is="econlib.churn.plane.affine_labelings, the list of all lines",
        peer_is="mixed-integer programs, HiGHS: one a point, and one",
        **alternate({"ours": ours, "peer": peer}, n_runs),
        quality={"largest difference": off},
    )


def _tables(n_runs: int, n_cells: int) -> Timing:
    """Counts and measures of good lookup tables: by sums, and by listing all."""
    _, counts, positives = compas_cells("age", "priors", "male")
    counts, positives = counts[:n_cells], positives[:n_cells]
    slack = int(counts.sum() // 50)
    every = ((np.arange(2**n_cells)[:, None] >> np.arange(n_cells)) & 1).astype(int)

    def ours() -> object:
        return LookupTables(counts, positives).stats(slack)

    def peer() -> object:
        return good_models(every, counts, positives, slack).stats()

    a, b = ours(), peer()
    return Timing(
        task=f"good lookup tables of {n_cells} cells of COMPAS, slack 0.02",
        ours_is="econlib.churn.lookup.LookupTables, subset sums and knapsacks",
        peer_is=f"the list of all {2**n_cells} tables",
        **alternate({"ours": ours, "peer": peer}, n_runs),
        quality={
            "same size": a.size == b.size,
            "difference of ambiguity": abs(a.ambiguity - b.ambiguity),
        },
    )


def _trees(n_runs: int) -> Timing:
    """Good trees of depth two: sides paired within the slack, and out of all trees."""
    cells = compas_binary()

    def ours() -> object:
        return good_trees(*cells, 61, 2)

    def peer() -> object:
        return good_models(free_trees(cells[0], 2), *cells[1:], 61)

    return Timing(
        task="good trees of depth two on eight questions about COMPAS, slack 0.01",
        ours_is="econlib.churn.small_trees.good_trees, sides paired within the slack",
        peer_is="the list of all trees of depth two, then the good ones",
        **alternate({"ours": ours, "peer": peer}, n_runs),
        quality={"same set": np.array_equal(ours().labels, peer().labels)},
    )


def _data(n: int, d: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2 * n, d))
    chance = 1 / (1 + np.exp(-2 * X[:, 0] - X[:, 1] * X[:, 2]))
    y = (rng.random(2 * n) < chance).astype(int)
    return X[:n], y[:n], X[n:], y[n:]


def _torch_loop(X: np.ndarray, y: np.ndarray, m: int, c: BankConfig) -> list:
    """One network after another, as a tutorial has it."""
    data = torch.tensor(X, dtype=torch.float32)
    target = torch.tensor(y, dtype=torch.float32)
    found = []
    for seed in range(m):
        torch.manual_seed(seed)
        net = torch.nn.Sequential(
            torch.nn.Linear(X.shape[1], c.hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(c.hidden, c.hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(c.hidden, 1),
        )
        optimiser = torch.optim.Adam(net.parameters(), lr=c.rate)
        loss = torch.nn.BCEWithLogitsLoss()
        for _ in range(c.epochs):
            for rows in torch.randperm(len(data)).split(c.batch):
                optimiser.zero_grad()
                loss(net(data[rows])[:, 0], target[rows]).backward()
                optimiser.step()
        found.append(net)
    return found


def _banks(n_runs: int, m: int) -> list[Timing]:
    X, y, test_X, test_y = _data(4000, 20)
    config = BankConfig(hidden=64, epochs=5)

    def ours() -> np.ndarray:
        return ModelBank(m, config, seed=0).fit(X, y).labels(test_X)

    def loop() -> np.ndarray:
        data = torch.tensor(test_X, dtype=torch.float32)
        nets = _torch_loop(X, y, m, config)
        with torch.no_grad():
            return np.array([(net(data)[:, 0] > 0).numpy() for net in nets])

    def scikit() -> np.ndarray:
        warnings.simplefilter("ignore", ConvergenceWarning)  # five passes, as ours
        return np.array(
            [
                MLPClassifier(
                    (64, 64),
                    batch_size=128,
                    learning_rate_init=config.rate,
                    alpha=0.0,
                    max_iter=5,
                    n_iter_no_change=5,
                    random_state=seed,
                )
                .fit(X, y)
                .predict(test_X)
                for seed in range(m)
            ]
        )

    found = []
    for name, peer in (
        ("a torch loop, one network after another", loop),
        ("scikit-learn's MLPClassifier, one after another", scikit),
    ):
        a, b = ours(), peer()
        found.append(
            Timing(
                task=f"{m} networks of 64-64 units, 4000 rows, 20 features, 5 passes",
                ours_is="econlib.churn.banks.ModelBank, all in lockstep",
                peer_is=name,
                **alternate({"ours": ours, "peer": peer}, n_runs),
                quality={
                    "our mean test error": float((a != test_y).mean()),
                    "the peer's": float((b != test_y).mean()),
                },
            )
        )
    return found


def measure(n_runs: int = 5) -> list[Timing]:
    """Time both sides in turn: three exact sets, and banks of networks."""
    return [
        _lines(n_runs, 20, 2),
        _tables(n_runs, 14),
        _trees(n_runs),
        *_banks(n_runs, 10),
    ]
