"""Reads one file: evaluates its functions abstractly, each once, and shows checks what they ask for.

Calls inside the file are followed (a function's result is what its first reading gave); other files are
not. Loops are read once. What is not understood is unknown, and unknown is never reported on its own.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from perfkit.lint import _annotations, _expressions, _statements
from perfkit.lint._hooks import EVENTS, Hooks
from perfkit.lint._site import Found, Place, Site
from perfkit.lint._unit import Class, Function, Unit, method_of
from perfkit.lint._value import NONE, UNKNOWN, Value, join, tensor, tree
from perfkit.lint._words import (
    ENTRIES,
    HOT,
    NOT_FOR_TENSORS,
    NOT_PROOF,
    ONLY_TENSORS,
    PROOFS,
    SETUP,
)

Report = Callable[[object, Site, Found], None]
Named = Mapping[str, Value]
NOBODY: Named = {}
_OF_MAPPINGS = frozenset(("items", "values", "keys"))
_OF_TORCH = ("torch", "torch.nn.functional")
_DEPTH = 40
"""Calls followed into calls; beyond that results are unknown."""


class Flow:
    """The reading of one file.

    Attributes:
        names: what local names are thought to be, in the scope being read.
        place: the surroundings of what is being read.
        returned: results of the function being read, so far.
        work: tensor operations met so far; waits: places met so far where the host waits.
    """

    def __init__(
        self,
        unit: Unit,
        hooks: Hooks,
        report: Report,
        hot: frozenset[str] = frozenset(),
        facts: Mapping[str, object] | None = None,
    ) -> None:
        self.unit = unit
        self.hooks = hooks
        self.no_hooks = Hooks(events=dict.fromkeys(EVENTS, ()))
        self._report = report
        self._hot = HOT | hot
        self._asked = hot
        self._facts = dict(facts or {})
        self.names: dict[str, Value] = {}
        self.globals = self.names
        self.place = Place(setup=True, entry=True)
        self.returned: list[Value] = []
        self.work = 0
        self.waits = 0
        self.default_on = "host"
        self._results: dict[int, Value] = {}
        self._depth = 0

    @property
    def only_tensors(self) -> bool:
        """Is what is compared here most likely a tensor on the device, and no array?"""
        place = self.place
        return bool(self._facts.get("only_torch") and place.function and not place.host)

    # what is read ------------------------------------------------------------------------------

    def read(self) -> None:
        """The whole file: top level first, then classes, then functions nobody called."""
        unit = self.unit
        _statements.block(self, unit.tree.body)
        for one in unit.classes.values():
            self.attributes_of(one)
            for name in sorted(one.methods, key=lambda name: name not in self._hot):
                self.result_of(one.methods[name], one)
        for name in sorted(unit.functions, key=lambda name: name in unit.called):
            self.result_of(unit.functions[name], None)  # callers first: they know the arguments

    def value(self, node: ast.expr) -> Value:
        """What an expression is thought to be; checks see it on the way."""
        evaluate = _expressions.EVALUATE.get(type(node))
        return evaluate(self, node) if evaluate is not None else UNKNOWN

    def truth(self, node: ast.expr) -> None:
        """An expression whose truth Python asks for."""
        _expressions.truth(self, node)

    def annotated(self, node: ast.expr) -> Value:
        """What an annotation inside a function promises."""
        on = "host" if self.place.host else "device"
        return _annotations.of_annotation(self.unit, node, on)

    def attributes_of(self, one: Class) -> None:
        """Read a class's constructor once, so that its attributes are known."""
        if one.read:
            return
        one.read = True
        for statement in one.node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                on = "host" if one.host else "device"
                known = _annotations.of_annotation(self.unit, statement.annotation, on)
                one.attributes.setdefault(statement.target.id, known)
        for base in one.bases:
            above = self.unit.classes.get(base.rpartition(".")[2])
            if above is not None:
                self.attributes_of(above)
        if "__init__" in one.methods:
            self.result_of(one.methods["__init__"], one)

    def attribute(self, owner: str, name: str) -> Value:
        """`self.name`, looked up in a class of this file and those above it."""
        seen: set[str] = set()
        queue = [owner]
        while queue:
            one = self.unit.classes.get(queue.pop(0))
            if one is None or one.name in seen:
                continue
            seen.add(one.name)
            self.attributes_of(one)
            if name in one.attributes:
                return one.attributes[name]
            if name in one.methods:
                return Value("function", name=f"{one.name}.{name}", sure=3)
            queue.extend(base.rpartition(".")[2] for base in one.bases)
        return UNKNOWN

    # functions ---------------------------------------------------------------------------------

    def function(self, name: str) -> tuple[Function, Class | None] | None:
        """A function of this file by qualified name."""
        if name in self.unit.functions:
            return self.unit.functions[name], None
        owner, _, method = name.rpartition(".")
        found = method_of(self.unit, owner, method) if owner else None
        return (found[1], self.unit.classes[found[0]]) if found else None

    def result_of(
        self, node: Function, owner: Class | None, args: Sequence[Value] = (), named: Named = NOBODY
    ) -> Value:
        """What a function returns; reads it where that has not been done."""
        known = self._results.get(id(node))
        if known is not None:
            return known
        if self._depth >= _DEPTH:
            return UNKNOWN
        self._results[id(node)] = UNKNOWN  # while it is read: recursion
        name = f"{owner.name}.{node.name}" if owner else node.name
        given = (args, named)
        result = self.scoped(node, self._place(node, owner, name), owner, given, dict(self.globals))
        self._results[id(node)] = result
        return result

    def nested(self, node: Function) -> None:
        """A function defined inside another one: read where it stands, with the names around it."""
        outer = self.place.function
        name = f"{outer}.{node.name}" if outer else node.name
        self.unit.functions.setdefault(name, node)
        self.names[node.name] = Value("function", name=name, sure=3)
        inside = replace(self._place(node, None, name), host=self.place.host)
        self._results[id(node)] = UNKNOWN
        self._results[id(node)] = self.scoped(node, inside, None, ((), NOBODY), dict(self.names))

    def scoped(
        self,
        node: Function,
        place: Place,
        owner: Class | None,
        given: tuple[Sequence[Value], Named],
        names: dict[str, Value],
    ) -> Value:
        """Read a function's body with its own names; what it returns."""
        kept = (self.names, self.place, self.returned)
        self.names, self.place, self.returned = names, place, []
        self._depth += 1
        try:
            self._bind(node, owner, *given)
            _statements.block(self, node.body)
            return self._returned(node)
        finally:
            self._depth -= 1
            self.names, self.place, self.returned = kept

    def _returned(self, node: Function) -> Value:
        on = "host" if self.place.host else "device"
        promised = _annotations.of_annotation(self.unit, node.returns, on)
        result = self.returned[0] if self.returned else NONE
        for value in self.returned[1:]:
            result = join(result, value)
        if promised.kind in ("unknown", "sequence") and result.kind != "unknown":
            return result
        if promised.holds_data and result.kind == "tensor":
            return result
        return promised if promised.kind != "unknown" else result

    def _place(self, node: Function, owner: Class | None, name: str) -> Place:
        host = (owner is not None and owner.host) or "collate" in node.name.lower()
        host = host or bool(owner and owner.optimizer) or node.name == "worker_init_fn"
        setup = node.name in SETUP or node.name.startswith(("test_", "plot_", "load_", "save_"))
        entry = node.name in ENTRIES and node.name not in self._asked
        setup = setup or entry
        if node.name == "__init__" and owner is not None and not (owner.net or owner.host):
            setup = not _takes_tensors(node, self.unit)
        hot = not setup and (node.name in self._hot or node.name.endswith("loss"))
        moves = node.name == "to" and (owner is None or not owner.net)
        return Place(name, None, setup, host, hot, moves, entry)

    def _bind(
        self, node: Function, owner: Class | None, args: Sequence[Value], named: Named
    ) -> None:
        """What the parameters are thought to be."""
        spec = node.args
        params = [*spec.posonlyargs, *spec.args]
        defaults: list[ast.expr | None] = [None] * (len(params) - len(spec.defaults))
        defaults += spec.defaults
        on = "host" if self.place.host else "device"
        static = any(
            isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list
        )
        if owner is not None and params and not static:
            self.names[params[0].arg] = Value("object", on=on, name=owner.name, sure=3)
            params, defaults = params[1:], defaults[1:]
        forward = owner is not None and owner.net and self.place.hot
        used = _uses(node, self.unit) if params or spec.kwonlyargs else {}
        pairs = [
            *zip(params, defaults, strict=True),
            *zip(spec.kwonlyargs, spec.kw_defaults, strict=True),
        ]
        for position, (param, default) in enumerate(pairs):
            given = args[position] if position < len(args) else named.get(param.arg, UNKNOWN)
            self.names[param.arg] = self._param(param, default, given, used, on, forward)
        for rest in (spec.vararg, spec.kwarg):
            if rest is not None:
                self.names[rest.arg] = UNKNOWN

    def _param(
        self,
        param: ast.arg,
        default: ast.expr | None,
        given: Value,
        used: dict[str, set[str]],
        on: str,
        forward: bool,
    ) -> Value:
        promised = _annotations.of_annotation(self.unit, param.annotation, on)
        uses = used.get(param.arg, set())
        if forward and uses & _OF_MAPPINGS and promised.kind in ("unknown", "mapping"):
            return Value("mapping", inner=(tree(on),))
        if promised.kind not in ("unknown", "none"):
            return _placed(promised, given)
        if given.kind not in ("unknown", "none"):
            vague = given.kind == "tree" and uses & ONLY_TENSORS
            return tensor(given.on, sure=2) if vague else given
        said = _annotations.of_default(default)
        if said.kind != "unknown":
            return said
        if uses & NOT_FOR_TENSORS:
            return UNKNOWN
        if uses & ONLY_TENSORS:
            return tensor(on)
        if param.annotation is not None and not _vague(param.annotation):
            return UNKNOWN
        return _annotations.of_name(param.arg, on, forward=forward and not self.place.setup)

    # checks ------------------------------------------------------------------------------------

    def show(self, checks: tuple[object, ...], hook: str, site: Site) -> None:
        """Ask checks about a place."""
        if checks:
            site.facts = {**self._facts, **site.facts}
        for check in checks:
            found = getattr(check, hook)(site)
            if found is not None:
                self._report(check, site, found)


def _placed(promised: Value, given: Value) -> Value:
    """A promise, at the place that the call's argument has."""
    if promised.kind == "tensor" and given.kind == "tensor" and given.sure >= 2:
        dtype = promised.dtype or given.dtype
        return promised._replace(on=given.on, rank=given.rank, dtype=dtype)
    if promised.holds_data and given.holds_data and given.sure >= 2:
        return promised._replace(on=given.on)
    return promised


def _takes_tensors(node: Function, unit: Unit) -> bool:
    """A constructor that is given tensors runs when there are some: in every step."""
    used = _uses(node, unit)
    for param in (*node.args.args[1:], *node.args.kwonlyargs):
        promised = _annotations.of_annotation(unit, param.annotation, "device")
        said = promised.kind == "unknown" and used.get(param.arg, set()) & PROOFS
        if promised.kind == "tensor" or said or {"dtype", "device"} <= used.get(param.arg, set()):
            return True
    return False


def _vague(annotation: ast.expr) -> bool:
    """Any and object say nothing; the name of a class of elsewhere says that it is no tensor."""
    return isinstance(annotation, ast.Name) and annotation.id in ("Any", "object")


def _uses(node: Function, unit: Unit) -> dict[str, set[str]]:
    """Attributes taken of each plain name in a function; "unsqueeze" for other proofs of a tensor."""
    used: dict[str, set[str]] = {}
    for inner in ast.walk(node):
        if type(inner) is ast.Attribute and type(inner.value) is ast.Name:
            used.setdefault(inner.value.id, set()).add(inner.attr)
        elif type(inner) is ast.Subscript and type(inner.value) is ast.Name:
            inside = inner.slice
            if type(inside) is ast.Tuple and any(type(part) is ast.Slice for part in inside.elts):
                used.setdefault(inner.value.id, set()).add("unsqueeze")  # x[:, 2:]
        elif type(inner) is ast.Call and inner.args and type(inner.args[0]) is ast.Name:
            func = inner.func
            if type(func) is ast.Attribute and type(func.value) is ast.Name:
                name = unit.aliases.get(func.value.id, "")
                if name in _OF_TORCH and func.attr not in NOT_PROOF:  # torch.abs(x), F.pad(x)
                    used.setdefault(inner.args[0].id, set()).add("unsqueeze")
    return used
