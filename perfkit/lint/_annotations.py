"""What annotations, defaults, names and use say about a parameter."""

from __future__ import annotations

import ast
import re

from perfkit.lint._unit import Unit, dotted
from perfkit.lint._value import (
    ARRAY,
    DTYPE,
    MAPPING,
    NUMBER,
    TEXT,
    UNKNOWN,
    Value,
    pair,
    sequence,
    tensor,
    tree,
)

_PLAIN = {
    "int": NUMBER,
    "float": NUMBER,
    "bool": Value("number", dtype="bool", sure=3),
    "complex": NUMBER,
    "str": TEXT,
    "bytes": TEXT,
    "dict": MAPPING,
    "ndarray": ARRAY,
    "dtype": DTYPE,
    "Path": TEXT,
    "Callable": Value("function"),
}
_SEQUENCES = ("list", "List", "Sequence", "Iterable", "Iterator", "Generator", "set", "Collection")
_TENSOR = re.compile(r"(\w*Tensor|Parameter|Buffer)$")
_FLAG = re.compile(
    r"^(is|use|has|return|output|num|n|do|should|with|max|min|dim|eps|alpha|beta|size|epoch|step)(_|$)"
    r"|(^|_)(size|idx|dim|len|length|offset|count|id|name|path|eps|prob|rate|type|mode|config|cfg|args|"
    r"ctx|cache|flag|kwargs|scale|ratio|factor|threshold|temperature|mems?|epoch|iteration|key|fn)$"
)
_BATCH = re.compile(r"^(batch|data|inputs?|examples?|features)$")


def of_annotation(unit: Unit, node: ast.expr | None, on: str) -> Value:
    """The value that an annotation promises; UNKNOWN where it says nothing that matters here."""
    if node is None:
        return UNKNOWN
    if isinstance(node, ast.Constant):
        return _of_text(unit, node, on)
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _of_name(unit, node, on)
    if isinstance(node, ast.BinOp):
        left, right = of_annotation(unit, node.left, on), of_annotation(unit, node.right, on)
        return right if left.kind == "none" else (left if left != UNKNOWN else right)
    if isinstance(node, ast.Subscript):
        return _of_subscript(unit, node, on)
    return UNKNOWN


def _of_text(unit: Unit, node: ast.Constant, on: str) -> Value:
    if node.value is None:
        return Value("none")
    if not isinstance(node.value, str) or len(node.value) > 200:
        return UNKNOWN
    try:
        return of_annotation(unit, ast.parse(node.value, mode="eval").body, on)
    except (SyntaxError, ValueError):
        return UNKNOWN


def _of_name(unit: Unit, node: ast.expr, on: str) -> Value:
    name = dotted(unit, node)
    last = name.rpartition(".")[2]
    if last in _PLAIN:
        return _PLAIN[last]
    if _TENSOR.match(last) and (last != "Parameter" or name.startswith("torch")):
        dtype = {"BoolTensor": "bool", "LongTensor": "int", "FloatTensor": "float"}.get(last)
        return tensor(on, dtype=dtype)
    if last == "device":
        return Value("device", on=on)
    if last.endswith("DataLoader"):
        return Value("loader")
    if last in unit.classes:
        one = unit.classes[last]
        return Value("net" if one.net else "object", on=on, name=last)
    if last in _SEQUENCES:
        return Value("sequence")
    if last.endswith(("Batch", "Inputs", "Outputs", "Output")):
        return tree(on)
    if name.startswith("torch.nn.") or last.endswith(("Module", "PreTrainedModel")):
        return Value("net", on=on, name=name)
    return UNKNOWN


def _of_subscript(unit: Unit, node: ast.Subscript, on: str) -> Value:
    last = dotted(unit, node.value).rpartition(".")[2]
    inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if last in ("Optional", "Final", "Annotated", "ClassVar", "Union", "Float", "Int", "Bool"):
        found = [of_annotation(unit, item, on) for item in inside]
        dtype = {"Bool": "bool", "Int": "int", "Float": "float"}.get(last)
        first = next((v for v in found if v.kind not in ("none", "unknown")), UNKNOWN)
        return first._replace(dtype=dtype) if dtype and first.holds_data else first
    if last in ("tuple", "Tuple"):
        items = [of_annotation(unit, item, on) for item in inside]
        if len(inside) == 2 and isinstance(inside[1], ast.Constant):
            return sequence(items[0])
        return pair(*items)
    if last in _SEQUENCES:
        return sequence(of_annotation(unit, inside[0], on))
    if last in ("dict", "Dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict"):
        return MAPPING._replace(inner=(of_annotation(unit, inside[-1], on),))
    return UNKNOWN


def of_default(node: ast.expr | None) -> Value:
    """What a default value says."""
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    if not isinstance(node, ast.Constant) or node.value is None:
        return UNKNOWN
    if isinstance(node.value, (bool, int, float, complex)):
        return NUMBER
    return TEXT if isinstance(node.value, str) else UNKNOWN


def of_name(name: str, on: str, *, forward: bool) -> Value:
    """What a parameter's name alone says; in `forward` most parameters are tensors."""
    if name == "device":
        return Value("device", on=on, sure=2)
    if name in ("dtype", "np_dtype"):
        return DTYPE
    if name in ("loader", "dataloader", "data_loader") or name.endswith(("_loader", "_dataloader")):
        return Value("loader", on="host", sure=2)
    if name in ("model", "net", "module", "network", "criterion", "loss_fn"):
        return Value("net", on=on, sure=2)
    if _FLAG.search(name):
        return UNKNOWN
    if _BATCH.match(name) and forward:
        return tree(on, 2)
    return tensor(on, sure=2) if forward else UNKNOWN
