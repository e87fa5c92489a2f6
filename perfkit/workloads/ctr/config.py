"""Named sizes of the workload. Every number a run depends on is here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Sizes of the data and of the network; lengths are in rows, widths in numbers."""

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
    embedding: int = 16
    width: int = 64
    heads: int = 4
    layers: int = 8
    experts: int = 8
    top_k: int = 2
    hidden: int = 128

    # run
    users: int = 8
    batches: int = 40

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} does not divide into {self.heads} heads")
        if self.experts < self.top_k:
            raise ValueError(f"{self.experts} experts are fewer than the {self.top_k} a row uses")


CONFIGS: dict[str, Config] = {
    "laptop": Config(),
    # The contest's own sizes. The embedding table alone takes 10 GB; lengths are our fit to
    # 14,000 rows per 50 users.
    "reported": Config(
        vocab=5_000_000,
        median_rows=136.0,
        min_rows=1,
        max_rows=4_096,
        embedding=512,
        width=512,
        heads=8,
        hidden=1024,
        users=50,
        batches=40,
    ),
}
