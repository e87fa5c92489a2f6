"""Under the pretend device: the found syncs at their lines, none in the rewritten loop."""

from __future__ import annotations

import linecache
from collections import Counter

import pytest

from perfkit.detectors.evidence import Evidence, listening
from perfkit.pretend import pretend_cuda
from perfkit.workloads.lookahead import __main__ as lookahead


def hits(*arguments: str) -> Counter:
    """What would block on CUDA, by (direction, kind, function, statement), of a whole run."""
    evidence = Evidence()
    with pretend_cuda(), listening(evidence):
        lookahead.main(["--new-tokens", "8", *arguments])
    found: Counter = Counter()
    for sync in evidence.records():
        if sync.site is not None:
            text = linecache.getline(sync.site.file, sync.site.line).strip()
            found[sync.direction, sync.kind, sync.site.function, text] += sync.count
    return found


def of_a_batch(*arguments: str) -> Counter:
    """What the second batch adds."""
    one, two = (hits(*arguments, "--batches", n) for n in ("1", "2"))
    return two - one


def test_the_found_program_asks_for_every_token_where_it_is_written(capsys):
    batch = of_a_batch("--form", "found")
    reads = Counter()
    for (direction, kind, function, text), count in batch.items():
        if (direction, kind) == ("d2h", "item"):
            reads[function, text] += count
    asked = {
        text: count
        for (function, text), count in reads.items()
        if function in ("draft_branch", "verify") or "mapping" in text
    }
    drafted = asked["ids = [mapping.get(int(token), -1) for token in branch]"]
    first = asked["tokens = [logits[0, 0, -1].topk(branches).indices[branch].item()]"]
    further = asked["tokens.append(logits[0, 0, -1].argmax().item())"]
    assert drafted == first + further > 20
    compared = asked["wanted = logits[branch, place].argmax().item()"]
    assert compared == asked["if wanted != drafts[branch, place].item():"] > 5
    assert len(asked) == 6
    assert any(kind == "h2d" for _, kind, _, _ in batch)


@pytest.mark.parametrize("mode", ["greedy", "sampled"])
def test_the_rewritten_loop_reads_its_tokens_once_per_batch_and_waits_for_nothing_else(
    mode, capsys
):
    ((direction, kind, function, _), count), *others = of_a_batch(
        "--form", "fast", "--mode", mode
    ).items()
    assert (direction, kind, function, count) == ("d2h", "tolist", "_read", 1)
    assert others == []


def test_longer_texts_cost_the_rewritten_loop_no_further_wait(capsys):
    short, long = (hits("--form", "fast", "--batches", "1", "--new-tokens", n) for n in ("4", "16"))
    assert long == short
