"""Speculative decoding as a user's files, and its changes; see `_user_program`.

The user has marked the end of each look of the main model with `perfkit.step()`: the forwards of two
models of different sizes are no equal steps.
"""

from __future__ import annotations

from benchmarks._user_program import Answers, Change, Edit, Program

_NAMES = ("__init__", "__main__", "config", "model", "pieces", "text", "found", "generation")

_CHECKS = '''"""The whole program in any version."""

import importlib
import time

import torch


def once(package, arguments, repeats):
    """Generated tokens, and CPU seconds of each repetition."""
    main = importlib.import_module(package + ".__main__")
    config = main.parse(arguments).config
    torch.set_num_threads(1)
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        result = main.generate(config, torch.device("cpu"))
        seconds.append(time.process_time() - began)
    return [token for row in result.tokens for token in row], seconds
'''

_DRAFTS = Change(
    "drafted tokens fetched one by one",
    (
        Answers("sync-in-metrics", "draft_branch"),
        Answers("host-wait-in-step", "draft_branch"),
        Answers("blocking-copies", "draft_branch"),
    ),
    edits=(
        Edit(
            "found.py",
            """    lengths = torch.tensor([context.shape[1] - 1], device=context.device)
    cache = draft.prefill(context[:, :-1], lengths, context.shape[1])
    logits, own = draft(context[:, -1:].unsqueeze(1), cache)
    tokens = [logits[0, 0, -1].topk(branches).indices[branch].item()]
    while len(tokens) < length:
        last = torch.tensor([[[tokens[-1]]]], device=context.device)
        logits, own = draft(last, cache, own)
        tokens.append(logits[0, 0, -1].argmax().item())
    return torch.tensor(tokens, device=context.device)
""",
            """    lengths = torch.full((1,), context.shape[1] - 1, device=context.device)
    cache = draft.prefill(context[:, :-1], lengths, context.shape[1])
    logits, own = draft(context[:, -1:].unsqueeze(1), cache)
    tokens = [logits[0, 0, -1].topk(branches).indices[branch]]
    while len(tokens) < length:
        logits, own = draft(tokens[-1].view(1, 1, 1), cache, own)
        tokens.append(logits[0, 0, -1].argmax())
    return torch.stack(tokens)
""",
        ),
    ),
)

_ALIGN = Change(
    "drafts translated one by one",
    (Answers("host-wait-in-step", "align"),),
    edits=(Edit("found.py", "for token in branch]", "for token in branch.tolist()]"),),
)

_VERIFY = Change(
    "verification token by token",
    (Answers("host-wait-in-step", "verify"),),
    edits=(
        Edit(
            "found.py",
            """    best: list[int] = []
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
""",
            """    told = speculative_verify(GreedyClaim(logits.unsqueeze(0), drafts.unsqueeze(0)))
    both = torch.cat([told.branch, told.accepted, told.tokens[0]]).tolist()
    return both[2 : 3 + both[1]], both[0]
""",
        ),
        Edit(
            "found.py",
            "from .config import Config\n",
            "from perfkit.rewrites.speculative_verify import GreedyClaim, speculative_verify\n\n"
            "from .config import Config\n",
        ),
    ),
)

_COUNTS = Change(
    "numbers sent to the device",
    (Answers("blocking-copies", "settle"),),
    edits=(
        Edit(
            "found.py",
            "        count = torch.tensor([len(tokens)], device=device)\n"
            "        self.cache.commit(added, torch.tensor([branch], device=device), count)\n",
            "        count = torch.full((1,), len(tokens), device=device)\n"
            "        self.cache.commit(added, torch.full((1,), branch, device=device), count)\n",
        ),
    ),
)

LOOKAHEAD = Program(
    "lookahead",
    {f"{name}.py": f"workloads/lookahead/{name}.py" for name in _NAMES},
    (_DRAFTS, _ALIGN, _VERIFY, _COUNTS),
    _CHECKS,
    arguments=(),
    small=("--batches", "1", "--new-tokens", "12"),
    replaced={
        "from .fast import fast_greedy, fast_sampled\n": "",
        '    ("fast", "greedy"): fast_greedy,\n    ("fast", "sampled"): fast_sampled,\n': "",
        "from .pieces import Batch, Generated, Models\n": "from .pieces import Batch, Generated, "
        "Models\nimport perfkit\n",
        "            _count(sequence, len(taken) - 1, controller, config)\n": "            "
        "_count(sequence, len(taken) - 1, controller, config)\n            perfkit.step()\n",
    },
    tolerance=0.0,
)
