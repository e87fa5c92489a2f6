"""The lens training with its found loss as a user's files, and its changes; see `_user_program`."""

from __future__ import annotations

from benchmarks._user_program import Answers, Change, Check, Edit, Program

_LENS = ("__init__", "__main__", "config", "contexts", "model", "training")
_LOSS = ("slow_dict", "pairs", "terms", "history")
_ROOM = "perfkit.rewrites.pairwise_preference_loss"

_CHECKS = '''"""The lens loss in two versions, for `perfkit compare`."""

import copy
import importlib
import time

import lens.slow_dict as now
import lens_0.slow_dict as found
import torch


def _told(loss, samples, scores, lods, config, history):
    result = loss(samples, scores, lods, config, copy.deepcopy(history))
    return result.loss, result.pairs, result.telemetry


def loss_before(samples, scores, lods, config, history):
    return _told(found.slow_dict, samples, scores, lods, config, history)


def loss_after(samples, scores, lods, config, history):
    return _told(now.slow_dict, samples, scores, lods, config, history)


def once(package, arguments, repeats):
    """Losses while training, and CPU seconds of each repetition."""
    main = importlib.import_module(package + ".__main__")
    options = main.parse(arguments)
    torch.set_num_threads(1)
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        result = main.train(options.config, main.LOSSES[options.loss], torch.device("cpu"))
        seconds.append(time.process_time() - began)
    return result.printed, seconds
'''

_PAIRS = Change(
    "the loss pair by pair",
    (Answers("per-pair-loss", "slow_dict"),),
    edits=(
        Edit(
            "slow_dict.py",
            "from .config import Lods, LossConfig\n",
            f"from {_ROOM} import pairwise_preference_loss\n"
            f"from {_ROOM}.lists import over_packed\n\n"
            "from .config import Lods, LossConfig\n",
        ),
        Edit(
            "slow_dict.py",
            """    totals: list[Tensor] = []
    telemetry: list[dict[str, float]] = []
    for number, sample in enumerate(samples):
        rows = collect(number, sample, scores[number], lods, config)
        if not rows.keys:
            continue
        losses = list(sample_totals(rows, config))
        for index, (key, score) in enumerate(zip(rows.keys, rows.scores, strict=True)):
            if config.has_extra_terms:
                mask, levels = rows.masks[index], sample[key[1]].lods[0]
                extra = extra_terms(score, mask, levels, key, lods, config, history)
                losses[index] = losses[index] + extra
            if config.keep_scores:
                history.keep(key, score)
        if config.telemetry:
            telemetry += observe(rows)
        totals += losses
    history.next_step(config.smoothed_budget_decay)
    return finish(totals, telemetry, samples[0][0].positions.device)
""",
            "    return over_packed(pairwise_preference_loss)(samples, scores, lods, config, history)\n",
        ),
    ),
    # A correlation among its telemetry, which nothing is learned from, has cancelled five of its digits.
    check=Check("lens.slow_dict:slow_dict", "loss_before", "loss_after", tolerance=5e-5),
)

_PINNED = Change(
    "the copies from ordinary memory",
    (Answers("unpinned-copy", "WorkingContext.to"), Answers("unpinned-copy", "to")),
    edits=(
        Edit(
            "contexts.py",
            """            self.positions.to(device),
            self.lods.to(device),
            self.token_loss.to(device),
            self.end,
            self.embeddings.to(device),
""",
            """            sent(self.positions, device),
            sent(self.lods, device),
            sent(self.token_loss, device),
            self.end,
            sent(self.embeddings, device),
""",
        ),
        Edit(
            "contexts.py",
            "@dataclass\nclass WorkingContext",
            '''def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """On the device, which is not waited for."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


@dataclass
class WorkingContext''',
        ),
    ),
)

LENS = Program(
    "lens",
    {f"{name}.py": f"workloads/lens/{name}.py" for name in _LENS}
    | {f"{name}.py": f"rewrites/pairwise_preference_loss/{name}.py" for name in _LOSS},
    (_PAIRS, _PINNED),
    _CHECKS,
    arguments=("--steps", "40"),
    small=("--steps", "20", "--samples", "2", "--layers", "1"),
    written={
        "losses.py": 'from .slow_dict import slow_dict\n\nLOSSES = {"slow_dict": slow_dict}\n'
    },
    replaced={
        f"from {_ROOM}.history import": "from .history import",
        "from .config import Lods, LossConfig, Shape": f"from {_ROOM}.config import "
        "Lods, LossConfig, Shape",
    },
    tolerance=1e-4,
)
