"""Generation with the rewritten pieces: tokens stay on the device until the batch is done.

Per step the host learns one thing, a step late and without blocking: how many tokens were accepted,
from which the next draft length follows, and whether all sequences are done. A sequence that is done
early stays where it is while the others go on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from perfkit.rewrites.adaptive_lookahead import (
    Costs,
    LateReads,
    Lookahead,
    Pace,
    adaptive_lookahead,
    lookahead,
)
from perfkit.rewrites.branch_drafting import extend_branches
from perfkit.rewrites.draft_alignment import draft_alignment
from perfkit.rewrites.speculative_verify import (
    GreedyClaim,
    SampledClaim,
    inverse_cdf,
    speculative_verify,
)

from .config import Config
from .model import Cache, Pair, Transformer
from .pieces import Batch, Generated, Models


class Sequences:
    """The state of a batch on the device: what is settled, and what was generated."""

    def __init__(self, models: Models, batch: Batch, config: Config) -> None:
        self.models, self.config = models, config
        self.spelling = _spelling(models)
        rows = batch.main.shape[0]
        self.main = models.main.prefill(batch.main[:, :-1], batch.main_lengths - 1, models.capacity)
        self.draft = models.draft.prefill(batch.draft, batch.draft_lengths - 2, models.capacity)
        self.last_two = batch.main[:, -2:]
        room = config.new_tokens + config.longest + 1
        self.tokens = torch.zeros(rows, room, dtype=torch.int64, device=batch.main.device)
        self.filled = torch.zeros(rows, dtype=torch.int64, device=batch.main.device)
        self.accepted = torch.zeros_like(self.filled)

    def draft_ready(self) -> tuple[Tensor, list[Pair]]:
        """Draft logits [P, V] after the last token, and the keys and values of the last two."""
        drafted = self.spelling.take(self.last_two).unsqueeze(1)
        logits, own = self.models.draft(drafted, self.draft)
        return logits[:, 0, -1], own

    def look(self, ids: Tensor) -> tuple[Tensor, list[Pair]]:
        """Main logits [P, k, L + 1, V] on the last token and drafts [P, k, L]."""
        last = self.last_two[:, None, 1:].expand(-1, ids.shape[1], -1)
        return self.models.main(torch.cat([last, ids.clamp_min(0)], -1), self.main)

    def settle(
        self, tokens: Tensor, accepted: Tensor, branch: Tensor, main: list, own: list
    ) -> Tensor:
        """Take over what was verified; accepted tokens per sequence, -1 where it was done before."""
        active = self.filled < self.config.new_tokens
        count = (accepted + 1) * active
        self.main.commit(main, branch, count)
        self.draft.commit(own, branch, count)
        at = self.filled.view(-1, 1) + torch.arange(tokens.shape[1], device=tokens.device)
        at = at.clamp_max(self.tokens.shape[1] - 1)
        self.tokens.scatter_(
            1, at, torch.where(active.view(-1, 1), tokens, self.tokens.gather(1, at))
        )
        told = torch.cat([self.last_two, tokens], 1)
        self.last_two = told.gather(1, count.view(-1, 1) + torch.arange(2, device=tokens.device))
        self.filled += count
        self.accepted += accepted * active
        return torch.where(active, accepted, -1)

    def generated(self, steps: int, drafted: int) -> Generated:
        return Generated(self.tokens[:, : self.config.new_tokens], steps, drafted, self.accepted)


def _spelling(models: Models) -> Tensor:
    """Draft id of every main token, from the table on the device: int64 [main vocabulary]."""
    table = models.table[:-1]
    words = models.main.embedding.num_embeddings
    found = torch.zeros(words + 1, dtype=torch.int64, device=table.device)
    numbers = torch.arange(table.numel(), device=table.device)
    found.scatter_(0, torch.where(table >= 0, table, words), numbers)
    return found[:-1]  # 0 is the draft's <unk>


class _Behind:
    """The draft model with the last two tokens already run, as all branches begin."""

    def __init__(self, draft: Transformer, begun: list[Pair], branches: int) -> None:
        self.draft = draft
        self.begun = [
            (key.expand(-1, branches, -1, -1, -1), value.expand(-1, branches, -1, -1, -1))
            for key, value in begun
        ]
        self.own = self.begun

    def prefill(self, tokens: Tensor) -> tuple[Tensor, Cache]:
        raise NotImplementedError("the cache is there already")

    def extend(self, tokens: Tensor, prefix: Cache, own: list | None) -> tuple[Tensor, list]:
        logits, self.own = self.draft(tokens, prefix, own or self.begun)
        return logits, self.own


@torch.no_grad()
def fast_greedy(models: Models, batch: Batch, config: Config) -> Generated:
    """Branches behind one prefix, one look, one verification; token for token the plain decoding."""
    state, reads = Sequences(models, batch, config), LateReads()
    belief = _belief(config, config.branches)
    steps = drafted = 0
    while True:
        pace = belief.pace
        logits, begun = state.draft_ready()
        behind = _Behind(models.draft, begun, pace.branches)
        drafts = extend_branches(behind, logits, state.draft, pace.branches, pace.length)
        aligned = draft_alignment(drafts.tokens, models.table)
        main_logits, added = state.look(aligned.ids)
        verdict = speculative_verify(GreedyClaim(main_logits, aligned.ids))
        accepted = state.settle(verdict.tokens, verdict.accepted, verdict.branch, added, behind.own)
        first = draft_alignment(logits.topk(config.branches, -1).indices, models.table).ids
        belief, late = _paced(belief, reads, accepted, _rank(first, verdict.tokens), pace, config)
        steps += 1
        drafted += late or 0
        if late == 0:
            return state.generated(steps, drafted)


@torch.no_grad()
def fast_sampled(models: Models, batch: Batch, config: Config) -> Generated:
    """One chain per sequence, drawn and verified on the device; distributed as plain sampling."""
    state, reads = Sequences(models, batch, config), LateReads()
    belief = _belief(config, 1)
    steps = drafted = 0
    branch = torch.zeros_like(state.filled)
    while True:
        pace = belief.pace
        tokens, q, own = _drawn_chain(state, pace.length)
        aligned = draft_alignment(tokens, models.table)
        logits, added = state.look(aligned.ids.unsqueeze(1))
        uniforms = torch.rand(q.shape[0], pace.length + 1, device=q.device)
        claim = SampledClaim(logits[:, 0].softmax(-1), q, aligned.ids, uniforms)
        verdict = speculative_verify(claim)
        accepted = state.settle(verdict.tokens, verdict.accepted, branch, added, own)
        rank = torch.where(accepted > 0, 0, -1)
        belief, late = _paced(belief, reads, accepted, rank, pace, config)
        steps += 1
        drafted += late or 0
        if late == 0:
            return state.generated(steps, drafted)


def _drawn_chain(state: Sequences, length: int) -> tuple[Tensor, Tensor, list[Pair]]:
    """Drawn tokens [P, L] in the draft vocabulary, their distributions [P, L, V] in the main one."""
    models = state.models
    nowhere = models.table[:-1] < 0
    known = (state.spelling > 0).to(torch.float32)  # 0 is <unk>
    logits, own = state.draft_ready()
    tokens, spread = [], []
    while True:
        q = logits.masked_fill(nowhere, -torch.inf).softmax(-1)
        token = inverse_cdf(q, torch.rand(q.shape[0], device=q.device)).unsqueeze(1)
        tokens.append(token)
        spread.append(q.index_select(-1, state.spelling) * known)
        if len(tokens) == length:
            return torch.cat(tokens, 1), torch.stack(spread, 1), own
        further, own = models.draft(token.unsqueeze(1), state.draft, own)
        logits = further[:, 0, -1]


def _belief(config: Config, branches: int) -> Lookahead:
    return lookahead(config.longest, branches, Costs(config.draft_cost), config.start)


def _rank(first: Tensor, tokens: Tensor) -> Tensor:
    """Place of the main model's token among the draft's first choices [P, k]; -1 for none."""
    hits = first == tokens[:, :1]
    return torch.where(hits.any(-1), hits.to(torch.int64).argmax(-1), -1)


def _paced(
    belief: Lookahead, reads: LateReads, accepted: Tensor, rank: Tensor, pace: Pace, config: Config
) -> tuple[Lookahead, int | None]:
    """The belief after the step before this one, and the tokens drafted in it for sequences that
    were going on; 0 when all were done, None at the first step."""
    late = reads.exchange(torch.cat([accepted, rank, accepted.new_full((1,), pace.length)]))
    if late is None:
        return belief, None
    rows, length = accepted.numel(), late[-1]
    going = [row for row in range(rows) if late[row] >= 0]
    if config.adaptive:
        for row in going:
            belief = adaptive_lookahead(belief, late[row], length, late[rows + row])
    return belief, len(going) * length
