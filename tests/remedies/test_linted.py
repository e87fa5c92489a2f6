from __future__ import annotations

from pathlib import Path

import pytest

from perfkit.lint._run import lint_file
from perfkit.lint._settings import Settings
from perfkit.remedies.linted import with_fixes

HEAD = "import torch\nfrom torch import Tensor\n\n\ndef forward(x: Tensor, d):\n"


def _advice(folder: Path, body: str, code: str) -> str:
    path = folder / "my model.py"
    path.write_text(HEAD + body)
    result = with_fixes(lint_file(path, Settings(everything=True)))
    (found,) = [one for one in result.findings if one.code == code]
    return found.fix


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("    return x.nonzero()\n", "PK121"),  # nobody knows how many
        ("    if (x > 3).any():\n        log(x)\n", "PK102"),  # more than a write
        ("    return torch.unique(x)\n", "PK125"),  # no fix answers it
    ],
)
def test_no_command_that_would_do_nothing(tmp_path: Path, body: str, code: str) -> None:
    assert "perfkit fix" not in _advice(tmp_path, body, code)


def test_the_command_names_fix_and_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    body = "    bad = torch.isnan(x)\n    if bad.any():\n        x[bad] = 0\n    return x\n"
    file = f"{tmp_path.as_posix()}/my model.py"
    assert _advice(tmp_path, body, "PK102").endswith(f"; perfkit fix --select any_guard '{file}:7'")
