"""Code in a cell is called `In [3]`, as the notebook calls it, and not by the file it is compiled from.

The folder stays in front, so that two kernels do not both have a cell 3: reports show the last part of
a path only. The text of the cell is found under the new name, too.
"""

from __future__ import annotations

import linecache
import os
import re
import sys
from typing import Any

from perfkit.detectors import places


def name_cells(shell: Any) -> None:
    """Give every cell that was run so far its name."""
    for file, entry in list(linecache.cache.items()):
        number = _number(shell, file)
        if number is None or len(entry) != 4:
            continue
        folder = os.path.dirname(file) or f"<ipython-{os.getpid()}>"
        name = f"{folder}/In [{number}]"
        places.called[file] = name
        size, _, lines, _ = entry
        linecache.cache[name] = (size, None, lines, name)


def running_cell(shell: Any) -> int:
    """The number of the cell that runs now; the shell's own counter may already be one further."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        number = _number(shell, frame.f_code.co_filename)
        if number is not None:
            return number
    return int(shell.execution_count)


def _number(shell: Any, file: str) -> int | None:
    """The number of the cell that is compiled from this file; None where it is no cell's."""
    told = shell.compile.format_code_name(file)
    digits = re.search(r"\d+", told[1]) if told else None
    return int(digits[0]) if digits else None
