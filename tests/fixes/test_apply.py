"""Files go through untouched, or changed in the lines that a fix names and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst
import pytest

from perfkit.base.errors import PerfkitError
from perfkit.fixes._apply import fixed
from perfkit.fixes._codemod import Change, Fix, chosen, fixes
from perfkit.fixes._tree import File

FULL = {"full_scalar": fixes()["full_scalar"]}
LINE = "x = torch.tensor(0.5, device=d)"
NEW = "x = torch.full((), 0.5, device=d)"


@pytest.mark.parametrize(
    "data",
    [
        b"import torch\nx = torch.tensor(0.5, device=d\n",
        b"import torch\nprint torch.tensor(0.5, device=d)\n",
        b"import torch\ns = '\xff'\nx = torch.tensor(0.5, device=d)\n",
        b"# coding: nonsense\nimport torch\nx = torch.tensor(0.5, device=d)\n",
        b"import torch\nx = torch.tensor(0.5, device=d)\x00\n",
    ],
    ids=["cut", "another language", "not its encoding", "no such encoding", "a zero byte"],
)
def test_a_file_that_cannot_be_read_is_left_alone_with_the_reason(data: bytes) -> None:
    outcome = fixed(data, FULL)
    assert outcome.after == data and outcome.skipped.startswith("not parsed")


def test_a_file_without_torch_is_not_even_parsed() -> None:
    assert fixed(b"x = tensor(0.5, device=", FULL).skipped == ""


def test_nothing_to_do_gives_the_very_bytes_back() -> None:
    data = b"import torch\r\nx=1 ;y = torch.tensor( [1] )\n"
    outcome = fixed(data, FULL)
    assert outcome.after == data and outcome.diff("a.py") == ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"import torch\r\n\r\n{LINE}\r\n".encode(), f"import torch\r\n\r\n{NEW}\r\n".encode()),
        (f"\ufeffimport torch\n{LINE}\n".encode(), f"\ufeffimport torch\n{NEW}\n".encode()),
        (f"import torch\n{LINE}".encode(), f"import torch\n{NEW}".encode()),
        (
            f"# coding: latin-1\nimport torch\n{LINE}  # é\n".encode("latin-1"),
            f"# coding: latin-1\nimport torch\n{NEW}  # é\n".encode("latin-1"),
        ),
        (
            f"import torch\r\ny  =  1\n{LINE}\n".encode(),
            f"import torch\r\ny  =  1\n{NEW}\n".encode(),
        ),
        (f"import torch\nif y:\n\t{LINE}\n".encode(), f"import torch\nif y:\n\t{NEW}\n".encode()),
    ],
    ids=["carriage returns", "byte order mark", "no last line end", "latin-1", "mixed", "tabs"],
)
def test_bytes_around_a_change_stay(before: bytes, after: bytes) -> None:
    outcome = fixed(before, FULL)
    assert outcome.after == after
    assert "+++ b/dir/a.py\n@@ -" in outcome.diff("dir/a.py")


def test_a_comment_keeps_a_line_as_it_is() -> None:
    source = f"import torch\n{LINE}  # perfkit: allow full_scalar set once\n{LINE}\n"
    after = fixed(source.encode(), FULL).after.decode()
    assert after == source.replace(f"\n{LINE}\n", f"\n{NEW}\n")
    other = f"import torch\n{LINE}  # perfkit: allow any_guard\n"
    assert NEW in fixed(other.encode(), FULL).after.decode()


def _broken(file: File) -> Iterator[Change]:
    for call in file.calls("tensor"):
        yield Change(call, {call: cst.Name("x +", lpar=[])})


def test_a_result_that_does_not_parse_is_backed_out() -> None:
    fix = Fix("breaks", True, ("tensor",), _broken)
    data = f"import torch\n{LINE}\n".encode()
    outcome = fixed(data, {"breaks": fix})
    assert outcome.after == data and outcome.changed == ()
    assert outcome.skipped.startswith("backed out")


def _restless(file: File) -> Iterator[Change]:
    for call in file.calls("tensor"):
        yield Change(call, {call: cst.parse_expression("tensor(1)")})


def test_a_change_that_never_settles_is_backed_out() -> None:
    data = f"import torch\n{LINE}\n".encode()
    outcome = fixed(data, {"restless": Fix("restless", True, ("tensor",), _restless)})
    assert outcome.after == data and outcome.skipped.startswith("backed out")


def test_one_fix_takes_over_from_another() -> None:
    source = (
        "import torch\n\n\ndef f(x: torch.Tensor, y: torch.Tensor):\n    m = x > y\n"
        "    if torch.any(m):\n        x[m] = y[m]\n        x[m] = 0\n"
    )
    after = fixed(source.encode(), fixes()).after.decode()
    assert after.endswith("    x.copy_(torch.where(m, y, x))\n    x.masked_fill_(m, 0)\n")


def test_imports_come_after_the_absolute_ones_and_once() -> None:
    moe = fixes()["expert_loop"]
    example = moe.examples[0]
    source = example.before.replace("Tensor, nn\n", "Tensor, nn\nfrom .a import b\n")
    after = fixed(source.encode(), {"expert_loop": moe}, unsafe=True).after.decode()
    assert (
        "nn\nfrom perfkit.rewrites.moe_dispatch import moe_dispatch, stack_experts\nfrom .a"
        in after
    )
    twice = source + source[source.index("class Mixture") :].replace("Mixture", "Second")
    after = fixed(twice.encode(), {"expert_loop": moe}, unsafe=True).after.decode()
    assert after.count("import moe_dispatch") == 1 and after.count("= moe_dispatch(") == 2


def test_fixes_are_chosen_by_name() -> None:
    assert list(chosen(["any_guard", "full_scalar"], ["full_scalar"])) == ["any_guard"]
    assert chosen([], []).keys() == fixes().keys()
    with pytest.raises(PerfkitError, match="no fix 'any'"):
        chosen([], ["any"])
