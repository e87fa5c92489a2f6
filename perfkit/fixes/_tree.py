"""A file as a syntax tree with parents, scopes and imports; all facts about names come from here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, cached_property

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from perfkit.model.costs import OpCost

Block = cst.Module | cst.IndentedBlock


@dataclass(frozen=True)
class Binding:
    """One way by which a name gets its value.

    Attributes:
        how: "assign", "param", "aug", "for" or "other".
        node: the statement, parameter or target.
        value: assigned expression, annotation of a parameter, or what a loop goes through.
    """

    how: str
    node: cst.CSTNode
    value: cst.BaseExpression | None = None


@dataclass
class Scope:
    """A function or the file's top level.

    `names`: every occurrence of a name in it, nested functions included.
    """

    node: cst.CSTNode
    parent: Scope | None = None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    names: dict[str, list[cst.Name]] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)


class File:
    """A parsed file. Edits never happen here: fixes return changes.

    Args:
        text: of the module, where it is known: libcst takes as long to write as to read.

    Attributes:
        seen: what a run saw at spans of this text.
    """

    def __init__(self, module: cst.Module, text: str | None = None) -> None:
        self.module = module
        self.text = module.code if text is None else text
        self.parents: dict[cst.CSTNode, cst.CSTNode] = {}
        self.scope_of_node: dict[cst.CSTNode, Scope] = {}
        self.aliases: dict[str, str] = {}
        self.by_type: dict[type, list[cst.CSTNode]] = {}
        self.top = Scope(module)
        self.seen: Callable[[Sequence[tuple[int, int]]], list[OpCost]] = _nothing
        _Reader(self).read(module)

    def ran(self, node: cst.CSTNode) -> list[OpCost]:
        """What a run saw the operators at a node's lines do; empty where no run was given."""
        return self.seen([self.span(node)])

    def each(self, kind: type[cst.CSTNode]) -> list[cst.CSTNode]:
        """Nodes of exactly this type, in the order of the text."""
        return self.by_type.get(kind, [])

    def calls(self, last: str) -> Iterator[cst.Call]:
        """Calls of a function or method of this name."""
        for call in self.each(cst.Call):
            assert isinstance(call, cst.Call)
            func = call.func
            name = func.attr if isinstance(func, cst.Attribute) else func
            if isinstance(name, cst.Name) and name.value == last:
                yield call

    def code(self, node: cst.CSTNode) -> str:
        """The text of a node."""
        return self.module.code_for_node(node)

    def same(self, a: cst.CSTNode, b: cst.CSTNode) -> bool:
        """Whether two expressions read the same."""
        return a is b or a.deep_equals(b) or self.code(a).split() == self.code(b).split()

    def above(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """Parents, from the nearest to the module."""
        parent = self.parents.get(node)
        while parent is not None:
            yield parent
            parent = self.parents.get(parent)

    def scope(self, node: cst.CSTNode) -> Scope:
        """The function, or the top level, that a node belongs to."""
        return self.scope_of_node.get(node, self.top)

    def bindings(self, node: cst.CSTNode, name: str) -> list[Binding]:
        """How a name of the same scope gets its values; empty for a name from elsewhere."""
        scope = self.scope(node)
        return [] if name in scope.shared else scope.bindings.get(name, [])

    def statement(self, node: cst.CSTNode) -> cst.CSTNode:
        """The statement (a line or a compound one) around a node, or the node itself."""
        for one in (node, *self.above(node)):
            if isinstance(self.parents.get(one), Block):
                return one
        return node

    def block(self, statement: cst.CSTNode) -> list[cst.CSTNode]:
        """The statements beside a statement, itself included."""
        parent = self.parents.get(statement)
        return list(parent.body) if isinstance(parent, Block) else []

    def line(self, node: cst.CSTNode) -> int:
        """Line number, from 1."""
        return self._positions[node].start.line if node in self._positions else 1

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """First and last line of a node; of the whole line of code it stands in, where that is simple."""
        statement = self.statement(node)
        whole = statement if isinstance(statement, cst.SimpleStatementLine) else node
        if whole not in self._positions:
            return 1, 1
        where = self._positions[whole]
        return where.start.line, where.end.line

    def dotted(self, node: cst.CSTNode) -> str:
        """The imported name that an expression spells, such as `torch.nn.functional.one_hot`.

        Empty where it starts with anything but an import, or with a name that is also bound otherwise.
        """
        parts: list[str] = []
        while isinstance(node, cst.Attribute):
            parts.append(node.attr.value)
            node = node.value
        if not isinstance(node, cst.Name) or node.value not in self.aliases:
            return ""
        scope: Scope | None = self.scope(node)
        while scope is not None:
            if node.value in scope.bindings:
                return ""
            scope = scope.parent
        return ".".join((self.aliases[node.value], *reversed(parts)))

    def builtin(self, node: cst.CSTNode, name: str) -> bool:
        """Whether an expression is the builtin of this name, neither bound nor imported here."""
        if not isinstance(node, cst.Name) or node.value != name or name in self.aliases:
            return False
        scope: Scope | None = self.scope(node)
        while scope is not None:
            if name in scope.bindings:
                return False
            scope = scope.parent
        return "import *" not in self.text

    @property
    def torch(self) -> str:
        """The name by which the file knows torch; empty where it does not."""
        found = (name for name, dotted in self.aliases.items() if dotted == "torch")
        return next((name for name in found if name not in self.top.bindings), "")

    @cached_property
    def _positions(self) -> Mapping[cst.CSTNode, CodeRange]:
        wrapper = MetadataWrapper(self.module, unsafe_skip_copy=True)
        return wrapper.resolve(PositionProvider)


def _nothing(spans: Sequence[tuple[int, int]]) -> list[OpCost]:
    return []


_TRIVIA = frozenset(
    (
        *("lpar", "rpar", "lbracket", "rbracket", "lbrace", "rbrace", "comma", "semicolon", "dot"),
        *("equal", "operator", "colon", "first_colon", "second_colon", "asynchronous", "newline"),
        *("posonly_ind", "header", "footer", "leading_lines", "lines_after_decorators"),
        "trailing_whitespace",
    )
)
_ORDER: dict[type, str] = {
    cst.Arg: "keyword value",
    cst.ClassDef: "decorators name type_parameters bases keywords body",
    cst.ExceptHandler: "type name body",
    cst.ExceptStarHandler: "type name body",
    cst.FunctionDef: "decorators name type_parameters params returns body",
    cst.IfExp: "body test orelse",
    cst.MatchCase: "pattern guard body",
    cst.Parameters: "posonly_params params star_arg kwonly_params star_kwarg",
}
"""Where the fields of a node are not in the order of the text."""


@cache
def _fields(kind: type) -> tuple[str, ...]:
    """Fields of a node that may hold code, in the order of the text."""
    names = [one.name for one in fields(kind)]
    if kind in _ORDER:
        return tuple(name for name in _ORDER[kind].split() if name in names)
    return tuple(n for n in names if n not in _TRIVIA and not n.startswith("whitespace"))


class _Reader:
    """Fills a File in one pass; a visitor of libcst takes three times as long, as it builds a new tree."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.parent: cst.CSTNode = file.module
        self.scopes = [file.top]

    def read(self, node: cst.CSTNode) -> None:
        """Take down a node and all below it."""
        kind, parent = type(node), self.parent
        self.file.by_type.setdefault(kind, []).append(node)
        self.file.scope_of_node[node] = self.scopes[-1]
        if kind in _BINDS:
            _bind(self, node)
        opens = kind is cst.FunctionDef or kind is cst.Lambda
        if opens:
            self.scopes.append(Scope(node, self.scopes[-1]))
        self.parent = node
        for name in _fields(kind):
            value = getattr(node, name)
            for one in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(one, cst.CSTNode):
                    self.file.parents[one] = node
                    self.read(one)
        self.parent = parent
        if opens:
            self.scopes.pop()

    def bind(self, target: cst.CSTNode, binding: Binding) -> None:
        if isinstance(target, cst.Name):
            self.scopes[-1].bindings.setdefault(target.value, []).append(binding)
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                how = "for" if binding.how == "for" else "other"
                self.bind(element.value, Binding(how, binding.node, binding.value))


_BINDS = frozenset(
    (
        *(cst.Name, cst.Assign, cst.AnnAssign, cst.AugAssign, cst.NamedExpr, cst.For, cst.CompFor),
        *(
            cst.Param,
            cst.AsName,
            cst.FunctionDef,
            cst.ClassDef,
            cst.Del,
            cst.MatchAs,
            cst.MatchStar,
        ),
        *(cst.Global, cst.Nonlocal, cst.Import, cst.ImportFrom),
    )
)
"""What `_bind` knows."""


def _bind(reader: _Reader, node: cst.CSTNode) -> None:
    """Record what a node binds in the scope being read."""
    if isinstance(node, cst.Name):
        parent = reader.parent
        attribute = isinstance(parent, cst.Attribute) and parent.attr is node
        keyword = isinstance(parent, cst.Arg) and parent.keyword is node
        if not attribute and not keyword:
            for scope in reader.scopes:
                scope.names.setdefault(node.value, []).append(node)
    elif isinstance(node, cst.Assign):
        for target in node.targets:
            reader.bind(target.target, Binding("assign", node, node.value))
    elif isinstance(node, cst.AnnAssign):
        reader.bind(node.target, Binding("assign" if node.value else "other", node, node.value))
    elif isinstance(node, cst.AugAssign):
        reader.bind(node.target, Binding("aug", node, node.value))
    elif isinstance(node, cst.NamedExpr):
        reader.bind(node.target, Binding("other", node))
    elif isinstance(node, (cst.For, cst.CompFor)):
        reader.bind(node.target, Binding("for", node, node.iter))
    elif isinstance(node, cst.Param):
        reader.bind(node.name, Binding("param", node, _promise(node)))
    elif isinstance(node, cst.AsName):
        if not isinstance(reader.parent, cst.ImportAlias):
            reader.bind(node.name, Binding("other", node))
    elif isinstance(node, (cst.FunctionDef, cst.ClassDef)):
        reader.bind(node.name, Binding("other", node))
    elif isinstance(node, (cst.Del, cst.MatchAs, cst.MatchStar)):
        named = node.target if isinstance(node, cst.Del) else node.name
        if named is not None:
            reader.bind(named, Binding("other", node))
    elif isinstance(node, (cst.Global, cst.Nonlocal)):
        for item in node.names:
            for scope in reader.scopes:
                scope.shared.add(item.name.value)
    elif isinstance(node, (cst.Import, cst.ImportFrom)):
        _import(reader.file, node)


def _promise(param: cst.Param) -> cst.BaseExpression | None:
    """The annotation, unless the default says something else."""
    return param.annotation.annotation if param.annotation and param.default is None else None


def _import(file: File, node: cst.Import | cst.ImportFrom) -> None:
    if isinstance(node.names, cst.ImportStar):
        return
    prefix = ""
    if isinstance(node, cst.ImportFrom):
        if node.relative or node.module is None:
            return
        prefix = f"{file.code(node.module)}."
    for alias in node.names:
        dotted = f"{prefix}{file.code(alias.name)}"
        if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
            name = alias.asname.name.value
        elif prefix:
            name = dotted.rpartition(".")[2]
        else:
            name = dotted = dotted.partition(".")[0]
        known = file.aliases.setdefault(name, dotted)
        if known != dotted:
            file.aliases[name] = ""
