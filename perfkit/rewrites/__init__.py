"""What to write instead: one file per rewrite, with the code as found beside the code that is fast.

File `x.py` (or folder `x/`) defines the function `x`, which a program calls, and `REWRITE`, which says
what it replaces, in which forms, on which cases it is proven and measured, and when not to use it.

    _rewrite.py   what a rewrite declares
    _tree.py      walking over inputs and outputs
    _parity.py    proof: value and gradient against the found code in float64
    _counting.py  device operators, synchronisations and copies, on the pretend device
    _timing.py    CPU-time ratios; dispatch and completed time
    _own.py       a user's own inputs, from a file
    _measure.py   all of these for one form and case, as a row
"""
