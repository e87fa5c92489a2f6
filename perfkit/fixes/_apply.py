"""From a text to a fixed text: changes are made in rounds until none is left, and must parse."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import libcst as cst

from perfkit.fixes._codemod import Advice, Change, Fix, Replacement
from perfkit.fixes._places import Places
from perfkit.fixes._tree import File
from perfkit.model.costs import OpCost

_ROUNDS = 50
_ALLOW = re.compile(r"#\s*perfkit:\s*allow\s+(.*)")


@dataclass(frozen=True)
class Note:
    """One line for the user: what was changed, or what to write by hand.

    `spans` are the lines it speaks for, first and last, in the text as it was given.
    """

    line: int
    fix: str
    text: str
    safe: bool = True
    spans: tuple[tuple[int, int], ...] = ()
    to_write: bool = True


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes:
        before, after: the bytes; the same where nothing changed.
        changed: what was done; lines are those of the text as it was when its turn came.
        held: unsafe changes that were not asked for.
        advice: calls to write by hand.
        skipped: why the file was left alone; empty where it was not.
    """

    before: bytes
    after: bytes
    encoding: str = "utf-8"
    changed: tuple[Note, ...] = ()
    held: tuple[Note, ...] = ()
    advice: tuple[Note, ...] = ()
    skipped: str = ""

    def diff(self, name: str) -> str:
        """A unified diff that `patch` and `git apply` take; empty where nothing changed."""
        old, new = (data.decode(self.encoding) for data in (self.before, self.after))
        pieces = (_lines(old), _lines(new))
        rows = difflib.unified_diff(*pieces, fromfile=f"a/{name}", tofile=f"b/{name}")
        ended = (r if r.endswith("\n") else f"{r}\n\\ No newline at end of file\n" for r in rows)
        return "".join(ended)


@dataclass
class _Work:
    """Notes collected over the rounds."""

    changed: list[Note] = field(default_factory=list)
    held: dict[tuple[str, str], Note] = field(default_factory=dict)
    advice: dict[tuple[str, str], Note] = field(default_factory=dict)

    def told(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.changed or self.held or self.advice)


def fixed(
    data: bytes,
    fixes: Mapping[str, Fix],
    *,
    unsafe: bool = False,
    at: Sequence[int] = (),
    seen: Mapping[int, Sequence[OpCost]] | None = None,
) -> Outcome:
    """Apply fixes to the bytes of one file.

    Args:
        at: lines, from 1; only what speaks for one of them is changed or told. Empty for all.
        seen: what a run of this very text saw, by line.

    A file that cannot be parsed, or not be given back byte for byte, is left alone with the reason; so
    is one whose result does not parse.
    """
    wanted = fit_to_look(data, fixes, ran=bool(seen))
    if not wanted:
        return Outcome(data, data)
    try:
        ast.parse(data)
        module = cst.parse_module(data)
    except (SyntaxError, ValueError, RecursionError, LookupError, cst.ParserSyntaxError) as error:
        return Outcome(data, data, skipped=f"not parsed: {_first_line(error)}")
    work = _Work()
    try:
        text = data.decode(module.encoding)
        result = _in_rounds(module, wanted, unsafe, work, Places(text, at, seen))
        if not work.told():
            return Outcome(data, data)
        if module.bytes != data:
            return Outcome(data, data, skipped="line ends that are neither kept nor counted alike")
        after = result.bytes
        ast.parse(after)
        cst.parse_module(after)
    except (SyntaxError, ValueError, RecursionError, cst.ParserSyntaxError) as error:
        return Outcome(data, data, skipped=f"backed out, the result is wrong: {_first_line(error)}")
    encoding = module.encoding.replace("utf-8-sig", "utf-8")  # a mark in front is shown as it is
    held, advice = tuple(work.held.values()), tuple(work.advice.values())
    return Outcome(data, after, encoding, tuple(work.changed), held, advice)


@dataclass(frozen=True)
class Candidate:
    """What a fix says of a file as it is, unapplied.

    `span` holds the first and last line it speaks for; `ready` is False where it is only advice.
    """

    fix: str
    span: tuple[int, int]
    safe: bool
    ready: bool


def candidates(
    data: bytes,
    fixes: Mapping[str, Fix],
    seen: Mapping[int, Sequence[OpCost]] | None = None,
) -> list[Candidate] | None:
    """What fixes would speak of in the text as it is; None where it does not parse.

    One look at the whole file, where `fixed` at each of many lines would take as many.
    """
    wanted = fit_to_look(data, fixes, ran=bool(seen))
    if not wanted:
        return []
    try:
        module = cst.parse_module(data)
        file = File(module, data.decode(module.encoding))
    except (SyntaxError, ValueError, RecursionError, LookupError, cst.ParserSyntaxError):
        return None
    file.seen = Places(file.text, (), seen).seen
    return [
        Candidate(name, span, isinstance(found, Change) and found.safe, isinstance(found, Change))
        for name, fix in wanted.items()
        for found in fix.find(file)
        if not _allowed(file, found.at, name)
        for span in _spans(file, found)
    ]


def fit_to_look(data: bytes, fixes: Mapping[str, Fix], *, ran: bool = False) -> dict[str, Fix]:
    """The fixes whose words and signs occur in a file; none where it does not name torch.

    Args:
        ran: a run is known, so that the text need not show the whole pattern.
    """
    if b"torch" not in data:
        return {}
    return {name: fix for name, fix in fixes.items() if _mentions(data, fix, ran)}


def _in_rounds(
    module: cst.Module, fixes: Mapping[str, Fix], unsafe: bool, work: _Work, places: Places
) -> cst.Module:
    """One change at a time per region: those that overlap wait for the next round."""
    text: str | None = places.text
    for _ in range(_ROUNDS):
        file = File(module, text)
        text = None  # another one in the next round
        places.follow(file.text)
        file.seen = places.seen
        work.held.clear()
        work.advice.clear()
        taken = _taken(file, fixes, unsafe, work, places)
        if not taken:
            return module
        replacement: dict[cst.CSTNode, cst.CSTNode | Sequence[cst.CSTNode]] = {}
        for name, change in taken:
            replacement.update(change.replace)
            work.changed.append(_note(file, name, change, places))
        changed = module.visit(_Replacer(replacement))
        assert isinstance(changed, cst.Module)
        imports = [line for _, change in taken for line in change.imports]
        # parsed anew, so that every node is itself once and only once
        module = cst.parse_module(_with_imports(changed, imports).bytes)
    raise ValueError(f"still changing after {_ROUNDS} rounds")


def _taken(
    file: File, fixes: Mapping[str, Fix], unsafe: bool, work: _Work, places: Places
) -> list[tuple[str, Change]]:
    taken: list[tuple[str, Change]] = []
    touched: set[cst.CSTNode] = set()
    for name, fix in fixes.items():
        for found in fix.find(file):
            if _allowed(file, found.at, name) or not places.wants(_spans(file, found)):
                continue
            key = (name, file.code(found.at))
            if isinstance(found, Advice):
                work.advice[key] = _note(file, name, found, places)
            elif not found.safe and not unsafe:
                work.held[key] = _note(file, name, found, places)
            elif not _overlaps(file, found.replace, touched):
                touched.update(found.replace)
                taken.append((name, found))
    return taken


def _note(file: File, name: str, found: Change | Advice, places: Places) -> Note:
    spans = places.given(_spans(file, found))
    line = file.line(found.at)
    if isinstance(found, Advice):
        return Note(line, name, found.text, False, spans, to_write=found.to_write)
    return Note(line, name, found.note, found.safe, spans)


def _spans(file: File, found: Change | Advice) -> list[tuple[int, int]]:
    mends = found.mends if isinstance(found, Change) else ()
    return [file.span(node) for node in (found.at, *mends)]


def _overlaps(file: File, new: Replacement, touched: set[cst.CSTNode]) -> bool:
    below = any(node in touched or touched & set(file.above(node)) for node in new)
    return below or any(parent in new for node in touched for parent in file.above(node))


def _allowed(file: File, node: cst.CSTNode, name: str) -> bool:
    """A comment on the line keeps a fix away: `# perfkit: allow NAME reason`."""
    if "perfkit:" not in file.text:
        return False
    number = file.line(node) - 1
    rows = re.split("\r\n|\n|\r", file.text)
    said = _ALLOW.search(rows[number]) if number < len(rows) else None
    return said is not None and name in re.split(r"[\s,]+", said[1])


class _Replacer(cst.CSTTransformer):
    def __init__(self, replacement: Replacement) -> None:
        super().__init__()
        self.replacement = replacement

    def on_visit(self, node: cst.CSTNode) -> bool:
        return node not in self.replacement

    def on_leave(  # type: ignore[override]
        self, original_node: cst.CSTNode, updated_node: cst.CSTNode
    ) -> cst.CSTNode | cst.FlattenSentinel[cst.CSTNode] | cst.RemovalSentinel:
        new = self.replacement.get(original_node, updated_node)
        if isinstance(new, cst.CSTNode):
            return new
        return cst.FlattenSentinel(new) if new else cst.RemoveFromParent()


def _with_imports(module: cst.Module, wanted: Sequence[str]) -> cst.Module:
    """The module with statements after its last absolute import at the margin, where it lacks them."""
    body = list(module.body)
    there = {module.code_for_node(s).strip() for s in body if _imports(s)}
    new = [line for line in dict.fromkeys(wanted) if line not in there]
    if not new:
        return module
    at = [n for n, s in enumerate(body) if _imports(s) and not _relative(s)]
    last = max(at, default=_docstring(module) - 1)
    fresh = [s for line in new for s in cst.parse_module(line + "\n").body]
    return module.with_changes(body=[*body[: last + 1], *fresh, *body[last + 1 :]])


def _imports(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(
        statement.body[0], (cst.Import, cst.ImportFrom)
    )


def _relative(statement: cst.BaseStatement | cst.SimpleStatementLine) -> bool:
    first = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    return isinstance(first, cst.ImportFrom) and bool(first.relative)


def _docstring(module: cst.Module) -> int:
    return 0 if module.get_docstring() is None else 1


def _mentions(data: bytes, fix: Fix, ran: bool) -> bool:
    if not any(word.encode() in data for word in fix.words):
        return False
    return ran or all(re.search(sign.encode(), data, re.MULTILINE) for sign in fix.signs)


def _lines(text: str) -> list[str]:
    """Lines as a diff counts them: at line feeds only, carriage returns stay."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
