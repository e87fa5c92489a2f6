"""What a fix declares, and what it answers about a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from perfkit.base import plugins
from perfkit.base.errors import PerfkitError

if TYPE_CHECKING:
    from perfkit.fixes._tree import File

ROOM = "perfkit.fixes"
Replacement = Mapping[cst.CSTNode, "cst.CSTNode | Sequence[cst.CSTNode]"]


@dataclass(frozen=True)
class Change:
    """One edit: nodes of the file and what stands in their place.

    Attributes:
        at: the node whose line is named.
        replace: new nodes by old node; a sequence of statements for one statement.
        safe: the pattern itself proves that the program computes the same.
        imports: statements that the new code needs at the top of the file.
        note: what to check, where the change is not safe.
        mends: other nodes whose waits this ends, where they are not below `at`.
    """

    at: cst.CSTNode
    replace: Replacement
    safe: bool = True
    imports: tuple[str, ...] = ()
    note: str = ""
    mends: tuple[cst.CSTNode, ...] = ()


@dataclass(frozen=True)
class Advice:
    """A place where the call cannot be filled in: what to write, to be adapted by hand.

    Where it is nothing `to_write`, the text says why nothing was filled in.
    """

    at: cst.CSTNode
    text: str
    to_write: bool = True


Find = Callable[["File"], "Iterator[Change | Advice]"]


@dataclass(frozen=True)
class Example:
    """A program before and after; `before` alone where nothing may change, with the reason.

    `run` calls for a check that both compute the same: an expression over the example's names.
    """

    name: str
    before: str
    after: str = ""
    safe: bool = True
    run: str = ""


@dataclass(frozen=True)
class Fix:
    """A codemod.

    Attributes:
        title: one line, imperative.
        safe: whether any of its changes is safe.
        words: the file is looked at only where one of these occurs in it.
        signs: regular expressions (`^` begins a line). Where the text alone must show the pattern, the
            file is parsed only where each of them matches: parsing takes a thousand times as long.
            With a run, `words` are enough.
        find: the changes a file needs now.
        answers: kinds of synchronisation, rules and codes of `perfkit lint` that it may settle, as
            literals: `_answers` reads them from the source.
        silent: programs that must stay as they are; the name says why.
        examples: before and after.
    """

    title: str
    safe: bool
    words: tuple[str, ...]
    find: Find
    signs: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    silent: tuple[Example, ...] = field(default=())
    examples: tuple[Example, ...] = field(default=())


def fixes() -> dict[str, Fix]:
    """Every fix by name."""
    return {name: module.FIX for name, module in plugins.modules(ROOM).items()}


def chosen(select: Sequence[str], ignore: Sequence[str]) -> dict[str, Fix]:
    """The fixes to apply.

    Args:
        select: names; empty for all.
        ignore: names to leave out.

    Raises:
        PerfkitError: there is no fix of that name.
    """
    known = plugins.names(ROOM)
    for name in (*select, *ignore):
        if name not in known:
            raise PerfkitError(f"there is no fix {name!r}", f"there are: {', '.join(known)}")
    names = [name for name in select or known if name not in ignore]
    return {name: plugins.module(ROOM, name).FIX for name in dict.fromkeys(names)}
