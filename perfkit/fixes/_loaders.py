"""DataLoaders made in a function, and the loops over them."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from perfkit.fixes import _match
from perfkit.fixes._tree import File
from perfkit.fixes._words import PLAIN_LOADER


def loader(file: File, node: cst.BaseExpression) -> cst.Call | None:
    """The call that made what a loop goes through, if it gives batches of tensors on the host.

    Only with torch's own collation: then whatever can be moved with `.to` is a tensor.
    """
    if isinstance(node, cst.Call) and node.args and not node.args[0].keyword:
        name = node.func.value if isinstance(node.func, cst.Name) else ""
        if file.builtin(node.func, "enumerate") or name == "tqdm":
            return loader(file, node.args[0].value)
    if not isinstance(node, cst.Name):
        return None
    bound = file.bindings(node, node.value)
    made = bound[0].value if len(bound) == 1 and bound[0].how == "assign" else None
    if (
        not isinstance(made, cst.Call)
        or _match.starred(made)
        or not _match.keywords(made) <= PLAIN_LOADER
    ):
        return None
    dotted = file.dotted(made.func)
    plain = dotted in ("torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader")
    size = _match.argument(made, 1, "batch_size")
    whole = isinstance(size, cst.Name) and size.value == "None"
    positional = sum(arg.keyword is None for arg in made.args)
    return made if plain and not whole and positional <= 6 else None


def batches(file: File, loop: cst.For) -> set[str]:
    """Names that hold a batch, or its parts, in a loop."""
    target: cst.BaseExpression = loop.target
    counted = isinstance(loop.iter, cst.Call) and file.builtin(loop.iter.func, "enumerate")
    if counted:
        two = isinstance(target, cst.Tuple) and len(target.elements) == 2
        if not two:
            return set()
        target = target.elements[1].value  # type: ignore[attr-defined]
    return set(_names(target))


def moves(file: File, loop: cst.For) -> Iterator[cst.Call]:
    """Calls in a loop that move a batch, or a part of it, which nothing changes in place."""
    names = batches(file, loop)
    for method in ("to", "cuda"):
        for call in file.calls(method):
            func = call.func
            if not isinstance(func, cst.Attribute) or loop not in file.above(call):
                continue
            root: cst.CSTNode = func.value
            while isinstance(root, (cst.Subscript, cst.Attribute)):
                root = root.value
            if not isinstance(root, cst.Name) or root.value not in names:
                continue
            if not changed_in_place(file, root, loop) and _own(file, root, loop):
                yield call


def changed_in_place(file: File, name: cst.Name, loop: cst.For) -> bool:
    """Whether the loop writes into what a name holds."""
    for use in file.scope(name).names.get(name.value, []):
        if loop not in file.above(use):
            continue
        parent = file.parents[use]
        written = isinstance(parent, cst.Attribute) and parent.attr.value.endswith("_")
        outer = next(
            (one for one in file.above(use) if not isinstance(one, (cst.Attribute, cst.Subscript))),
            use,
        )
        if written or (
            isinstance(outer, (cst.AssignTarget, cst.AugAssign)) and outer is not file.parents[use]
        ):
            return True
        if isinstance(outer, cst.AugAssign) and outer.target is use:
            return True
    return False


def _own(file: File, name: cst.Name, loop: cst.For) -> bool:
    """Whether a name holds what the loop gave it when it is moved: nothing else before."""
    statement = next((one for one in file.above(name) if file.parents.get(one) is loop.body), None)
    body = list(loop.body.body)
    before = body[: body.index(statement)] if statement in body else body  # type: ignore[arg-type]
    nodes = [b.node for b in file.bindings(name, name.value)]
    return not any(one in before for node in nodes for one in (node, *file.above(node)))


def _names(target: cst.BaseExpression) -> Iterator[str]:
    if isinstance(target, cst.Name):
        yield target.value
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from _names(element.value)
