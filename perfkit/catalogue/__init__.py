"""The catalogue of host-device synchronisations: one page a kind, `ls` is the list.

A page says when CUDA synchronises, what looks alike and does not, and what to write instead. It
declares, without importing torch:

    DIRECTION  "d2h", "h2d" or "none"
    FIX        the one-line advice
    OPS        {ATen operator with overload: rule}; a rule looks at one `Call` and answers `Seen` or None
    BACKWARD   {forward operator: rule} where only the gradient synchronises
    INSIDE     files of torch (relative) whose reads belong to this page rather than to `item`

Facts come from PyTorch's own `test_sync_warning` and from the ATen CUDA kernels named on the pages.
"""
