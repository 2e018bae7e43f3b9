"""The loop as a picture, drawn from an entry of its log."""

from __future__ import annotations

from matplotlib.axes import Axes

from econlib.social_design.loop import Log

__all__ = ["draw_round"]

_BOX = {"boxstyle": "round,pad=0.5", "fc": "#f2f6fa", "ec": "#0072B2", "lw": 1.4}
_ARROW = {
    "arrowstyle": "-|>",
    "color": "#333333",
    "lw": 1.4,
    "shrinkA": 0,
    "shrinkB": 0,
}


def _list(numbers: tuple[float, ...]) -> str:
    shown = ", ".join(f"{x:.3g}" for x in numbers[:6])
    return f"({shown}{', …' if len(numbers) > 6 else ''})"


def draw_round(ax: Axes, log: Log, number: int = 0) -> None:
    """Draw one logged round as the cycle that it was, each arrow with its data.

    Parameters
    ----------
    ax : Axes
        Where to draw; its axes are switched off.
    log : Log
        A run of the loop.
    number : int
        Round, 0 to ``len(log.rounds) - 1``.

    Raises
    ------
    ValueError
        A round that the log does not have.
    """
    if not 0 <= number < len(log.rounds):
        raise ValueError(f"number = {number}: expected 0 to {len(log.rounds) - 1}")
    entry = log.rounds[number]
    ax.set(xlim=(0, 12), ylim=(0, 6))
    ax.axis("off")
    boxes = {
        "players vote": (1.5, 4.8),
        f"voting mechanism\n$\\phi$ = {log.rule}": (6.0, 4.8),
        f"Principal\n({log.principal})": (10.6, 4.8),
        "game $\\mathcal{M}_\\theta$\nplayers answer": (10.6, 1.2),
        "end of round": (1.5, 1.2),
    }
    for text, (x, y) in boxes.items():
        ax.text(x, y, text, ha="center", va="center", bbox=_BOX, fontsize=9)
    arrows = [
        ((2.45, 4.8), (4.75, 4.8)),
        ((7.25, 4.8), (9.85, 4.8)),
        ((10.6, 4.05), (10.6, 1.95)),
        ((9.5, 1.2), (2.6, 1.2)),
        ((1.5, 1.7), (1.5, 4.35)),
    ]
    for tail, head in arrows:
        ax.annotate("", xy=head, xytext=tail, arrowprops=_ARROW)
    labels = [
        (3.6, 5.45, f"$v$ = {_list(entry.votes)}", "center"),
        (8.55, 5.55, f"$\\sigma$ = {entry.value:.3g}\n$p$ = {entry.p:.3g}", "center"),
        (10.4, 2.8, f"$\\theta$ = {_list(entry.rates)}", "right"),
        (6.0, 1.55, f"$u$ = {_list(entry.realised)}", "center"),
        (6.0, 0.8, f"$s_T$ = {entry.next_state}", "center"),
        (1.7, 3.0, f"next round: $s_0$ = {entry.next_state}", "left"),
        (10.4, 3.4, f"$s_0$ = {entry.state}", "right"),
    ]
    for x, y, text, side in labels:
        ax.text(x, y, text, ha=side, va="center", fontsize=9, color="#222222")
