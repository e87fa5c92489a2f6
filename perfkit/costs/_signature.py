"""What a call's operands look like, for people."""

from __future__ import annotations

from perfkit.costs._call import Call

SHORT = {
    "float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16", "int64": "i64",
    "int32": "i32", "int16": "i16", "int8": "i8", "uint8": "u8", "": "?",
}  # fmt: skip
SHOWN = 4
"""Operands that a signature spells out."""


def signature(call: Call) -> str:
    """Shapes and dtypes of the operands: `bf16[512,1024] x bf16[1024,64]`; `?` for an unknown dtype."""
    operands = call.operands
    shown = [
        f"{SHORT.get(o.dtype, o.dtype)}[{','.join(map(str, o.shape))}]" for o in operands[:SHOWN]
    ]
    more = len(operands) - len(shown)
    return " x ".join(shown) + (f" and {more} more" if more else "")
