"""The ground truth of the sync detector: one-line patterns, sync and look-alike, and their runner.

Written from CUDA's behaviour, not from the detector: when both disagree, the note of the pattern
says what to read before changing either.
"""

from .contexts import CONTEXTS
from .copies import COPIES
from .indexing import INDEXING
from .kernels import KERNELS
from .library import LIBRARY
from .pattern import Pattern
from .reads import READS
from .runner import Totals, Verdict, applicable, judge, ratio, run, totals
from .sync_warning import SYNC_WARNING

PATTERNS: tuple[Pattern, ...] = (
    *READS,
    *INDEXING,
    *KERNELS,
    *COPIES,
    *LIBRARY,
    *CONTEXTS,
)

__all__ = [
    "PATTERNS",
    "SYNC_WARNING",
    "Pattern",
    "Totals",
    "Verdict",
    "applicable",
    "judge",
    "ratio",
    "run",
    "totals",
]
