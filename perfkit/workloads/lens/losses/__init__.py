"""Generations of the lens loss. All take and return the same, see `history.LensLoss`.

For every sample the contexts are compared in pairs. Where the better context of a pair shows a
position in more detail than the worse, the worse one's entry should expand; where it shows less,
all entries of that block should collapse. The loss of a pair asks the worse context's scores to
have those signs, more strongly the more the token losses differ. Pairs that tie or agree
everywhere do not count.
"""

from __future__ import annotations

from ..history import LensLoss
from .slow_dict import slow_dict
from .slow_elem import slow_elem

LOSSES: dict[str, LensLoss] = {"slow_dict": slow_dict, "slow_elem": slow_elem}
