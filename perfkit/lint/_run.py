"""From a text to findings, and from paths to results. Nothing here prints."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from perfkit.analysis.advice import fitting
from perfkit.analysis.ready_rewrites import ready_rewrite
from perfkit.analysis.source import Source
from perfkit.catalogue import _index
from perfkit.lint._allow import Allow, allows
from perfkit.lint._files import Unreadable, files, text_of
from perfkit.lint._finding import Finding
from perfkit.lint._flow import Flow
from perfkit.lint._hooks import checks, hooks
from perfkit.lint._settings import Settings
from perfkit.lint._site import Found, Site
from perfkit.lint._unit import unit_of

UNREADABLE = "PK900"
UNREASONED = "PK901"
_CONFIDENCE = {1: "possible", 2: "likely", 3: "certain"}
_CODE_CHARACTERS = 60
_WORDS = ("torch", "lightning", ".cpu()", ".cuda()")


@dataclass(frozen=True)
class Result:
    """One file: what was found, how many comments allowed something, how many lines were read."""

    path: str
    findings: tuple[Finding, ...]
    allowed: int
    lines: int


def lint_text(text: str, path: str, settings: Settings | None = None) -> Result:
    """Findings of one Python text.

    A text that does not parse gives one finding of level "error"; one that never names torch gives
    none.
    """
    settings = settings or Settings()
    lines = text.count("\n") + 1
    if not any(word in text for word in _WORDS):
        return Result(path, (), 0, lines)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the file's own unescaped strings
            tree = ast.parse(text)
    except SyntaxError as error:
        reason = Unreadable(error.lineno or 1, error.offset or 1, f"does not parse: {error.msg}")
        return Result(path, (unreadable(path, reason),), 0, lines)
    except (ValueError, RecursionError, MemoryError) as error:
        return Result(
            path, (unreadable(path, Unreadable(1, 1, f"does not parse: {error}")),), 0, lines
        )
    found = _Findings(path, text, settings)
    chosen = settings.chosen([m.CODE for m in checks().values()])
    flow = Flow(unit_of(tree), hooks(chosen), found.report, frozenset(settings.hot), found.facts())
    try:
        flow.read()
    except RecursionError:
        reason = Unreadable(1, 1, "nests too deeply to be read to the end")
        found.all.append(unreadable(path, reason))
    return found.result(lines)


def lint_paths(paths: Sequence[Path], settings: Settings) -> Iterator[Result]:
    """Results of every file under the paths, one by one."""
    for file in files(paths, settings.exclude):
        yield lint_file(file, settings)


def lint_file(file: Path, settings: Settings) -> Result:
    """The result of one file."""
    text, path = text_of(file), file.as_posix()
    if isinstance(text, Unreadable):
        return Result(path, (unreadable(path, text),), 0, 0)
    return lint_text(text, path, settings)


def unreadable(path: str, reason: Unreadable) -> Finding:
    """A file that could not be read, as a finding."""
    return Finding(
        path=path,
        line=reason.line,
        column=max(1, reason.column),
        end_line=reason.line,
        end_column=max(1, reason.column) + 1,
        code=UNREADABLE,
        check="unreadable",
        message=f"this file {reason.reason}",
        fix="mend it, or exclude it",
        kind=None,
        function="",
        loop=None,
        confidence="certain",
        level="error",
    )


@cache
def fix_of(check: Any) -> str:
    """The one-line advice of a check: its own, or that of its kind's page."""
    own = getattr(check, "FIX", None)
    return str(own) if own else _index.page(check.KIND).fix


class _Findings:
    """Collects what the checks answer for one file."""

    def __init__(self, path: str, text: str, settings: Settings) -> None:
        self.all: list[Finding] = []
        self._path = path
        self._lines = text.split("\n")
        self._settings = settings
        self._allows = allows(text)
        self._seen: set[tuple[str, int, int]] = set()
        self._copies = ".to(" in text or ".cuda(" in text
        self._only_torch = "import numpy" not in text and "import pandas" not in text
        self._device = self._copies or "cuda" in text

    def report(self, check: Any, site: Site, found: Found) -> None:
        """Make a finding of an answer, unless it was made before or asks for more than is known."""
        node: Any = found.node or site.node
        key = (check.CODE, node.lineno, node.col_offset)
        place = site.place
        if key in self._seen or (place.host and found.sure < 3 and check.KIND is not None):
            return
        self._seen.add(key)
        quiet = place.setup and not getattr(check, "ANYWHERE", False)
        code = self._code(node)
        loop = node.lineno if isinstance(site.node, (ast.For, ast.AsyncFor)) else place.loop
        header = self._lines[loop - 1].strip() if loop else ""
        statement = self._lines[node.lineno - 1].strip()
        source = Source(statement, place.function, (), loop, header)
        kind = check.KIND
        self.all.append(
            Finding(
                path=self._path,
                line=node.lineno,
                column=self._column(node.lineno, node.col_offset),
                end_line=node.end_lineno,
                end_column=self._column(node.end_lineno, node.end_col_offset),
                code=check.CODE,
                check=check.__name__.rpartition(".")[2],
                message=found.what.replace("{code}", code),
                fix=found.fix or (kind and fitting(kind, source)) or fix_of(check),
                kind=kind,
                function=place.function,
                loop=place.loop,
                confidence=_CONFIDENCE[min(3, max(1, found.sure))],
                level="note" if quiet or found.sure < 2 else "warning",
                rewrite=ready_rewrite(kind, source) if kind else _loop_rewrite(source, header),
            )
        )

    def facts(self) -> dict[str, object]:
        """What is known of the whole file."""
        return {"copies": self._copies, "device": self._device, "only_torch": self._only_torch}

    def result(self, lines: int) -> Result:
        """The findings that are asked for and not allowed, in order."""
        shown, allowed = [], 0
        for finding in sorted(set(self.all)):
            if finding.level == "note" and not self._settings.everything:
                continue
            spoken = [
                a
                for a in self._allows
                if a.covers_finding(finding.code, finding.line, finding.end_line)
            ]
            if spoken:
                allowed += 1
            else:
                shown.append(finding)
        shown += [self._unreasoned(allow) for allow in self._allows if not allow.reason]
        return Result(self._path, tuple(sorted(shown)), allowed, lines)

    def _unreasoned(self, allow: Allow) -> Finding:
        blank = unreadable(self._path, Unreadable(allow.line, allow.column, ""))
        return replace(
            blank,
            end_column=len(self._lines[allow.line - 1]) + 1,
            code=UNREASONED,
            check="allow-without-reason",
            message="this comment allows something and does not say why",
            fix="write the reason behind the code: # perfkit: allow PK101 read once per epoch",
            level="warning",
        )

    def _code(self, node: Any) -> str:
        """The source of an expression on one line, shortened."""
        first = self._lines[node.lineno - 1]
        if node.end_lineno == node.lineno:
            text = _cut(first, node.col_offset, node.end_col_offset)
        else:
            text = _cut(first, node.col_offset, None) + " …"
        return text if len(text) <= _CODE_CHARACTERS else text[:_CODE_CHARACTERS].rstrip() + " …"

    def _column(self, line: int, offset: int) -> int:
        """A column in characters from one in bytes of UTF-8."""
        text = self._lines[line - 1]
        return 1 + (
            offset if text.isascii() else len(text.encode()[:offset].decode(errors="ignore"))
        )


def _cut(line: str, start: int, end: int | None) -> str:
    if line.isascii():
        return line[start:end].strip()
    return line.encode()[start:end].decode(errors="ignore").strip()


def _loop_rewrite(source: Source, header: str) -> str | None:
    """The rewrite that fits a loop of small work."""
    return ready_rewrite("nonzero", source) if header else None


def summary(results: Iterable[Result]) -> tuple[int, int, int, int]:
    """(findings, files with findings, files, lines)."""
    found = touched = count = lines = 0
    for result in results:
        found += len(result.findings)
        touched += bool(result.findings)
        count += 1
        lines += result.lines
    return found, touched, count, lines
