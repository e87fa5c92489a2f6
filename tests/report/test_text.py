"""What strangers write becomes visible, short, and cannot reorder or erase what stands around it."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from perfkit.report._text import short_names, visible


def test_ordinary_text_stays_as_it_is() -> None:
    for text in ("", "aten::mm", "größer – 4 µs", "x = {'a': 1}", "日本語"):
        assert visible(text) == text


def test_control_bytes_and_bidirectional_marks_are_written_out() -> None:
    assert visible("\x1b[31m\x00") == r"\x1b[31m\x00"
    assert visible("\u202egnp.exe\u2066") == r"\u202egnp.exe\u2066"
    assert visible("\ud800") == r"\ud800"
    assert visible("a\tb\nc") == "a    b c"


@given(st.text(st.characters(codec=None), max_size=80), st.integers(2, 40))
def test_anything_comes_out_short_encodable_and_on_one_line(text: str, limit: int) -> None:
    shown = visible(text, limit)
    assert len(shown) <= limit
    shown.encode("utf-8")
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)


def test_files_are_named_by_the_shortest_tail_that_tells_them_apart() -> None:
    assert short_names(["/a/b/model.py", "/a/train.py"]) == {
        "/a/b/model.py": "model.py",
        "/a/train.py": "train.py",
    }
    assert short_names(["/a/x/model.py", "/a/y/model.py"]) == {
        "/a/x/model.py": "x/model.py",
        "/a/y/model.py": "y/model.py",
    }
    assert short_names([r"C:\me\model.py", "<stdin>", ""]) == {
        r"C:\me\model.py": "model.py",
        "<stdin>": "<stdin>",
        "": "",
    }
    assert short_names(["/m.py", "m.py"]) == {"/m.py": "/m.py", "m.py": "m.py"}
