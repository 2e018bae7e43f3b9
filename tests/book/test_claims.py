"""Claims: files that are refused, measurements that are judged, verdicts displayed."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from nbval.plugin import get_sanitize_patterns

from econlib.book import claims, results, schema
from econlib.book.claims import ClaimsError, load

SANITIZER = Path(__file__).parents[1] / "nbval_sanitize.cfg"


def test_a_claims_file_is_read_in_its_order(small_book):
    small_book.write_claims(
        small_book.row("thm-2", statement="Folded\n  text.", paper="0.5", note="why"),
        small_book.row("tab-1/U-.50-2"),
    )
    found = load("demo", small_book.root)
    assert list(found) == ["thm-2", "tab-1/U-.50-2"]
    first = found["thm-2"]
    assert (first.key, first.value, first.note) == ("demo/thm-2", "0.5", "why")
    assert first.statement == "Folded text."
    assert found["tab-1/U-.50-2"].value == "unknown"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"statement": ""}, "demo.yml: thm: statement: missing"),
        ({"source": None}, "demo.yml: thm: source: missing"),
        ({"note": None}, "demo.yml: thm: note = None: expected text"),
        ({"paper": 0.5}, "demo.yml: thm: paper = 0.5: expected text"),
        ({"notebook": 1}, "demo.yml: thm: notebook = 1: expected text"),
        ({"kind": "theorm"}, "demo.yml: thm: kind = 'theorm': expected one of figure"),
        ({"on_pass": "passed"}, "thm: on_pass = 'passed': expected one of reproduced"),
        ({"on_pass": "differs"}, "thm: on_pass = 'differs': expected one of"),
        ({"notebok": "x"}, "demo.yml: thm: notebok: unknown field. .*'notebook'?"),
        ({"expect": {"value": 1}}, "demo.yml: thm: expect: value needs one tolerance"),
        ({"id": "thm-ü"}, "demo.yml: claim 2: id = 'thm-ü': expected ASCII"),
        ({"id": "thm 1"}, "demo.yml: claim 2: id = 'thm 1': expected ASCII"),
        ({"id": ""}, "demo.yml: claim 2: id = ''"),
        ({"id": 3}, "demo.yml: claim 2: id = 3"),
        ({"id": "fig-1"}, "demo.yml: fig-1: id stands twice"),
        ({"id": "fig/1"}, "demo.yml: fig/1: id has the same anchor as fig-1"),
    ],
)
def test_a_bad_row_is_one_error_naming_file_id_and_field(small_book, fields, message):
    small_book.write_claims(small_book.row("fig-1"), small_book.row("thm") | fields)
    with pytest.raises(ClaimsError, match=message) as caught:
        load("demo", small_book.root)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", ["id", "kind", "expect", "notebook", "on_pass"])
def test_an_absent_field_is_named(small_book, field):
    rows = [small_book.row("fig-1"), small_book.row("thm")]
    del rows[1][field]
    small_book.write_claims(*rows)
    with pytest.raises(ClaimsError, match=rf"demo.yml: .*\b{field}\b"):
        load("demo", small_book.root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("paper: demo\nclaims:\n  - {id: a, kind: the", "demo.yml: not valid YAML"),
        ("paper: demo\nclaims:\n  - id: a\n    id: b", "'id' stands twice"),
        ("paper: \xff", "demo.yml: not valid YAML"),
        ("", "demo.yml: expected a mapping"),
        ("- a\n- b", "demo.yml: expected a mapping"),
        ("paper: demo", "demo.yml: claims: missing"),
        ("paper: demo\nclaims: []", "demo.yml: claims: missing"),
        ("paper: demo\nclaims: all", "demo.yml: claims = 'all': expected a list"),
        ("paper: demo\nclaims: [a]", "demo.yml: claim 1: expected a mapping"),
        ("claims: [a]", "demo.yml: paper: missing"),
        ("paper: dem\nclaims: [a]", "demo.yml: paper = 'dem': expected 'demo'"),
        ("paper: demo\nclaim: [a]\nclaims: [a]", "claim: unknown field.*'claims'"),
    ],
)
def test_a_bad_file_is_one_error_naming_it(small_book, text, message):
    small_book.write_claims(small_book.row("a")).write_bytes(text.encode("latin-1"))
    with pytest.raises(ClaimsError, match=message) as caught:
        load("demo", small_book.root)
    assert "\n" not in str(caught.value)


def test_a_file_cut_anywhere_in_its_last_claim_is_refused(small_book):
    path = small_book.write_claims(small_book.row("a"), small_book.row("b"))
    text = path.read_text()
    start = text.index("- id: b") + len("- id: b\n")
    for end in range(start, text.rindex("illustrated")):
        path.write_text(text[:end])
        with pytest.raises(ClaimsError, match=r"demo\.yml"):
            load("demo", small_book.root)


def test_every_claims_file_of_the_book_is_valid():
    names = schema.papers()
    assert names
    for paper in names:
        assert load(paper)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("demo/thm-1", "'demo/thm-1': no such claim. Did you mean 'thm-one'?"),
        ("demp/thm-one", "'demp' has no claims file. Did you mean 'demo'?"),
        ("thm-one", "'thm-one': expected '<paper>/<id>'"),
    ],
)
def test_an_unknown_claim_is_an_error_with_the_nearest(small_book, key, message):
    small_book.write_claims(small_book.row("thm-one"), small_book.row("fig-2"))
    with pytest.raises(ClaimsError, match=re.escape(message)):
        claims.check(key, measured=0.5)


def test_a_changed_claims_file_is_read_again(small_book):
    small_book.write_claims(small_book.row("a"))
    assert verdict(small_book, "demo/a", 0.5) == "illustrated"
    small_book.write_claims(small_book.row("a", expect={"at_least": 0.75}))
    assert verdict(small_book, "demo/a", 0.5) == "differs"


@pytest.mark.parametrize(
    ("measured", "message"),
    [
        (None, "demo/a: measured is missing: 0.5 ± 0.01"),
        (float("nan"), "demo/a: measured = nan: expected a finite number"),
        ("0.5", "demo/a: measured = '0.5': expected a number"),
        ({"a": 0.5}, "demo/a: measured = {'a': 0.5}: expected a number"),
    ],
)
def test_a_bad_measurement_is_an_error_naming_the_claim(small_book, measured, message):
    small_book.write_claims(small_book.row("a"))
    with pytest.raises(ClaimsError, match=re.escape(message)):
        claims.check("demo/a", measured=measured)


@pytest.mark.parametrize(
    ("on_pass", "scale", "expected"),
    [
        ("reproduced at book scale", None, "reproduced at book scale"),
        ("reproduced at book scale", "book", "reproduced at book scale"),
        ("reproduced at book scale", "paper", "reproduced"),
        ("reproduced", "book", "reproduced at book scale"),
        ("reproduced", "paper", "reproduced"),
        ("illustrated", "paper", "illustrated"),
        ("recorded", "book", "recorded"),
    ],
)
def test_scale_decides_between_the_two_ways_to_reproduce(
    small_book, on_pass, scale, expected
):
    small_book.write_claims(small_book.row("a", on_pass=on_pass))
    options = {} if scale is None else {"scale": scale}
    assert verdict(small_book, "demo/a", 0.5, **options) == expected
    assert verdict(small_book, "demo/a", 0.6, **options) == "differs"


def test_an_unknown_scale_is_an_error(small_book):
    small_book.write_claims(small_book.row("a"))
    with pytest.raises(ClaimsError, match="demo/a: scale = 'full': expected 'paper'"):
        claims.check("demo/a", measured=0.5, scale="full")


def test_the_json_bundle_holds_the_unrounded_measurement(small_book):
    small_book.write_claims(small_book.row("a", kind="figure"))
    bundle = small_book.bundle("demo/a", 0.500012345678)
    assert bundle[claims.MIME] == {
        "id": "demo/a",
        "paper": "demo",
        "kind": "figure",
        "verdict": "illustrated",
        "measured": 0.500012345678,
        "expected": "0.5 ± 0.01",
    }
    assert bundle["text/plain"] == (
        "illustrated: demo/a, measured 0.500012, expected 0.5 ± 0.01"
    )


def test_the_html_says_all_that_the_claim_says(small_book):
    small_book.write_claims(
        small_book.row(
            "tab/1", statement="u < v & v > w", paper="<b>1/2</b>", note="By design."
        )
    )
    html = small_book.bundle("demo/tab/1", 0.5)["text/html"]
    shown = Shown(html)
    assert shown.ids == ["claim-demo-tab-1"]
    assert shown.text.startswith("✓ illustrated tab/1 u < v & v > w")
    for part in ("expected 0.5 ± 0.01", "measured 0.5", "the paper <b>1/2</b>"):
        assert part in shown.text
    assert "By design." not in shown.text
    differing = Shown(small_book.bundle("demo/tab/1", 0.75)["text/html"])
    assert differing.text.startswith("≠ differs")
    assert differing.text.endswith("why By design.")


def test_the_html_names_the_parts_that_are_not_met(small_book):
    table = {"table": {"bid": 0.25, "ask": 0.75}, "atol": 0.01}
    parts = {"parts": {"gap": {"at_most": 1}, "convex": {"property": "is convex"}}}
    small_book.write_claims(
        small_book.row("a", expect=table), small_book.row("b", expect=parts)
    )

    def shown(key, measured):
        return Shown(small_book.bundle(key, measured)["text/html"]).text

    assert "not met" not in shown("demo/a", {"bid": 0.25, "ask": 0.75})
    assert shown("demo/a", {"bid": 0.25, "ask": 0.7}).endswith("not met ask")
    assert shown("demo/a", {"bid": 0.2, "ask": 0.7}).endswith("not met bid, ask")
    assert shown("demo/b", {"gap": 2, "convex": False}).endswith("not met gap, convex")


def test_the_html_sets_no_colour_of_its_own(small_book):
    small_book.write_claims(small_book.row("a"))
    styles = re.findall(
        r'style="([^"]*)"', small_book.bundle("demo/a", 0.5)["text/html"]
    )
    assert styles
    assert not [
        s for s in styles if re.search(r"#|rgb|(?<!current)color|background", s)
    ]


@pytest.mark.parametrize(
    ("expect", "one", "other"),
    [
        ({"at_most": 1}, 1e-05, 0.0002),
        ({"at_most": 1}, -0.25, 0.5),
        ({"at_most": 1}, 1e-300, -12345678.9),
        (
            {"match": ["ours", "truth"], "atol": 9},
            {"ours": 1, "truth": 2.5},
            {"ours": -1e-7, "truth": 0},
        ),
        (
            {"table": {"(1, -1)": 0.43}, "atol": 1},
            {"(1, -1)": 0.25},
            {"(1, -1)": 1},
        ),
        (
            {"parts": {"a": {"at_most": 1}, "b": {"table": {"<x>": 0}, "atol": 1}}},
            {"a": 0.5, "b": {"<x>": 0.1}},
            {"a": -3, "b": {"<x>": -1e-9}},
        ),
    ],
)
def test_nbval_masks_what_was_measured_and_nothing_else(small_book, expect, one, other):
    small_book.write_claims(small_book.row("a", expect=expect))
    first, second = (small_book.bundle("demo/a", m) for m in (one, other))
    for mime in ("text/plain", "text/html"):
        assert first[mime] != second[mime]
        assert sanitize(first[mime]) == sanitize(second[mime])
    assert "illustrated" in sanitize(first["text/plain"])


def test_nbval_sees_verdict_expectation_statement_and_note(small_book):
    small_book.write_claims(small_book.row("a"))
    seen = sanitized(small_book, 0.5)
    assert sanitized(small_book, 0.75) != seen
    for change in (
        {"expect": {"value": 0.5, "atol": 0.02}},
        {"statement": "One half is 0.5."},
        {"paper": "0.5"},
        {"on_pass": "recorded"},
    ):
        small_book.write_claims(small_book.row("a", **change))
        assert sanitized(small_book, 0.5) != seen


def test_nbval_masks_named_results_but_no_verdict_recorded(small_book, monkeypatch):
    shown = []
    monkeypatch.setattr(results, "display", lambda data, raw: shown.append(data))
    results.record(profit=0.25, gap=1e-9)
    results.record(profit=-0.3, gap=0.0)
    one, other = (data["text/plain"] for data in shown)
    assert one != other
    assert sanitize(one) == sanitize(other)
    small_book.write_claims(small_book.row("a", on_pass="recorded"))
    verdict = small_book.bundle("demo/a", 0.5)["text/plain"]
    assert "recorded: demo/a" in sanitize(verdict)
    assert "0.5 ± 0.01" in sanitize(verdict)


def test_the_claims_files_can_be_written_by_a_machine(small_book):
    path = small_book.write_claims(small_book.row("a"), small_book.row("b"))
    again = yaml.safe_load(path.read_text())
    assert [r["id"] for r in again["claims"]] == list(load("demo", small_book.root))


def verdict(book, key, measured, **options):
    return book.bundle(key, measured, **options)[claims.MIME]["verdict"]


def sanitized(book, measured):
    bundle = book.bundle("demo/a", measured)
    return [sanitize(bundle[mime]) for mime in ("text/plain", "text/html")]


def sanitize(text):
    patterns = get_sanitize_patterns(SANITIZER.read_text())
    assert len(patterns) == 3
    for pattern, replacement in patterns:
        text = re.sub(pattern, replacement, text)
    return text


class Shown(HTMLParser):
    """Text that a reader sees, words one space apart, and the anchors."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self._text: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self._text).split())

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_data(self, data):
        self._text.append(data)


def test_the_example_of_the_schema_is_valid(small_book):
    text = (Path(__file__).parents[2] / "data" / "claims" / "README.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    paper = yaml.safe_load(example)["paper"]
    (small_book.root / "data" / "claims" / f"{paper}.yml").write_text(example)
    (claim,) = load(paper, small_book.root).values()
    assert f"{{value: {claim.expect['value']}" in example
    for kind in claims.KINDS:
        assert f"`{kind}`" in text
