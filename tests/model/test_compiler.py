"""What torch's compiler did, as data."""

from __future__ import annotations

from perfkit.model.compiler import Compilation, CompilerRecord, GraphBreak


def test_what_torch_did_not_say_is_unknown_and_not_zero() -> None:
    made = Compilation("4/1")
    assert (made.ns, made.version, made.reason, made.step) == (None, None, None, None)
    assert GraphBreak("why").place is None
    assert CompilerRecord() == CompilerRecord((), ())
