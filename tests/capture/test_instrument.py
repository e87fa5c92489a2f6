"""`perfkit.instrument` and `perfkit.step`, with and without a capture."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from perfkit.capture import instrument
from perfkit.capture.instrument import instrument as region


class Heard:
    def __init__(self):
        self.words = []

    def region_entered(self, name):
        self.words.append(f"+{name}")

    def region_left(self, name):
        self.words.append(f"-{name}")

    def explicit_step(self):
        self.words.append("step")


@pytest.fixture
def heard():
    capture = Heard()
    instrument.activate(capture)
    yield capture
    instrument.activate(None)


def test_without_a_capture_nothing_happens():
    @region("part")
    def double(x):
        return 2 * x

    with region("part"):
        instrument.step()
    assert double(2) == 4


def test_a_name_is_needed():
    with pytest.raises(TypeError, match="name"):
        region(print)


def test_the_module_imports_no_torch():
    code = "import sys, perfkit; perfkit.instrument('a'); perfkit.step(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_functions_coroutines_and_blocks_are_regions(heard):
    @region("outer")
    def outer():
        with region("inner"):
            instrument.step()

    @region()
    async def later():
        return 3

    outer()
    assert asyncio.run(later()) == 3
    assert outer.__name__ == "outer"
    assert heard.words == ["+outer", "+inner", "step", "-inner", "-outer", "+later", "-later"]


def test_a_region_is_left_when_its_function_fails(heard):
    @region("part")
    def fails():
        raise ValueError

    with pytest.raises(ValueError):
        fails()
    assert heard.words == ["+part", "-part"]


def test_a_capture_that_begins_inside_a_region_hears_nothing_of_it():
    part = region("part")
    capture = Heard()
    with part:
        instrument.activate(capture)
    instrument.activate(None)
    assert capture.words == []
