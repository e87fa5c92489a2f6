"""Calls: which function it is, what the checks are shown, and what comes back."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from perfkit.lint import _builtins, _results
from perfkit.lint._site import Place, Site
from perfkit.lint._value import COMPARED, UNKNOWN, Value, sequence, tensor, tree
from perfkit.lint._words import ONLY_TENSORS, REDUCTIONS

if TYPE_CHECKING:
    from perfkit.lint._flow import Flow

_MODELS = re.compile(
    r"^_?(model|net|network|module|encoder|decoder|criterion|loss_fn|loss_func|loss_function|"
    r"discriminator|generator|policy|backbone|head|projector)\d?$"
)
_NETS = (
    *("Model", "Net", "Loss", "Encoder", "Decoder", "Module", "Metric", "LM", "Layer", "Block"),
    *("Embedding", "Attention", "Head", "MLP", "Norm", "Conv", "Pooling"),
)
"""Ends of the names of imported classes that most likely are networks."""
_LOSSES = ("criterion", "loss_fn", "loss_func", "loss_function")


def in_loop(place: Place, line: int) -> Place:
    """The same surroundings, in a loop: what stands at module level or in `main` no longer runs once."""
    return replace(
        place, loop=line, setup=place.setup and not place.entry, hot=place.hot or place.entry
    )


def call(flow: Flow, node: ast.Call) -> Value:
    """What a call gives; checks see it on the way."""
    func = node.func
    if isinstance(func, ast.Attribute):
        return _attribute_call(flow, node, func)
    callee = flow.value(func)
    site = _site(flow, node)
    if callee.kind == "unknown" and isinstance(func, ast.Name):
        if func.id in _builtins.BUILTINS and func.id not in flow.names:
            return _builtins.BUILTINS[func.id](flow, site)
        return _unknown_call(flow, func.id, site)
    return _of_callee(flow, callee, site)


def _site(flow: Flow, node: ast.Call) -> Site:
    nodes: list[ast.expr] = []
    args: list[Value] = []
    for arg in node.args:
        nodes.append(arg)
        args.append(flow.value(arg))
    keywords = {k.arg: k.value for k in node.keywords if k.arg is not None}
    for keyword in node.keywords:
        if keyword.arg is None:
            flow.value(keyword.value)
    kwargs = {name: flow.value(value) for name, value in keywords.items()}
    return Site(node, flow.place, args=args, kwargs=kwargs, arg_nodes=nodes, keyword_nodes=keywords)


def _attribute_call(flow: Flow, node: ast.Call, func: ast.Attribute) -> Value:
    owner, name = flow.value(func.value), func.attr
    if owner.kind == "dotted":
        return _dotted(flow, f"{owner.name}.{name}", _site(flow, node))
    if owner.kind in ("object", "net", "class") and owner.name:
        known = flow.attribute(owner.name, name)
        if known.kind != "unknown":
            return _of_callee(flow, known, _site(flow, node))
    site = _site(flow, node)
    site.receiver, site.name = owner, name
    listening = flow.hooks.methods.get(name)
    if listening:
        flow.show(listening, "method", site)
    if owner.holds_data:
        flow.work += owner.on == "device"
        if name in _results.WAITING and owner.on == "device":
            flow.waits += 1
        return _results.of_tensor(owner, name, site)
    found = _results.of_other(owner, name, site)
    if owner == COMPARED and name in ("all", "any", "sum") and flow.only_tensors:
        return _results.of_tensor(tensor("device", dtype="bool"), name, site)
    found = _likely_here(flow, found)
    own = owner.kind == "object" and flow.unit.classes[owner.name].net
    if own and found.kind == "unknown" and any(v.on == "device" for v in site.args if v.holds_data):
        flow.work += 1
        found = tree("device", 1)  # a submodule, or a method of a class above
    if found.kind == "unknown" and (owner.kind == "net" or _MODELS.match(name)):
        flow.work += 1
        if name in _LOSSES:
            return tensor("device", rank=0)
        given = (*site.args, *site.kwargs.values())
        return tree("device") if any(v.holds_data for v in given) else UNKNOWN
    return found


def _likely_here(flow: Flow, value: Value) -> Value:
    """A tensor of an unknown place, where what is computed most likely lies on the device."""
    if value.kind != "tensor" or value.on is not None:
        return value
    here = flow.only_tensors or (flow.place.hot and not flow.place.host)
    return value._replace(on="device") if here else value


def _of_callee(flow: Flow, callee: Value, site: Site) -> Value:
    kind = callee.kind
    if kind == "dotted":
        return _dotted(flow, callee.name, site)
    if kind == "function":
        flow.work += any(v.holds_data for v in site.args)
        found = flow.function(callee.name)
        return flow.result_of(*found, site.args, site.kwargs) if found else UNKNOWN
    if kind == "class":
        one = flow.unit.classes[callee.name]
        return Value("net" if one.net else "object", on="host", name=callee.name)
    if kind == "net":
        return _of_net(flow, callee, site)
    if kind == "tree":
        return callee
    if kind == "object":
        found = flow.function(f"{callee.name}.__call__")
        return flow.result_of(*found, site.args, site.kwargs) if found else UNKNOWN
    return UNKNOWN


def _of_net(flow: Flow, callee: Value, site: Site) -> Value:
    flow.work += 1
    found = flow.function(f"{callee.name}.forward")
    if found is not None:
        result = flow.result_of(*found, site.args, site.kwargs)
        if result.kind not in ("unknown", "none"):
            return result
    last = callee.name.rpartition(".")[2]
    if callee.name.startswith("torch.nn."):
        if last.endswith("Loss"):
            return tensor("device", rank=0, sure=3)
        if not last.startswith(("LSTM", "GRU", "RNN", "Multihead", "Sequential", "ModuleList")):
            return tensor("device", sure=3)
    return tree("device")


def _unknown_call(flow: Flow, name: str, site: Site) -> Value:
    if _MODELS.match(name):
        flow.work += 1
        return tensor("device", rank=0) if name in _LOSSES else tree("device")
    if any(v.holds_data and v.on == "device" for v in site.args):
        flow.work += 1
        return tree("device", 1)
    return UNKNOWN


def _dotted(flow: Flow, name: str, site: Site) -> Value:
    """A call of something imported."""
    site.name = name
    listening = flow.hooks.of_function(name)
    if listening:
        flow.show(listening, "function", site)
    if name.startswith("torch."):
        flow.waits += name.rpartition(".")[2] in _results.WAITING
        result = _likely_here(flow, _results.of_torch(name, site, flow.default_on))
        flow.work += result.holds_data and result.on == "device"
        return result
    if name.startswith("time.") and name.rpartition(".")[2] in _builtins.CLOCKS:
        return Value("clock", name=f"{flow.work} {flow.waits}")
    if name.startswith("math."):
        return _builtins.number_from(flow, site)
    if name.startswith("numpy."):
        return Value("array", on="host", sure=3)
    return _imported(flow, name, site)


def _imported(flow: Flow, name: str, site: Site) -> Value:
    """Something imported from elsewhere: its name is all that is known."""
    last = name.rpartition(".")[2]
    owner = name.rpartition(".")[0].rpartition(".")[2]
    if last.endswith(("DataLoader", "_loader")):
        return Value("loader", on="host")
    if last == "deepcopy" or last == "copy":
        return site.args[0] if site.args else UNKNOWN
    if last in ("repeat", "rearrange", "reduce", "einsum", "pack", "unpack") and site.args:
        first = site.args[0]
        return first._replace(rank=None) if first.kind == "tensor" else first
    if last in ("from_pretrained", "from_config") and owner[:1].isupper():
        return Value("net", on="host") if "Model" in owner or "For" in owner else UNKNOWN
    if last[:1].isupper():
        return _made(last)
    if last in ("tqdm", "track", "islice", "chain") and site.args:
        return site.args[0]
    if last in ("product", "combinations", "permutations") and site.args:
        return sequence(sequence(UNKNOWN))
    given = next((v for v in site.args if v.holds_data and v.on == "device"), None)
    if given is not None:
        flow.work += 1
        if last in ONLY_TENSORS or last in REDUCTIONS or last in ("cumsum", "scatter", "degree"):
            return tensor("device", sure=given.sure)  # named after what torch has
        return tree("device", 1)
    return UNKNOWN


def _made(name: str) -> Value:
    """An instance of an imported class."""
    if name.endswith(("Config", "Args", "Tokenizer", "Processor", "Path", "Error", "Logger")):
        return UNKNOWN
    if name.endswith(_NETS):
        return Value("net", on="host")
    return Value(name="made")
