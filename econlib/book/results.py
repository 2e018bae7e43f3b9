"""Named results of a notebook, which a sweep gathers into its table."""

from __future__ import annotations

import math
import numbers
from typing import Any

from IPython.display import display

__all__ = ["MIME", "record"]

MIME = "application/vnd.econlib.result+json"


def record(**named: Any) -> None:
    """Keep numbers under their names, for sweeps.

    Parameters
    ----------
    **named : float
        Finite numbers or truth values; scalars of numpy and torch count.

    Raises
    ------
    ValueError
        Nothing is named, or a value is not a finite number.

    Examples
    --------
    >>> record(profit=float("nan"))
    Traceback (most recent call last):
    ValueError: profit = nan: expected a finite number
    """
    if not named:
        raise ValueError("record(): expected name=number")
    plain = {}
    for name, value in named.items():
        number = value.item() if hasattr(value, "item") else value
        if not isinstance(number, numbers.Real) or not math.isfinite(number):
            raise ValueError(f"{name} = {value!r}: expected a finite number")
        plain[name] = number if isinstance(number, bool | int) else float(number)
    shown = ", ".join(f"{name} = {value:.4g}" for name, value in plain.items())
    display({"text/plain": f"recorded: {shown}", MIME: plain}, raw=True)
