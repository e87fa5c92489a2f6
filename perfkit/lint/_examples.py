"""The checks' examples as programs: tests run them, `perfkit explain` shows them.

An example is a whole module when it imports something; otherwise lines of a `forward` in which `x`
and `y` are tensors on the device, `mask` one of truth values and `index` one of integers. A line that
must be found ends in `# found`; one ending in `# other` belongs to another check.
"""

from __future__ import annotations

import textwrap

_PRELUDE = """\
import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import rnn


class Net(nn.Module):
    def forward(self, x: Tensor, y: Tensor, mask: torch.BoolTensor, index: torch.LongTensor, slots):
"""


def program(example: str) -> str:
    """An example as a program."""
    if example.startswith(("import", "from")):
        return example if example.endswith("\n") else example + "\n"
    return _PRELUDE + textwrap.indent(example, " " * 8) + "\n"


def expected(text: str) -> list[int]:
    """Lines of a program that must be found."""
    return [n for n, line in enumerate(text.splitlines(), 1) if line.endswith("# found")]
