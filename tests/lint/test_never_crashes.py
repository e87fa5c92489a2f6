"""Whatever stands in a file, reading it ends in a result."""

from __future__ import annotations

import keyword
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import perfkit
from perfkit.lint._examples import program
from perfkit.lint._hooks import checks
from perfkit.lint._run import lint_text
from perfkit.lint._settings import Settings

PROGRAMS = [
    program(text) for module in checks().values() for text in (*module.FOUND, *module.SILENT)
]
OWN = [
    p.read_text(encoding="utf-8") for p in Path(perfkit.__file__).parent.glob("workloads/*/*.py")
]
NAMES = st.sampled_from(
    ["x", "y", "mask", "self", "torch", "F", "np", "loader", "model", "device", "len"]
)
ATTRIBUTES = st.sampled_from(["item", "sum", "to", "cuda", "cpu", "shape", "nonzero", "where", "T"])


def expressions() -> st.SearchStrategy[str]:
    leaves = NAMES | st.sampled_from(["1", "0.5", "None", "'cuda'", "...", "[]", "()", "{}"])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds("{}.{}".format, inner.filter(lambda s: s[0].isalpha()), ATTRIBUTES),
            st.builds("({})({}, {}, key={})".format, inner, inner, inner, inner),
            st.builds("({})[{}]".format, inner, inner),
            st.builds("({})[{}:, {}]".format, inner, inner, inner),
            st.builds("({} < {} == {})".format, inner, inner, inner),
            st.builds("(not {} and {} or {})".format, inner, inner, inner),
            st.builds("({} if {} else {})".format, inner, inner, inner),
            st.builds("[{} for x, *y in {} if {}]".format, inner, inner, inner),
            st.builds("{{**{}, {}: {}}}".format, inner, inner, inner),
            st.builds("(lambda x, *a, k=1: {})".format, inner),
            st.builds("(-{} @ {} % {})".format, inner, inner, inner),
            st.builds("f'{{{}}}'".format, inner.filter(lambda s: "'" not in s and s[0] != "{")),
        ),
        max_leaves=8,
    )


def statements() -> st.SearchStrategy[str]:
    one = expressions()
    return st.one_of(
        one,
        st.builds("x, (y, *mask) = {}".format, one),
        st.builds("self.x = x[{}] = {}".format, one, one),
        st.builds("x += {}".format, one),
        st.builds("x: {} = {}".format, one, one),
        st.builds("for x, y in {}:\n        {}\n    else:\n        pass".format, one, one),
        st.builds("while {}:\n        {}".format, one, one),
        st.builds("if {}:\n        {}\n    else:\n        return {}".format, one, one, one),
        st.builds("with {} as x, {}:\n        yield {}".format, one, one, one),
        st.builds("def f(self, x: {} = {}, *, y):\n        return {}".format, one, one, one),
        st.builds("assert {}, {}".format, one, one),
        st.builds("try:\n        {}\n    except {} as e:\n        raise".format, one, one),
        st.builds("x[{}] -= {}".format, one, one),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(statements(), min_size=1, max_size=5), st.booleans())
def test_generated_programs(lines, inside_a_class):
    body = "\n    ".join(lines)
    head = "class Net(nn.Module):\n   def forward(self, x, y, mask=None):\n    "
    text = (
        "import torch\nfrom torch import nn\n" + (head if inside_a_class else "if x:\n    ") + body
    )
    result = lint_text(text, "f.py", Settings(everything=True))
    for finding in result.findings:
        assert 1 <= finding.line <= finding.end_line <= text.count("\n") + 1


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_programs(data):
    """A piece of a real program cut out, doubled or replaced."""
    text = data.draw(st.sampled_from(PROGRAMS + OWN))
    first = data.draw(st.integers(0, len(text)))
    last = data.draw(st.integers(first, min(len(text), first + 200)))
    words = st.sampled_from(
        [*keyword.kwlist, "[", ")", "x", "\n", "    ", "'", "\x00", "é", "*", ":="]
    )
    middle = data.draw(st.sampled_from(["", text[first:last] * 2]) | words)
    result = lint_text(
        "import torch\n" + text[:first] + middle + text[last:], "f.py", Settings(everything=True)
    )
    assert result.lines >= 1


@settings(max_examples=20, deadline=None)
@given(st.integers(50, 3000), st.sampled_from(["(", "-", "x.", "not ", "[x "]))
def test_deep_nesting(depth, piece):
    closing = {"(": ")", "[x ": "]"}.get(piece, "")
    text = "import torch\nv = " + piece * depth + "x" + closing * depth + "\n"
    lint_text(text, "f.py")
