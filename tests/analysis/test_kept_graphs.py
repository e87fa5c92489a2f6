"""Lines that keep a loss with its graph."""

from __future__ import annotations

import linecache

import pytest

from perfkit.analysis.kept_graphs import kept_graphs


def _lines(*lines: str) -> list[tuple[int, str]]:
    text = ["def train(model, batches):\n", "    kept, total = [], 0\n"]
    text += [f"    {line}\n" for line in lines]
    linecache.cache["kept.py"] = (1, None, text, "kept.py")
    return [(frame.line, frame.function) for frame in kept_graphs(["kept.py", "kept.py"])]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("loss.backward()", "kept.append(loss.detach())"), "detached"),
        (("loss.backward()", "kept.append(loss.item())"), "a number"),
        (("loss.backward()", "kept.append(name)"), "something else"),
        (("kept.append(loss)",), "nobody says that it has a graph"),
        (("loss += penalty", "loss.backward()"), "a part of the loss"),
        (("penalty.backward()", "loss += penalty", "loss.backward()"), "into what is learned from"),
        (("loss.backward(", "kept.append(loss)"), "does not parse"),
    ],
)
def test_silent(lines: tuple[str, ...], why: str) -> None:
    assert _lines(*lines) == [], why


def test_a_file_that_is_not_there_has_none() -> None:
    assert kept_graphs(["nowhere.py"]) == ()


def test_collecting_and_adding_up_are_found() -> None:
    assert _lines("loss.backward()", "kept.append(loss)", "total += loss") == [
        (4, "train"),
        (5, "train"),
    ]
