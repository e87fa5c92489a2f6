from __future__ import annotations

from dataclasses import dataclass

import pytest

from perfkit.workloads._settings import with_settings


@dataclass(frozen=True)
class Inner:
    width: int = 1


@dataclass(frozen=True)
class Config:
    size: int = 1
    share: float = 0.5
    form: str = "found"
    fast: bool = False
    slots: tuple[int, ...] = ()
    kept: tuple[str, ...] = ()
    limit: float | None = 1.0
    inner: Inner = Inner()

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("a size is not negative")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("size", "7", 7),
        ("share", "0.25", 0.25),
        ("form", "fast", "fast"),
        ("fast", "True", True),
        ("slots", "1,2", (1, 2)),
        ("kept", "gate,norm", ("gate", "norm")),
        ("limit", "none", None),
        ("limit", "2", 2.0),
    ],
)
def test_text_is_read_as_the_type_of_the_field(name: str, text: str, value: object) -> None:
    assert getattr(with_settings(Config(), {name: text}), name) == value


def test_values_that_are_no_text_are_taken_as_they_are() -> None:
    assert with_settings(Config(), {"size": 3, "inner": Inner(2)}) == Config(3, inner=Inner(2))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("sizes", "7", "there are: size, share"),
        ("size", "x", "takes a int"),
        ("fast", "maybe", "takes a bool"),
        ("inner", "x", "takes a Inner"),
        ("size", "-1", "not negative"),
    ],
)
def test_mistakes_say_what_is_possible(name: str, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        with_settings(Config(), {name: text})
