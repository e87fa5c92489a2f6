"""Matrix products have sides that are no multiples of what tensor cores load at once.

What it does
    Looks for products on tensor cores whose sides are no multiples of 8 (16-bit types), 16 (8-bit
    types) or 4 (float32 where TF32 is allowed): a vocabulary of 50,257, a batch of 31. Speaks up only
    where these products take at least a twentieth of the step.

Why it hurts
    Sides that do not fill whole 16-byte lines force slower loads, or another kernel, and part of
    every tile is thrown away.

How the saving is estimated
    Nothing is modelled: published effects lie between nothing and a half of the products' time, and
    likely is a tenth. Products that fp32_matmul_without_tf32 tells are left to it.

When not to act
    When the side is the batch's own and changes from step to step, or when it is small: padding 3 to 8
    computes more than it saves. Padding costs memory, and what is padded must be masked.
"""

from __future__ import annotations

from perfkit.analysis.step_floor import StepFloor
from perfkit.analysis.tensor_cores import Slow
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.rules import _products
from perfkit.rules._engine import Looked

_SHARES = (0.0, 0.1, 0.5)

FIX = "Pad vocabulary, hidden and batch sizes to multiples of 8 (64 is better, 16 for 8-bit types)"


def dims_not_aligned(run: Run) -> Looked:
    """At most one finding, named after the product that takes longest.

    Raises:
        NotApplicable: no step was costed, or none of its products.
        NotObservable: no GPU's peaks are known.
    """
    found = _products.products(run)
    odd = found.by_sides
    return Looked(found.at, () if odd is None else (_finding(odd, found.floor),))


def _finding(odd: Slow, floor: StepFloor) -> Finding:
    sides = ", ".join(map(str, odd.unaligned))
    return Finding(
        title=f"Matrix products of {odd.rows[0].dtype} have sides that tensor cores dislike: {sides}",
        place=odd.rows[0].place,
        evidence={**_products.evidence(odd, floor), "sides": sides},
        saving=_products.saving(
            odd.now_ns / floor.steps, _SHARES, "0, 10 and 50 % of the products' time"
        ),
        fix=FIX,
        confidence="low",
    )
