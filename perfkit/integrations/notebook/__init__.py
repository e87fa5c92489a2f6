"""perfkit in notebooks: `%load_ext perfkit` brings `%%perfkit` and `%perfkit_line`.

    cells      what code in cells is called: `In [3]:4`
    display    runs, diagnoses, tables and findings as HTML, and as readable text elsewhere
    progress   one line in the output of the cell while it is measured
    magics     the magics

`perfkit.profile` in a cell brings the first three along by itself. IPython is never imported before
somebody has started it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perfkit.integrations.notebook.progress import CellProgress

__all__ = ["attach", "shell"]


def shell() -> Any:
    """The running IPython shell; None outside of one."""
    ipython = sys.modules.get("IPython")
    get = getattr(ipython, "get_ipython", None)
    return None if get is None else get()


def attach() -> CellProgress | None:
    """Make the running notebook show what perfkit makes; may be called again, as cells are added.

    Returns:
        A progress line in the output of the running cell; None where there is no notebook, and in a
        terminal, where an output cannot be drawn again.
    """
    running = shell()
    if running is None:
        return None
    from perfkit.integrations.notebook.cells import name_cells
    from perfkit.integrations.notebook.display import register
    from perfkit.integrations.notebook.progress import CellProgress

    name_cells(running)
    register(running)
    return CellProgress() if getattr(running, "kernel", None) is not None else None
