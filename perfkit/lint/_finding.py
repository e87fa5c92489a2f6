"""One finding of the static half: plain data, for the printers and for whoever rewrites."""

from __future__ import annotations

from dataclasses import dataclass

LEVELS = ("note", "warning", "error")


@dataclass(frozen=True, order=True)
class Finding:
    """What a check found, and where.

    Attributes:
        path: as given by the user, with forward slashes.
        line, column: where the expression begins, from 1; columns count characters.
        end_line, end_column: where it ends; the column is the first one after it.
        code: stable, `PK101`.
        check: the check's name, the file's name in this room.
        message: one sentence about this place.
        fix: what to do about it, one phrase.
        kind: kind of the catalogue; None for what is no synchronisation.
        function: qualified name of what it stands in; "" at module level.
        loop: line of the innermost loop around it in the same function; None outside.
        confidence: "certain", "likely" or "possible".
        level: "error" (the file could not be read), "warning", or "note": runs once, or is merely possible.
        rewrite: id of a shipped rewrite to read about; None where none is recognised.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    code: str
    check: str
    message: str
    fix: str
    kind: str | None
    function: str
    loop: int | None
    confidence: str
    level: str
    rewrite: str | None = None
