"""`# perfkit: allow PK101 reason`: on the line, or alone on the line above."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ALLOW = re.compile(r"#\s*perfkit:\s*allow\b[:\s]*((?:[A-Z]{2}\d{3}[,\s]*)*)(.*)$")
_CODE = re.compile(r"[A-Z]{2}\d{3}")


@dataclass(frozen=True)
class Allow:
    """One comment: its line, the codes it names (none for any), the lines it covers, its reason."""

    line: int
    column: int
    codes: frozenset[str]
    covers: int
    reason: str

    def covers_finding(self, code: str, first: int, last: int) -> bool:
        """Does it speak of a finding whose expression spans these lines?"""
        return first <= self.covers <= last and (not self.codes or code in self.codes)


def allows(text: str) -> list[Allow]:
    """Every such comment of a file; a cheap search first, because most files have none."""
    if "perfkit" not in text:
        return []
    found = []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        match = _ALLOW.search(line) if "perfkit" in line else None
        if match is None:
            continue
        alone = not line[: match.start()].strip()
        covers = _next_code(lines, number) if alone else number
        codes = frozenset(_CODE.findall(match.group(1)))
        found.append(Allow(number, match.start() + 1, codes, covers, match.group(2).strip(" -:")))
    return found


def _next_code(lines: list[str], number: int) -> int:
    """The next line that is no comment and not blank."""
    for later in range(number, len(lines)):
        stripped = lines[later].strip()
        if stripped and not stripped.startswith("#"):
            return later + 1
    return number
