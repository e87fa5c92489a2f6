"""Hugging Face Accelerate: `accelerator.profile()` measures with perfkit.

    from perfkit.integrations.accelerate import PerfkitKwargs

    with accelerator.profile(PerfkitKwargs(name="finetune")) as p:
        for batch in loader:
            ...

Steps are found by themselves (an optimizer step, gradient accumulation included) or ended by
`p.step()`. Each rank that enters the block writes its own run into one folder. Accelerate takes no
handler of a new class in `Accelerator(kwargs_handlers=[...])`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from accelerate.utils import ProfileKwargs

from perfkit.cli._surface import profile


@dataclass
class PerfkitKwargs(ProfileKwargs):  # type: ignore[misc]
    """A handler for `accelerator.profile`; torch.profiler's own options do nothing here.

    Attributes:
        name, out, device, report, steps, warmup: as `perfkit.profile` takes them.
    """

    name: str = "accelerate"
    out: str | Path | None = None
    device: str = "auto"
    report: str | Path | None = None
    steps: int | None = None
    warmup: int | None = None

    def build(self) -> profile:
        """The block that `accelerator.profile()` opens."""
        return profile(
            self.name,
            out=self.out,
            device=self.device,  # type: ignore[arg-type]
            report=self.report,
            steps=self.steps,
            warmup=self.warmup,
        )
