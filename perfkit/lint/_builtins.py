"""Python's own functions over tensors: the ones that read an element, and what the others hand on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from perfkit.lint._site import Site
from perfkit.lint._value import (
    MAPPING,
    NUMBER,
    TEXT,
    TRUTH,
    UNKNOWN,
    Value,
    elements,
    pair,
    sequence,
    tensor,
)

if TYPE_CHECKING:
    from perfkit.lint._flow import Flow

CLOCKS = ("time", "perf_counter", "monotonic", "process_time", "perf_counter_ns", "time_ns")


def number_from(flow: Flow, site: Site) -> Value:
    """A function that wants a Python number and reads it from a tensor."""
    for node, value in zip(site.arg_nodes, site.args, strict=True):
        if value.holds_data:
            flow.waits += 1
            inner = Site(site.node, site.place, receiver=value, name=site.name, arg_nodes=[node])
            flow.show(flow.hooks.events["number"], "number", inner)
    return NUMBER


def _number(flow: Flow, site: Site) -> Value:
    return number_from(flow, site)


def _bool(flow: Flow, site: Site) -> Value:
    if site.args and site.args[0].holds_data:
        flow.waits += 1
        inner = Site(site.node, site.place, receiver=site.args[0])
        flow.show(flow.hooks.events["truth"], "truth", inner)
    return TRUTH


def _text(flow: Flow, site: Site) -> Value:
    for node, value in zip(site.arg_nodes, site.args, strict=True):
        item = value.inner[0] if value.kind in ("sequence", "mapping") and value.inner else value
        if item.kind == "tensor":
            flow.waits += 1
            inner = Site(node, site.place, receiver=item)
            flow.show(flow.hooks.events["shown"], "shown", inner)
    return TEXT


def _range(flow: Flow, site: Site) -> Value:
    number_from(flow, site)
    return sequence(NUMBER)


def _enumerate(flow: Flow, site: Site) -> Value:
    return sequence(pair(NUMBER, elements(site.args[0]))) if site.args else UNKNOWN


def _zip(flow: Flow, site: Site) -> Value:
    return sequence(pair(*[elements(value) for value in site.args]))


def _extreme(flow: Flow, site: Site) -> Value:
    """`max(t)` compares elements; `max(a, b)` asks for the truth of `a > b`."""
    several = len(site.args) > 1 and any(v.kind == "tensor" for v in site.args)
    if several or (site.args and site.args[0].kind == "tensor"):
        value = next(v for v in site.args if v.kind == "tensor")
        flow.waits += 1
        inner = Site(site.node, site.place, receiver=value, name="builtins")
        flow.show(flow.hooks.events["number"], "number", inner)
        return value._replace(rank=0) if several else tensor(value.on, rank=0, sure=value.sure)
    return elements(site.args[0]) if len(site.args) == 1 else NUMBER


def _sum(flow: Flow, site: Site) -> Value:
    found = elements(site.args[0]) if site.args else UNKNOWN
    return found if found.kind != "unknown" else NUMBER


def _same(flow: Flow, site: Site) -> Value:
    return site.args[0] if site.args else UNKNOWN


def _list(flow: Flow, site: Site) -> Value:
    return sequence(elements(site.args[0])) if site.args else sequence(UNKNOWN)


def _next(flow: Flow, site: Site) -> Value:
    return elements(site.args[0]) if site.args else UNKNOWN


def _truth(flow: Flow, site: Site) -> Value:
    value = elements(site.args[0]) if site.args else UNKNOWN
    if value.kind == "tensor":
        return _bool(flow, Site(site.node, site.place, args=[value]))
    return TRUTH


def _plain(value: Value) -> Callable[[Flow, Site], Value]:
    return lambda flow, site: value


BUILTINS: dict[str, Callable[[Flow, Site], Value]] = {
    "int": _number,
    "float": _number,
    "complex": _number,
    "bool": _bool,
    "print": _text,
    "str": _text,
    "repr": _text,
    "format": _text,
    "range": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "max": _extreme,
    "min": _extreme,
    "sum": _sum,
    "abs": _same,
    "reversed": _same,
    "iter": _same,
    "sorted": _list,
    "list": _list,
    "tuple": _list,
    "set": _list,
    "next": _next,
    "any": _truth,
    "all": _truth,
    "len": _plain(NUMBER),
    "isinstance": _plain(TRUTH),
    "hasattr": _plain(TRUTH),
    "callable": _plain(TRUTH),
    "issubclass": _plain(TRUTH),
    "round": _same,
    "id": _plain(NUMBER),
    "dict": _plain(MAPPING),
    "getattr": _plain(UNKNOWN),
    "super": _plain(UNKNOWN),
    "type": _plain(UNKNOWN),
}
