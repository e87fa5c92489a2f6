"""From the program as found to the fastest exact one, a change at a time, on one batch.

`end_to_end()` gives what a benchmark needs: forms to be timed turn by turn, found first. Each ends
with the probabilities of the rows to predict, on the host, in order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from perfkit.rewrites._counting import Counts
from perfkit.rewrites._rewrite import Form

from .config import Config
from .data import collate
from .packing import PackedBatches
from .running import columns_of, counts, network, rewritten_of, users_of

MEASURED = Config(
    seed=171,
    vocab=100_000,
    median_rows=20.0,
    min_rows=1,
    max_rows=1_024,
    embedding_width=64,
    width=128,
    hidden=256,
    layers=2,
    users=50,
    batches=1,
)
"""50 users with 2,026 rows, of whom 9 with 17.5 % of the rows have one to predict."""

ALL_USERS = "all users"
FASTEST = "last layer only rows to predict"
STAGES: dict[str, dict[str, object]] = {
    "mask for SDPA": {"attention": "sdpa"},
    "attention chosen": {"attention": "auto"},
    "fused embedding": {"embedding": "fused"},
    ALL_USERS: {"moe": "auto", "segment_ids": "output_size"},
    "only users asked about": {"only_test_users": True},
    "cut after the last row to predict": {"cut_history": True},
    FASTEST: {"last_layer_test_rows": True},
}
"""What each stage adds to the ones before it. `ALL_USERS` computes every row with fast forms."""


@dataclass(frozen=True)
class EndToEnd:
    """Forms without inputs, the found program first; `rows` is how many each computes."""

    forms: tuple[Form, ...]
    inputs: tuple[()]
    rows: dict[str, int]

    def form(self, name: str) -> Form:
        """One of them."""
        return next(form for form in self.forms if form.name == name)


def stage_configs(config: Config = MEASURED) -> dict[str, Config]:
    """The configuration of each stage, in order."""
    configs, settings = {}, dict[str, object]()
    for name, change in STAGES.items():
        settings |= change
        configs[name] = replace(config, **settings)  # type: ignore[arg-type]
    return configs


def end_to_end(config: Config = MEASURED, collating: bool = False) -> EndToEnd:
    """The program as found, and every stage after it, over one network and the same users.

    Args:
        config: as found; its first batch is taken.
        collating: with the making of the batch in what is timed.
    """
    found, rows = _found(config, collating)
    forms = [Form("found", found, "never")]
    counted = {"found": rows}
    for name, stage in stage_configs(config).items():
        call, counted[name] = _rewritten(stage, collating)
        forms.append(Form(name, call, "cumulative"))
    return EndToEnd(tuple(forms), (), counted)


def end_to_end_counts(layers: int = 8, config: Config = MEASURED) -> dict[str, Counts]:
    """Operators, waits and blocking copies of a forward: as found, all users fast, and fastest."""
    config = replace(config, layers=layers)
    configs = stage_configs(config)
    return {
        "found": counts(config),
        ALL_USERS: counts(configs[ALL_USERS]),
        FASTEST: counts(configs[FASTEST]),
    }


def _found(config: Config, collating: bool) -> tuple[Callable[[], Tensor], int]:
    model, users = network(config), users_of(config)[: config.users]
    ready = collate(users, config.slots)

    @torch.no_grad()
    def run() -> Tensor:
        batch = collate(users, config.slots) if collating else ready
        return torch.sigmoid(model(batch))[batch.pred_mask]

    return run, ready.label.numel()


def _rewritten(config: Config, collating: bool) -> tuple[Callable[[], Tensor], int]:
    model = rewritten_of(network(config), config)
    batches = PackedBatches(columns_of(config), config)
    cpu = torch.device("cpu")
    ready = batches[0]

    @torch.no_grad()
    def run() -> Tensor:
        batch = batches[0] if collating else ready
        return torch.sigmoid(model(batch.to(cpu)))

    return run, ready.rows
