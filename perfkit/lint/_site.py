"""What a check sees of one place, and what it answers. Knows nothing of how values are guessed."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from perfkit.lint._value import UNKNOWN, Value


@dataclass(frozen=True)
class Place:
    """The surroundings of an expression.

    Attributes:
        function: qualified name; "" at module level.
        loop: line of the innermost loop around it, in the same function.
        setup: True where the code runs once: constructors, module level outside loops.
        host: True in code that works on the host: data sets, collate functions.
        hot: True in forward, steps, losses, and in loops over batches.
        entry: True where a loop over the data is at home: module level, `main`, `train`.
        moves: True in a method `to(device)` that carries a container over.
    """

    function: str = ""
    loop: int | None = None
    setup: bool = False
    host: bool = False
    hot: bool = False
    moves: bool = False
    entry: bool = False


@dataclass
class Site:
    """One call, index, test, loop or formatted value.

    Attributes:
        node: the syntax of the whole expression.
        receiver: what a method is called on, or what is indexed, tested, iterated, formatted.
        name: the method's name, or the function's dotted name.
        args, kwargs: what the arguments are thought to be.
        arg_nodes: their syntax.
        index: what stands between the brackets, one per dimension.
        value: what is written there; None for reads.
        facts: of a loop: see `_statements`.
    """

    node: ast.AST
    place: Place
    receiver: Value = UNKNOWN
    name: str = ""
    args: Sequence[Value] = ()
    kwargs: Mapping[str, Value] = field(default_factory=dict)
    arg_nodes: Sequence[ast.expr] = ()
    keyword_nodes: Mapping[str, ast.expr] = field(default_factory=dict)
    index: Sequence[Value] = ()
    value: Value | None = None
    facts: Mapping[str, object] = field(default_factory=dict)

    def arg(self, position: int, name: str) -> Value | None:
        """An argument by position or name; None where it is not given."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name)

    def constant(self, position: int, name: str) -> object:
        """The literal given for an argument; None where it is none."""
        node = (
            self.arg_nodes[position]
            if position < len(self.arg_nodes)
            else self.keyword_nodes.get(name)
        )
        return node.value if isinstance(node, ast.Constant) else None


@dataclass(frozen=True)
class Found:
    """A check's answer.

    `what` begins the message; "{code}" stands for the source of the expression. `fix` replaces the
    check's own where given; `sure` is that of the values it rests on.
    """

    what: str
    sure: int = 2
    fix: str | None = None
    node: ast.AST | None = None


def read_on_device(value: Value) -> int:
    """How sure it is that reading this value waits for the device: 0 for not at all."""
    return value.sure if value.holds_data and value.on == "device" else 0
