"""Show in a notebook the source of an ``econlib`` function: the code that runs."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

from IPython.display import display

__all__ = ["source"]


def source(obj: Any, *, docstring: bool = False) -> None:
    """Display the source of a function or class, highlighted.

    Parameters
    ----------
    obj : function or class
        Something with Python source, such as ``econlib.programs.solve``.
    docstring : bool
        Whether to keep the docstrings; the reference pages have them.

    Raises
    ------
    ValueError
        ``obj`` has no Python source: a builtin, a number, or a function that was
        compiled elsewhere.
    """
    target = inspect.unwrap(obj) if callable(obj) else obj
    try:
        code = textwrap.dedent(inspect.getsource(target))
    except (OSError, TypeError):
        raise ValueError(
            f"obj = {obj!r}: expected a function or class with Python source. "
            "Try the function itself, not its result."
        ) from None
    if not docstring:
        code = _without_docstrings(code)
    module = inspect.getmodule(target)
    head = f"# {module.__name__}\n" if module else ""
    code = f"{head}{code.rstrip()}"
    fence = "````" if "```" in code else "```"
    bundle = {
        "text/plain": code,
        "text/markdown": f"{fence}python\n{code}\n{fence}",
    }
    display(bundle, raw=True)


def _without_docstrings(code: str) -> str:
    """Cut the lines of all docstrings; the rest stays as it was written."""
    lines = code.splitlines()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, kinds) or ast.get_docstring(node) is None:
            continue
        if len(node.body) == 1:
            continue  # nothing else in the body: the docstring is the body
        first = node.body[0]
        for number in range(first.lineno - 1, first.end_lineno):
            lines[number] = None
        after = first.end_lineno
        if after < len(lines) and lines[after] == "":
            lines[after] = None
    return "\n".join(line for line in lines if line is not None)
