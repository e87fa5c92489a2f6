"""A newcomer's walk: install, profile, open the page, TensorBoard and a notebook, apply the fix, compare.

    python -m scripts.walk FOLDER [--fresh] [--small]

Everything is typed as a newcomer would, in FOLDER, and each step leaves a picture there; look at them.
`--fresh` installs into a virtual environment of its own, otherwise the one that runs this is used;
`--small` takes a smaller program.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts._browser import browser, opened, picture

ROOT = Path(__file__).resolve().parents[1]
FILES = ("__init__", "__main__", "config", "data", "inference", "metrics", "model")
ARGUMENTS = {False: "--batches 14", True: "--batches 14 --users 2"}
_TERMINAL = """<!doctype html><meta charset="utf-8"><title>terminal</title>
<style>body {{ background: #1b1d21; color: #e7e8ea; margin: 1.2rem; }}
pre {{ font: 14px/1.45 "DejaVu Sans Mono", monospace; white-space: pre-wrap; }}
b {{ color: #8fb0ff; font-weight: 600; }}</style><pre>{}</pre>"""
_NOTEBOOK = (
    "%load_ext perfkit\nimport torch",
    "%%perfkit --repeat 30\n"
    'x = torch.randn(512, 64, device="cuda")\n'
    "for row in x[:16]:\n"
    "    if row.max().item() > 3:\n"
    "        row.clamp_(max=3)\n"
    "kept = x[x > 2]",
)


@dataclass
class Walk:
    """Where the walk goes, the browser that takes its pictures, and what has been typed so far."""

    folder: Path
    chromium: Any
    binaries: Path
    arguments: str
    pictures: int = 0

    def type(self, *commands: str, codes: Sequence[int] = (0,)) -> str:
        """Type commands one after the other; their output, which becomes the step's picture.

        Raises:
            SystemExit: one of them ended otherwise than expected.
        """
        shown, said = [], ""
        for command in commands:
            done = subprocess.run(
                shlex.split(command),
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if done.returncode not in codes:
                raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stdout}")
            shown.append(f"<b>$ {html.escape(command)}</b>\n{html.escape(done.stdout)}")
            said += done.stdout
        self._terminal("\n".join(shown))
        return said

    def look(
        self, address: str, does: Callable[[Any], None] | None = None, height: int = 900
    ) -> None:
        """Open a page, do something there, and take its picture."""
        page = opened(self.chromium, address, 1280, height)
        if does is not None:
            does(page)
        self._picture(page)
        page.close()

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.binaries}{os.pathsep}{os.environ.get('PATH', '')}"
        return {**os.environ, "PATH": path, "COLUMNS": "100", "NO_COLOR": "1"}

    def newest(self, pattern: str) -> Path:
        """The file or folder that was made last."""
        return max(self.folder.glob(pattern), key=lambda path: path.stat().st_mtime)

    def _terminal(self, text: str) -> None:
        page = self.chromium.new_page(viewport={"width": 1000, "height": 300})
        page.set_content(_TERMINAL.format(text))
        self._picture(page, whole=True)
        page.close()

    def _picture(self, page: Any, whole: bool = False) -> None:
        self.pictures += 1
        picture(page, self.folder / "pictures" / f"{self.pictures:02d}.png", whole)


def lay_out(folder: Path) -> None:
    """The CTR program as files of the newcomer's own."""
    (folder / "ctr").mkdir(parents=True)
    for name in FILES:
        shutil.copy(ROOT / "perfkit/workloads/ctr" / f"{name}.py", folder / "ctr")


def install(walk: Walk) -> None:
    """Into an environment of its own, from a copy: pip builds where the source is."""
    source = walk.folder / "source"
    shutil.copytree(ROOT / "perfkit", source / "perfkit")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "constraints.txt"):
        shutil.copy(ROOT / name, source)
    walk.type(
        f"{ROOT}/scripts/venv {walk.binaries.parent}",
        "pip install --quiet --constraint source/constraints.txt ./source",
        "pip install --quiet nbconvert ipykernel",
    )


def doctor(walk: Walk) -> None:
    """What is there, and what can be observed."""
    walk.type("perfkit --version", "perfkit doctor")


def profile(walk: Walk) -> str:
    """The program as found, unmodified; the command of the fix that the verdict names."""
    said = walk.type(f"perfkit profile -m ctr {walk.arguments}")
    fix = re.search(r"perfkit fix --write \S.*", said)
    if fix is None:
        raise SystemExit(f"the verdict names no command that fixes something:\n{said}")
    return fix[0].strip()


def read_the_page(walk: Walk) -> None:
    """Its first screen, and the first finding behind its link."""
    address = walk.newest("reports/*.html").as_uri()
    walk.look(address)
    walk.look(address, lambda page: page.locator("#verdict td a").first.click())


def tensorboard(walk: Walk) -> None:
    """The run in TensorBoard."""
    with _served(walk) as address:
        walk.look(address, lambda page: page.wait_for_timeout(6_000))


def notebook(walk: Walk) -> None:
    """A cell measured in a notebook, as it looks when it has run."""
    cells = [
        {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": text,
        }
        for text in _NOTEBOOK
    ]
    empty = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    (walk.folder / "walk.ipynb").write_text(json.dumps(empty), encoding="utf-8")
    command = "nbconvert --to html --execute --log-level ERROR walk.ipynb"
    done = subprocess.run(
        [walk.binaries / "python", "-m", *command.split()],
        cwd=walk.folder,
        env=walk.environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stderr}")
    walk.look((walk.folder / "walk.html").as_uri())


def fix(walk: Walk, command: str) -> None:
    """The command that the verdict named: first as a diff, then written."""
    walk.type(command.replace(" --write", ""), command)


def compare(walk: Walk) -> None:
    """The program once more, beside the first run."""
    before = walk.newest("profiles/ctr-*").name
    walk.type(
        f"perfkit profile --quiet --out profiles/ctr-fixed -m ctr {walk.arguments}",
        f"perfkit report {before} ctr-fixed",
    )
    walk.look(walk.newest("reports/*.html").as_uri())


def whole(walk: Walk, fresh: bool) -> None:
    """Every step in order."""
    if fresh:
        install(walk)
    doctor(walk)
    command = profile(walk)
    read_the_page(walk)
    tensorboard(walk)
    notebook(walk)
    fix(walk, command)
    compare(walk)


@contextmanager
def _served(walk: Walk) -> Iterator[str]:
    """The address that `perfkit view` prints; it is ended as Ctrl-C does."""
    command = ["perfkit", "view", "profiles", "--no-open"]
    process = subprocess.Popen(
        command, cwd=walk.folder, env=walk.environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        if found is None:
            raise SystemExit(f"perfkit view named no address: {line}")
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args(given)
    folder = options.folder.resolve()
    lay_out(folder)
    binaries = folder / ".venv" / "bin" if options.fresh else Path(sys.executable).parent
    with browser() as chromium:
        walk = Walk(folder, chromium, binaries, ARGUMENTS[options.small])
        whole(walk, options.fresh)
    print(f"{walk.pictures} pictures in {folder / 'pictures'}")


if __name__ == "__main__":
    main()
