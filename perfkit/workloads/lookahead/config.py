"""Named sizes of the workload. Every number a run depends on is here."""

from __future__ import annotations

from dataclasses import dataclass

FORMS = ("found", "fast", "plain")
MODES = ("greedy", "sampled")


@dataclass(frozen=True)
class Config:
    """Sizes of the language, the two networks and the run; lengths are in tokens.

    Attributes:
        syllables, pairs, rare: words of the main vocabulary; pairs of them that the draft writes as
            one; words that the draft does not know.
        prompt, new_tokens: tokens given and generated per sequence.
        gain: how sure of itself the main model is, as a factor of its logits.
        form: `found`, `fast`, or `plain` (the main model alone).
        mode: `greedy`, or `sampled` at temperature 1, then with one branch.
        adaptive: False drafts `start` tokens in `branches` branches at every step.
    """

    seed: int = 5
    syllables: int = 60
    pairs: int = 5
    rare: int = 2
    prompt: int = 24
    new_tokens: int = 24
    batch: int = 2
    batches: int = 12

    width: int = 48
    heads: int = 4
    main_layers: int = 12
    draft_layers: int = 1
    depth_scale: float = 0.05
    gain: float = 5.0

    form: str = "found"
    mode: str = "greedy"
    adaptive: bool = True
    branches: int = 2
    start: int = 4
    longest: int = 8
    draft_cost: float = 0.15

    def __post_init__(self) -> None:
        if self.form not in FORMS or self.mode not in MODES:
            raise ValueError(f"form is one of {FORMS} and mode one of {MODES}")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} does not divide into {self.heads} heads")
        if self.prompt < 3 or self.start < 1 or self.longest < self.start or self.branches < 1:
            raise ValueError(
                "a prompt has 3 tokens at least, a draft 1, and `longest` bounds `start`"
            )


CONFIGS: dict[str, Config] = {
    "laptop": Config(),
    "gpu": Config(
        syllables=8000,
        pairs=900,
        rare=100,
        prompt=512,
        new_tokens=256,
        batch=16,
        width=1024,
        heads=16,
        main_layers=24,
        draft_layers=4,
        depth_scale=0.15,
        branches=4,
    ),
}
