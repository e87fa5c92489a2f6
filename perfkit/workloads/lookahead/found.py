"""Generation as found: sequence by sequence, branch by branch, token by token.

The habits: every branch drafts behind a prefill of its own; a drafted token is fetched to be
appended, translated with `int` and a dictionary, and a draft with one token that has no counterpart
is thrown away; verification compares with `.item()`; the draft length follows a sum of rates.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from .config import Config
from .model import Cache, Transformer
from .pieces import Batch, Generated, Models


@dataclass
class Controller:
    """The draft length of a published sketch: it only ever grows."""

    length: int
    longest: int
    integral: float = 0.0

    def update(self, accepted: int, drafted: int) -> None:
        """Add the rate of one step."""
        self.integral += accepted / max(1, drafted)
        self.length = min(self.longest, self.length + int(self.integral))
        self.integral -= int(self.integral)


@dataclass
class Sequence:
    """One prompt and what has come after it, on the host; the main model's cache on the device."""

    models: Models
    cache: Cache
    last: int
    draft_ids: list[int]
    new: list[int] = field(default_factory=list)
    steps: int = 0
    drafted: int = 0
    accepted: int = 0

    def context(self, device: torch.device) -> Tensor:
        """The whole text in draft tokens, [1, T]."""
        spelling = self.models.language.spelling
        return torch.tensor([self.draft_ids + [spelling[t] for t in self.new]], device=device)

    def settle(self, tokens: list[int], added: list, branch: int) -> None:
        """Take over accepted tokens and the main model's own."""
        device = self.cache.lengths.device
        count = torch.tensor([len(tokens)], device=device)
        self.cache.commit(added, torch.tensor([branch], device=device), count)
        self.new += tokens
        self.last = tokens[-1]


def begin(models: Models, batch: Batch, row: int) -> Sequence:
    """A sequence with its prompt run through the main model."""
    prompt = batch.main[row : row + 1, : int(batch.main_lengths[row])]
    length = torch.tensor([prompt.shape[1] - 1], device=prompt.device)
    cache = models.main.prefill(prompt[:, :-1], length, models.capacity)
    draft = batch.draft[row, : int(batch.draft_lengths[row])].tolist()
    return Sequence(models, cache, int(prompt[0, -1]), draft)


def draft_branch(
    draft: Transformer, context: Tensor, branch: int, branches: int, length: int
) -> Tensor:
    """One branch [L]: the prompt again, then token after token."""
    lengths = torch.tensor([context.shape[1] - 1], device=context.device)
    cache = draft.prefill(context[:, :-1], lengths, context.shape[1])
    logits, own = draft(context[:, -1:].unsqueeze(1), cache)
    tokens = [logits[0, 0, -1].topk(branches).indices[branch].item()]
    while len(tokens) < length:
        last = torch.tensor([[[tokens[-1]]]], device=context.device)
        logits, own = draft(last, cache, own)
        tokens.append(logits[0, 0, -1].argmax().item())
    return torch.tensor(tokens, device=context.device)


def align(branches: list[Tensor], mapping: dict[int, int]) -> list[list[int]]:
    """Drafts in the main vocabulary; one token without counterpart discards its draft."""
    kept = []
    for branch in branches:
        ids = [mapping.get(int(token), -1) for token in branch]
        if -1 in ids:
            continue
        kept.append(ids)
    return kept


def verify(logits: Tensor, drafts: Tensor) -> tuple[list[int], int]:
    """Accepted tokens of the longest branch and the main model's own; and the branch."""
    best: list[int] = []
    best_branch = 0
    for branch in range(drafts.shape[0]):
        accepted: list[int] = []
        for place in range(drafts.shape[1]):
            wanted = logits[branch, place].argmax().item()
            if wanted != drafts[branch, place].item():
                break
            accepted.append(wanted)
        if len(accepted) > len(best):
            best, best_branch = accepted, branch
    return [*best, logits[best_branch, len(best)].argmax().item()], best_branch


@torch.no_grad()
def found_greedy(models: Models, batch: Batch, config: Config) -> Generated:
    """Greedy decoding of a batch, one sequence after the other."""
    device = batch.main.device
    mapping = dict(enumerate(models.language.table.tolist()))
    done = []
    for row in range(batch.main.shape[0]):
        sequence = begin(models, batch, row)
        controller = Controller(config.start, config.longest)
        while len(sequence.new) < config.new_tokens:
            context = sequence.context(device)
            branches = [
                draft_branch(models.draft, context, branch, config.branches, controller.length)
                for branch in range(config.branches)
            ]
            drafts = align(branches, mapping) or [[]]
            tokens = torch.tensor([[[sequence.last, *ids] for ids in drafts]], device=device)
            logits, added = models.main(tokens, sequence.cache)
            taken, branch = verify(logits[0], tokens[0, :, 1:])
            sequence.settle(taken, added, branch)
            _count(sequence, len(taken) - 1, controller, config)
        done.append(sequence)
    return _generated(done, config, device)


@torch.no_grad()
def found_sampled(models: Models, batch: Batch, config: Config) -> Generated:
    """Sampling of a batch, one chain at a time."""
    device = batch.main.device
    mapping = dict(enumerate(models.language.table.tolist()))
    done = []
    for row in range(batch.main.shape[0]):
        sequence = begin(models, batch, row)
        controller = Controller(config.start, config.longest)
        while len(sequence.new) < config.new_tokens:
            context = sequence.context(device)
            ids, q = draw_chain(models, context, mapping, controller.length)
            tokens = torch.tensor([[[sequence.last, *ids]]], device=device)
            logits, added = models.main(tokens, sequence.cache)
            taken = verify_chain(logits[0, 0].softmax(-1), q, ids)
            sequence.settle(taken, added, 0)
            _count(sequence, len(taken) - 1, controller, config)
        done.append(sequence)
    return _generated(done, config, device)


def draw_chain(
    models: Models, context: Tensor, mapping: dict[int, int], length: int
) -> tuple[list[int], list[Tensor]]:
    """Tokens drawn from the draft model, in the main vocabulary, and what they were drawn from."""
    lengths = torch.tensor([context.shape[1] - 1], device=context.device)
    cache = models.draft.prefill(context[:, :-1], lengths, context.shape[1])
    logits, own = models.draft(context[:, -1:].unsqueeze(1), cache)
    nowhere = torch.tensor([mapping[t] < 0 for t in range(logits.shape[-1])], device=context.device)
    spelling = torch.tensor(models.language.spelling, device=context.device)
    ids, spread = [], []
    while True:
        q = logits[0, 0, -1].masked_fill(nowhere, -torch.inf).softmax(-1)
        token = q.multinomial(1, replacement=True).item()
        ids.append(mapping[token])
        spread.append(q[spelling] * (spelling > 0))
        if len(ids) == length:
            return ids, spread
        logits, own = models.draft(torch.tensor([[[token]]], device=context.device), cache, own)


def verify_chain(p: Tensor, q: list[Tensor], ids: list[int]) -> list[int]:
    """Accepted tokens, and one drawn in place of the first refused or after the last."""
    taken: list[int] = []
    for place, token in enumerate(ids):
        if torch.rand(()).item() * q[place][token].item() >= p[place, token].item():
            left = (p[place] - q[place]).clamp_min(0)
            return [*taken, left.multinomial(1, replacement=True).item()]
        taken.append(token)
    return [*taken, p[len(ids)].multinomial(1, replacement=True).item()]


def _count(sequence: Sequence, accepted: int, controller: Controller, config: Config) -> None:
    sequence.steps += 1
    sequence.drafted += controller.length
    sequence.accepted += accepted
    if config.adaptive:
        controller.update(accepted, controller.length)


def _generated(done: list[Sequence], config: Config, device: torch.device) -> Generated:
    return Generated(
        torch.tensor([s.new[: config.new_tokens] for s in done], device=device),
        sum(s.steps for s in done),
        sum(s.drafted for s in done),
        torch.tensor([s.accepted for s in done], device=device),
    )
