"""From texts and paths to findings: places, comments, encodings, notebooks, broken files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perfkit.base.errors import PerfkitError
from perfkit.lint._run import lint_paths, lint_text
from perfkit.lint._settings import Settings, settings_for

READ = "import torch\n\n\ndef f(x: torch.Tensor):\n    return x.sum().item(){}\n"


def codes(text: str) -> list[str]:
    return [finding.code for finding in lint_text(text, "f.py").findings]


def lint(folder: Path, **settings: object) -> dict[str, list[str]]:
    results = lint_paths([folder], Settings(**settings))  # type: ignore[arg-type]
    return {Path(r.path).name: [f.code for f in r.findings] for r in results}


def test_a_finding_knows_its_place_its_function_and_what_to_do():
    head = "import torch\n\n\ndef f(xs: list[torch.Tensor]):\n    total = 0.0\n    for x in xs:\n"
    text = head + "        é = 1; total += x.item()\n"
    (one,) = lint_text(text, "f.py").findings
    assert (one.line, one.column, one.end_line, one.end_column) == (7, 25, 7, 33)
    assert (one.function, one.loop, one.kind, one.check) == ("f", 6, "item", "item_call")
    assert "`x.item()`" in one.message
    assert one.fix.startswith("accumulate on the device")
    assert one.rewrite == "device_metrics"
    assert (one.confidence, one.level) == ("likely", "warning")


def test_allowed_on_the_line_and_on_the_line_above():
    assert codes(READ.format("")) == ["PK101"]
    assert codes(READ.format("  # perfkit: allow PK101 read once per epoch")) == []
    above = "    # perfkit: allow PK101 read once per epoch\n    # and more\n    return"
    assert codes(READ.format("").replace("    return", above)) == []
    assert codes(READ.format("  # perfkit: allow PK102 something else")) == ["PK101"]
    assert codes(READ.format("  # perfkit: allow any reason covers every code")) == []


def test_an_allow_without_a_reason_is_told():
    assert codes(READ.format("  # perfkit: allow PK101")) == ["PK901"]


def test_allowed_findings_are_counted():
    assert lint_text(READ.format("  # perfkit: allow PK101 meant"), "f.py").allowed == 1


def test_a_file_that_does_not_parse_is_told_and_the_others_go_on(tmp_path):
    (tmp_path / "a.py").write_text("import torch\ndef f(:\n")
    (tmp_path / "b.py").write_text(READ.format(""))
    assert lint(tmp_path) == {"a.py": ["PK900"], "b.py": ["PK101"]}


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\x00",
        b"# coding: nonsense\nimport torch\n",
        b"import torch\n\xe9 = 1\n",
        b"import torch\n\x00",
    ],
)
def test_bytes_that_are_no_python_are_told(tmp_path, data):
    (tmp_path / "a.py").write_bytes(data)
    assert lint(tmp_path) == {"a.py": ["PK900"]}


def test_encodings_and_line_ends_are_those_of_the_file(tmp_path):
    latin = "# coding: latin-1\n# é\n" + READ.format("")
    (tmp_path / "a.py").write_bytes(latin.encode("latin-1"))
    (tmp_path / "b.py").write_bytes(
        b"\xef\xbb\xbf" + READ.format("").replace("\n", "\r\n").encode()
    )
    assert lint(tmp_path) == {"a.py": ["PK101"], "b.py": ["PK101"]}


def test_a_notebook_is_read_cell_by_cell(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["import torch {"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "import torch\n", "!ls"]},
        {"cell_type": "code", "source": "%%bash\nls {"},
        {
            "cell_type": "code",
            "source": "for n in range(3):\n    torch.ones(3, device='cuda').sum().item()",
        },
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / "b.ipynb").write_text("{}")
    assert lint(tmp_path) == {"a.ipynb": ["PK101"], "b.ipynb": ["PK900"]}


def test_folders_that_are_not_ours_are_left_out(tmp_path):
    for name in (".venv", "build", "mine", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.py").write_text(READ.format(""))
    assert lint(tmp_path, exclude=("oth*",)) == {"mine.py": ["PK101"]}


def test_select_and_ignore_take_beginnings_of_codes():
    text = READ.format("")
    assert lint_text(text, "f.py", Settings(select=("PK2",))).findings == ()
    assert lint_text(text, "f.py", Settings(ignore=("PK10",))).findings == ()
    with pytest.raises(PerfkitError, match="PK7"):
        lint_text(text, "f.py", Settings(select=("PK7",)))


def test_settings_of_the_nearest_folder_count(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "setup.cfg").write_text(
        "[perfkit:lint]\nignore = PK101, PK102\nhot =\n    advance\n"
    )
    assert settings_for(inner) == Settings(ignore=("PK101", "PK102"), hot=("advance",))


def test_settings_in_pyproject(tmp_path):
    pytest.importorskip("tomllib", reason="TOML can be read from Python 3.11 on")
    (tmp_path / "pyproject.toml").write_text('[tool.perfkit.lint]\nselect = ["PK1"]\n')
    assert settings_for(tmp_path) == Settings(select=("PK1",))


@pytest.mark.parametrize("line", ["colour = yes", "everything = 1"])
def test_a_setting_that_does_not_exist_is_a_mistake(tmp_path, line):
    (tmp_path / "setup.cfg").write_text(f"[perfkit:lint]\n{line}\n")
    with pytest.raises(PerfkitError, match="has no setting"):
        settings_for(tmp_path)
