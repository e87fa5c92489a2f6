"""Named sizes of the workload and the ways to compute it. Every choice a run depends on is here."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

CHOICES: dict[str, tuple[str, ...]] = {
    "attention": ("found", "sdpa", "per_user", "buckets", "flex", "varlen", "auto"),
    "moe": ("found", "loop", "sorted", "sliced", "grouped", "dense", "auto"),
    "embedding": ("found", "fused"),
    "segment_ids": ("found", "output_size"),
    "id_policy": ("clamp", "modulo"),
    "precision": ("float32", "float16", "bfloat16"),
}
"""Values of the options that are names. The first is the program as found."""

ISLANDS = ("gate", "norm", "head")
"""Parts of the network that may stay in float32 while the rest is in half precision."""


@dataclass(frozen=True)
class Config:
    """Sizes of the data and of the network, and how it is computed; as found unless said otherwise.

    Lengths are in rows, widths in numbers. Exact choices change no probability by more than
    rounding: `attention`, `moe`, `embedding`, `segment_ids`, `only_test_users`, `cut_history`,
    `last_layer_test_rows`, `compiled`. Approximate ones do and are judged by AUC and PCOC:
    `id_policy` (exact only if the network was trained with it), `precision`, `merge_experts`,
    `logit_shift`.

    Attributes:
        attention, moe, embedding, segment_ids: which form computes it; `auto` chooses by device and
            sizes.
        keep_float32: of `ISLANDS`, what stays in float32 under half `precision`.
        merge_experts: cosine similarity above which two experts become one; None merges none.
        logit_shift: added to every logit; see `metrics.logit_shift`.
        only_test_users: leave users out who have no row to predict.
        cut_history: leave a user's rows out that follow the last one to predict.
        last_layer_test_rows: the last layer computes only rows to predict.
        compiled: through torch.compile.
        synced_timer: wait for the device after each batch, inside the timer.
    """

    # data
    seed: int = 3
    slots: int = 28
    multi_valued: tuple[int, ...] = (1, 6, 17)
    capped_slot: int = 1
    cap: int = 2
    vocab: int = 20_000
    median_rows: float = 14.0
    sigma: float = 1.2
    min_rows: int = 10
    max_rows: int = 64
    empty_users: float = 0.0
    empty_bags: float = 0.10
    out_of_range: float = 0.01
    zipf: float = 1.1
    test_users: float = 0.13
    base_logit: float = -1.2
    signal: float = 1.1

    # network
    embedding_width: int = 16
    width: int = 64
    heads: int = 4
    layers: int = 8
    experts: int = 8
    top_k: int = 2
    hidden: int = 128

    # run
    users: int = 8
    batches: int = 40

    # how it is computed
    attention: str = "found"
    moe: str = "found"
    embedding: str = "found"
    segment_ids: str = "found"
    id_policy: str = "clamp"
    precision: str = "float32"
    keep_float32: tuple[str, ...] = ISLANDS
    merge_experts: float | None = None
    logit_shift: float = 0.0
    only_test_users: bool = False
    cut_history: bool = False
    last_layer_test_rows: bool = False
    compiled: bool = False
    synced_timer: bool = False

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} does not divide into {self.heads} heads")
        if self.experts < self.top_k:
            raise ValueError(f"{self.experts} experts are fewer than the {self.top_k} a row uses")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} is one of {', '.join(choices)}, not {getattr(self, name)!r}"
                )
        if self.precision != "float32" and "found" in (self.moe, self.embedding):
            raise ValueError("half precision needs moe and embedding in another form than found")
        for island in self.keep_float32:
            if island not in ISLANDS:
                raise ValueError(f"keep_float32 takes {', '.join(ISLANDS)}, not {island!r}")

    @property
    def as_found(self) -> bool:
        """True when nothing about how it is computed was changed, `synced_timer` aside."""
        how = (f for f in fields(self) if f.name in HOW and f.name != "synced_timer")
        return all(getattr(self, f.name) == f.default for f in how)

    @property
    def exact(self) -> bool:
        """True when probabilities are those of the found program but for rounding."""
        return not self.approximations

    @property
    def approximations(self) -> tuple[str, ...]:
        """What changes results by more than rounding; empty where nothing does."""
        changes = {
            "ids beyond the table are taken modulo its rows": self.id_policy != "clamp",
            f"computed in {self.precision}": self.precision != "float32",
            "experts that are alike are merged": self.merge_experts is not None,
            "every logit is shifted": self.logit_shift != 0.0,
        }
        return tuple(change for change, made in changes.items() if made)


_NAMES = [f.name for f in fields(Config)]
HOW = tuple(_NAMES[_NAMES.index("attention") :])
"""The fields that say how it is computed, not what."""

FAST: dict[str, Any] = {
    "attention": "auto",
    "moe": "auto",
    "embedding": "fused",
    "segment_ids": "output_size",
    "only_test_users": True,
    "cut_history": True,
    "last_layer_test_rows": True,
}
"""Every exact option that is fast on every device."""


CONFIGS: dict[str, Config] = {
    "laptop": Config(),
    "fast": replace(Config(), **FAST),
    # The contest's own sizes. The embedding table alone takes 10 GB; lengths are our fit to
    # 14,000 rows per 50 users.
    "reported": Config(
        vocab=5_000_000,
        median_rows=136.0,
        min_rows=1,
        max_rows=4_096,
        embedding_width=512,
        width=512,
        heads=8,
        hidden=1024,
        users=50,
        batches=40,
    ),
}
