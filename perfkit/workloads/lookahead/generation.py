"""Plain decoding, the standard to compare with, and one measured run of any form."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.utils.data import DataLoader

from .config import CONFIGS, Config
from .fast import fast_greedy, fast_sampled
from .found import found_greedy, found_sampled
from .model import make_models
from .pieces import Batch, Generated, Models, prompts
from .text import make_language


@dataclass
class Result:
    """What a run gave. Times are wall time of generation, over all batches.

    Attributes:
        tokens: those generated, one row per sequence.
        steps: forwards of the main model (per sequence as found, per batch when rewritten).
        drafted, accepted: tokens, over all sequences; of the branch that was taken.
        dispatch_ms: until Python had handed over the work, results not waited for.
        completed_ms: until the tokens were on the host.
    """

    config: Config
    device: str
    tokens: list[list[int]] = field(default_factory=list)
    steps: int = 0
    drafted: int = 0
    accepted: int = 0
    dispatch_ms: float = 0.0
    completed_ms: float = 0.0

    @property
    def acceptance(self) -> float | None:
        """Accepted over drafted tokens; None where nothing was drafted."""
        return self.accepted / self.drafted if self.drafted else None

    @property
    def tokens_per_s(self) -> float:
        """Generated tokens over completed time."""
        return 1000 * sum(map(len, self.tokens)) / self.completed_ms


@torch.no_grad()
def plain(models: Models, batch: Batch, config: Config) -> Generated:
    """The main model alone, one token a step: what speculative decoding must not change."""
    cache = models.main.prefill(batch.main[:, :-1], batch.main_lengths - 1, models.capacity)
    last = batch.main[:, -1:]
    one, first = torch.ones_like(cache.lengths), torch.zeros_like(cache.lengths)
    tokens = []
    for _ in range(config.new_tokens):
        logits, own = models.main(last.unsqueeze(1), cache)
        cache.commit(own, first, one)
        row = logits[:, 0, -1]
        if config.mode == "greedy":
            last = row.argmax(-1, keepdim=True)
        else:
            last = row.softmax(-1).multinomial(1, replacement=True)
        tokens.append(last)
    return Generated(torch.cat(tokens, 1), config.new_tokens, 0, torch.zeros_like(first))


GENERATORS: dict[tuple[str, str], Callable[[Models, Batch, Config], Generated]] = {
    ("plain", "greedy"): plain,
    ("plain", "sampled"): plain,
    ("found", "greedy"): found_greedy,
    ("found", "sampled"): found_sampled,
    ("fast", "greedy"): fast_greedy,
    ("fast", "sampled"): fast_sampled,
}


def generate(config: Config, device: torch.device) -> Result:
    """Generate behind every prompt of the configuration."""
    language = make_language(config)
    main, draft = make_models(config, language)
    capacity = config.prompt + config.new_tokens + config.longest + 4
    models = Models(
        main.to(device), draft.to(device), language, language.table.to(device), capacity
    )
    loader: DataLoader = DataLoader(
        prompts(config, language),  # type: ignore[arg-type]
        batch_size=None,
        pin_memory=device.type == "cuda",
    )
    result = Result(config, str(device))
    torch.manual_seed(config.seed)
    for batch in loader:
        began = time.perf_counter()
        made = GENERATORS[config.form, config.mode](models, batch.to(device), config)
        result.dispatch_ms += 1000 * (time.perf_counter() - began)
        # The one read of the rewritten form: the tokens, when the batch is done.
        rows = _read(made)
        result.completed_ms += 1000 * (time.perf_counter() - began)
        result.tokens += [row[1:] for row in rows]
        result.accepted += sum(row[0] for row in rows)
        result.drafted += made.drafted
        result.steps += made.steps
    return result


def _read(made: Generated) -> list[list[int]]:
    """Accepted count and tokens of every row, fetched at once."""
    return torch.cat([made.accepted.unsqueeze(1), made.tokens], 1).tolist()


def run(
    config: str | Config = "laptop", device: str | torch.device = "cpu", **settings: Any
) -> Result:
    """One configuration, by name or whole, with some of its numbers changed.

    Raises:
        ValueError: a setting that there is not, or sizes that cannot be.
    """
    chosen = CONFIGS[config] if isinstance(config, str) else config
    unknown = set(settings) - set(vars(chosen))
    if unknown:
        raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
    return generate(replace(chosen, **settings), torch.device(device))
