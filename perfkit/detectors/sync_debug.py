"""`torch.cuda.set_sync_debug_mode("warn")` as a witness: torch's own word on what synchronised.

The mode is global to the process and its message names no operator, so it confirms or contradicts
other detectors and is never the only evidence. It does not see distributed calls, sparse operators,
`torch.cuda.synchronize`, nor copies that the driver stages through pageable memory.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

_MESSAGE = "called a synchronizing CUDA operation"


@contextmanager
def sync_warnings(witness: Callable[[], None]) -> Iterator[None]:
    """Call `witness` in the thread of each sync that torch warns of; no such warning is shown.

    Other warnings pass. The mode that was set before returns at the end.
    """
    show = warnings.showwarning

    def showwarning(message: Warning | str, *args: object, **kwargs: object) -> None:
        if _MESSAGE in str(message):
            witness()
        else:
            show(message, *args, **kwargs)  # type: ignore[arg-type]

    before = torch.cuda.get_sync_debug_mode() if torch.cuda.is_available() else None
    with warnings.catch_warnings():
        warnings.filterwarnings("always", message=f".*{_MESSAGE}.*")
        warnings.showwarning = showwarning
        if before is not None:
            torch.cuda.set_sync_debug_mode("warn")
        try:
            yield
        finally:
            if before is not None:
                torch.cuda.set_sync_debug_mode(before)
            warnings.showwarning = show
