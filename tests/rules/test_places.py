"""Advice by place: the loop of the steps is none to be rewritten, and what is made here is not prefetched."""

from __future__ import annotations

from perfkit.analysis.sync_points import sync_points
from perfkit.model.syncs import Sync
from perfkit.rules import _places
from tests.draw import copy, draw, item
from tests.seeded import at, seeded

FILE = seeded(
    "/home/ada/places.py",
    """
    def evaluate(loader):
        for batch in loader:
            kept = out[mask]
            for row in rows:
                chosen = out[row][mask]

    def draft(logits):
        while len(tokens) < 4:
            tokens.append(logits.argmax().item())
        for row in rows:
            losses.append(row.item())

    def widen(x):
        y = x.to(device)
        return torch.tensor([1, 2], device=device)
    """,
)


def _advice(sync: Sync) -> tuple[str, str | None]:
    points = list(sync_points(draw("step  d\nsync  i", i=sync, device="pretend-cuda")))
    return _places.advice(points), _places.rewrite(points)


def test_the_loop_of_the_steps_is_not_advised_away() -> None:
    def selection(line: str) -> str:
        stack = (at(FILE, line, "evaluate"),)
        sync = item(stack=stack, kind="mask_index", op="aten::index", direction="none", fix="")
        return _advice(sync)[0]

    assert "loop of line" not in selection("kept =")
    assert selection("chosen =").startswith("Do the loop of line 4 at once")


def test_what_is_made_of_numbers_is_not_to_be_prefetched() -> None:
    def rewrite(line: str) -> str | None:
        return _advice(copy(stack=(at(FILE, line, "widen"),)))[1]

    assert rewrite("return torch.tensor") is None
    assert rewrite("y = x.to") == "pinned_prefetch"


def test_what_the_loop_goes_on_from_cannot_just_be_read_at_its_end() -> None:
    def read(line: str) -> str:
        return _advice(item(stack=(at(FILE, line, "draft"),), fix=""))[0]

    assert read("tokens.append").startswith("Go on from the result on the device")
    assert read("losses.append").startswith("Accumulate on the device")
