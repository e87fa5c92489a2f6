"""FLOPs and bytes of every ATen call, from shapes alone: one file per operator family.

File `x.py` defines `COSTS`, functions from a `Call` to a `Cost` by operator name, and may define
`FREE`, names of operators that move nothing. The same functions serve the live recorder, which has
tensors, and traces, which have shapes. No torch here: a trace is costed without it.

    _call.py    operands, calls and costs
    _index.py   all families together, custom operators, and what is not known
"""
