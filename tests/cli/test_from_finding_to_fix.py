"""The commands that a page prints, given one after the other, as printed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import torch
from torch import Tensor

torch.set_num_threads(1)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)

    def forward(self, x: Tensor):
        bad = torch.isnan(x)
        if bad.any():
            x[bad] = 0
        return self.linear(x)


def main():
    net = Net().to("cuda")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(12):
        loss = net(torch.rand(3, 4, device="cuda")).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
"""
LINE = 15


def _do(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command)
    assert words[0] == "perfkit"
    words = [sys.executable, "-m", "perfkit", *words[1:]]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)


def _finding(folder: Path, run: str) -> dict[str, Any]:
    data = json.loads((folder / "profiles" / run / "diagnosis.json").read_text(encoding="utf-8"))
    found = [f for outcome in data["outcomes"] for f in outcome["findings"]]
    (one,) = [f for f in found if f["place"] and f["place"]["line"] == LINE]
    return one


@pytest.mark.slow
def test_a_page_leads_to_a_proven_fix_without_another_thought(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(PROGRAM)
    os.utime(file, (1e9, 1e9))
    command = "perfkit profile --device pretend-cuda --steps 6 --out profiles/first train.py"
    assert _do(tmp_path, command).returncode == 0
    remedy = _finding(tmp_path, "first")["remedy"]
    assert (remedy["fixes"], remedy["safe"]) == (["any_guard"], True)
    page = (tmp_path / "reports" / "first.html").read_text(encoding="utf-8")
    assert remedy["apply"][0] in page and "-        if bad.any():" in page
    capture, prove, again = remedy["verify"]
    assert _do(tmp_path, capture).returncode == 0
    proof = _do(tmp_path, prove)
    assert proof.returncode == 0 and "train.py:Net.forward on" in proof.stderr, proof.stderr
    assert proof.stdout == remedy["diff"]
    assert file.read_text() == PROGRAM
    assert _do(tmp_path, remedy["apply"][0]).returncode == 0
    assert "bad.any()" not in file.read_text()
    last = _do(tmp_path, again)
    assert last.returncode == 0 and "host-device" not in last.stderr
    # judged anew after the change: a diff of lines that did not run would be wrong
    (tmp_path / "profiles" / "first" / "diagnosis.json").unlink()
    shown = _do(tmp_path, "perfkit report --json profiles/first")
    assert "the file was changed after the run began" in shown.stdout
