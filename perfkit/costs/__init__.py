"""FLOPs and bytes of every ATen call, from shapes alone: one file per operator family.

File `x.py` defines `COSTS`, functions from a `Call` to a `Cost` by operator name, and may define
`FREE`, names of operators that move nothing. The same functions serve the live recorder, which has
tensors, and traces, which have shapes. No torch here: a trace is costed without it.

    _call.py        operands, calls and costs
    _shapes.py      shapes and dtypes of outputs that are not recorded
    _index.py       all families together, custom operators, and what is not known
    _composites.py  operators made of others, that others are counted for
    _fused.py       kernels by the operators they came from
"""

from perfkit.costs._call import Call, Cost, Operand, Unknown

__all__ = ["Call", "Cost", "Operand", "Unknown"]
