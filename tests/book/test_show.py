"""Source shown in a notebook is the source that runs."""

from __future__ import annotations

import functools
import math

import pytest

from econlib.book import show


def add(x, y):
    """Add.

    A second paragraph.
    """

    def inner():
        """Be local."""
        return y

    # eq. (1)
    return x + inner()


class Box:
    """Hold nothing."""


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would receive, by mime type."""

    def call(obj, **options):
        bundles = []
        monkeypatch.setattr(show, "display", lambda data, raw: bundles.append(data))
        show.source(obj, **options)
        return bundles[0]

    return call


def test_source_is_the_function_without_its_docstrings(shown):
    expected = (
        f"# {__name__}\ndef add(x, y):\n    def inner():\n        return y\n\n"
        "    # eq. (1)\n    return x + inner()"
    )
    data = shown(add)
    assert data["text/plain"] == expected
    assert data["text/markdown"] == f"```python\n{expected}\n```"


def test_source_without_docstrings_still_computes_the_same(shown):
    scope = {}
    exec(shown(add)["text/plain"], scope)
    assert scope["add"](2, 3) == add(2, 3) == 5


def test_docstrings_are_kept_on_request_and_where_they_are_the_body(shown):
    assert "A second paragraph." in shown(add, docstring=True)["text/plain"]
    assert "Hold nothing." in shown(Box)["text/plain"]


def test_a_wrapped_function_shows_what_it_wraps(shown):
    wrapped = functools.wraps(add)(lambda *args: add(*args))
    assert shown(wrapped)["text/plain"] == shown(add)["text/plain"]


@pytest.mark.parametrize("obj", [math.sqrt, 3.0])
def test_something_without_source_is_named(obj):
    with pytest.raises(ValueError, match="expected a function or class") as error:
        show.source(obj)
    assert repr(obj) in str(error.value)
