"""A certified auction from an affine maximiser: by exact replies, and on a grid."""

from __future__ import annotations

import numpy as np

from benchmarks.record import Timing, alternate
from econlib.gemnet import cells, laws, repair
from econlib.gemnet.affine import tune_boosts
from econlib.gemnet.boxes import Boxes
from econlib.gemnet.residual import boost_knots, start_table

__all__ = ["measure"]


def measure(n_runs: int = 3, n_cells: int = 32, n_values: int = 24) -> list[Timing]:
    """Certified mechanisms of two bidders with two uniform items.

    Parameters
    ----------
    n_runs : int
        Runs of each side.
    n_cells : int
        Cells an axis of the grid.
    n_values : int
        Values an axis at which replies are computed.
    """
    market = laws.market("u01")
    affine = tune_boosts(market)
    boxes = [Boxes.grid(np.linspace(0, 1, n_cells + 1), 2)] * 2

    def ours() -> float:
        table = start_table(market, affine, boost_knots(affine))
        return table.revenue(n_values, 4 * n_values)

    def menus(bidder: int, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        bundles = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        prices = np.pad(affine.prices(bidder, others), ((0, 0), (1, 0)))
        return np.broadcast_to(bundles, (len(others), 4, 2)), prices

    def mended() -> cells.CellMenus:
        return repair.repair_raise(cells.build(menus, boxes)).menus

    def peer() -> float:
        draws = np.random.default_rng(0).random((200_000, 2, 2))
        return mended().revenue(draws)[0]

    return [
        Timing(
            task="a certified auction from an affine maximiser, and its revenue",
            ours_is=f"econlib.gemnet.residual, replies at {n_values**2} values",
            peer_is=f"prices raised on a grid of {n_cells} cells an axis",
            **alternate({"ours": ours, "peer": peer}, n_runs, warm_up=True),
            quality={
                "revenue, replies": ours(),
                "revenue, grid": peer(),
                "violations, grid": cells.certify(mended()).n_violations,
            },
        )
    ]
