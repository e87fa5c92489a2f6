"""The CTR program as a user's files, and its changes; see `_user_program`."""

from __future__ import annotations

from benchmarks._user_program import Answers, Change, Check, Edit, Program

_NAMES = ("__init__", "__main__", "config", "data", "inference", "metrics", "model")

_CHECKS = '''"""Two versions of the parts of the CTR program, for `perfkit compare`."""

import importlib
import time
from dataclasses import replace

import ctr.model as now
import ctr_0.model as found
import torch
from ctr_0.config import Config
from torch.func import functional_call

from perfkit.rewrites.block_diagonal_attention import AttentionPlan
from perfkit.rewrites.fused_embedding import fuse_slots


def moe_before(x, state):
    return functional_call(found.SparseMoE(Config()).eval(), state, (x,))


def moe_after(x, state):
    return functional_call(now.SparseMoE(Config()).eval(), state, (x,))


def attention_before(x, mask, state):
    return functional_call(found.Attention(Config()), state, (x, mask))


def attention_after(x, mask, state):
    first = mask.int().argmax(1)  # row a user's rows begin with
    lengths = torch.unique_consecutive(first, return_counts=True)[1]
    return functional_call(now.Attention(Config()), state, (x, AttentionPlan(lengths)))


def _encoder(model, state):
    return model.RepEncoder(replace(Config(), vocab=len(state["table.weight"])))


def encoder_before(slots, state):
    return functional_call(_encoder(found, state), state, (slots,))


def encoder_after(slots, state):
    return functional_call(_encoder(now, state), state, (fuse_slots(slots),))


def once(package, arguments, repeats):
    """Results of the whole program, and CPU seconds of each repetition."""
    main = importlib.import_module(package + ".__main__")
    config = main.parse(arguments).config
    torch.set_num_threads(1)
    loader = main.make_loader(config)
    model = main.make_model(config, torch.from_numpy(main.id_effects(config)).float())
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        result = main.predict(model, loader, torch.device("cpu"))
        seconds.append(time.process_time() - began)
    return [*result.probabilities, *result.labels, *result.logids], seconds


def step_walls(package, arguments, workers):
    """Wall seconds from batch to batch, the first ones left out."""
    main = importlib.import_module(package + ".__main__")
    config = main.parse(arguments).config
    torch.set_num_threads(1)
    model = main.make_model(config, torch.from_numpy(main.id_effects(config)).float())
    device, walls = torch.device("cpu"), []

    class Marked:
        def __iter__(self):
            for batch in main.make_loader(config, workers):
                walls.append(time.perf_counter())
                yield batch

    main.predict(model, Marked(), device)
    steps = [b - a for a, b in zip(walls, walls[1:], strict=False)]
    return steps[len(steps) // 4 :]
'''

_EXPERTS = Change(
    "the loop over experts",
    (Answers("per-expert-loop", "SparseMoE.forward"),),
    fix="expert_loop",
    check=Check("SparseMoE", "moe_before", "moe_after"),
)

_MASK = Change(
    "the mask",
    (
        Answers("host-wait-in-step", "build_mask"),
        Answers("dense-mask-attention", "build_mask"),
        Answers("dense-mask-attention", "Attention.forward"),
    ),
    edits=(
        Edit(
            "model.py",
            "from .config import Config\n",
            "from perfkit.rewrites.block_diagonal_attention import AttentionPlan, "
            "block_diagonal_attention\n\nfrom .config import Config\n",
        ),
        Edit(
            "model.py",
            """    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        rows = x.shape[0]
        # per head [q | k | v], not all q first
        qkv = self.qkv(x).view(rows, self.heads, 3, self.head_width)
        q, k, v = qkv.permute(2, 1, 0, 3).unbind(0)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_width)
        scores = scores.masked_fill(~mask, float("-inf"))
        mixed = scores.softmax(dim=-1) @ v
        return self.out(mixed.transpose(0, 1).flatten(1))
""",
            """    def forward(self, x: Tensor, plan: AttentionPlan) -> Tensor:
        q, k, v = self.qkv(x).view(len(x), self.heads, 3, self.head_width).unbind(2)
        return self.out(block_diagonal_attention(q, k, v, plan).flatten(1))
""",
        ),
        Edit(
            "model.py",
            """    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attention(self.norm_attention(x), mask)
""",
            """    def forward(self, x: Tensor, plan: AttentionPlan) -> Tensor:
        x = x + self.attention(self.norm_attention(x), plan)
""",
        ),
        Edit("model.py", "        mask = build_mask(batch.user_offsets)\n", ""),
        Edit(
            "model.py", "            x = layer(x, mask)\n", "            x = layer(x, batch.plan)\n"
        ),
        Edit(
            "data.py",
            "from .config import Config\n",
            "from perfkit.rewrites.block_diagonal_attention import AttentionPlan\n\n"
            "from .config import Config\n",
        ),
        Edit(
            "data.py",
            "    logid: torch.Tensor\n\n    def to(",
            "    logid: torch.Tensor\n    plan: AttentionPlan | None = None\n\n    def to(",
        ),
        Edit(
            "data.py",
            "            logid=self.logid.to(device),\n",
            "            logid=self.logid.to(device),\n"
            "            plan=AttentionPlan(self.user_offsets.diff(), device=device),\n",
        ),
    ),
    check=Check("Attention", "attention_before", "attention_after"),
)

_SLOTS = Change(
    "the lookups and copies slot by slot",
    (
        Answers("per-slot-embedding", "RepEncoder.forward"),
        Answers("per-slot-embedding", "Batch.to"),
    ),
    edits=(
        Edit(
            "model.py",
            "from .config import Config\n",
            "from perfkit.rewrites.fused_embedding import FusedIds, fused_embedding\n\n"
            "from .config import Config\n",
        ),
        Edit(
            "model.py",
            """    def forward(self, slots: dict[int, Bag]) -> Tensor:
        \"\"\"[S, width]; an empty bag is the zero vector, an id outside the table its nearest row.\"\"\"
        pooled = []
        for values, offsets in slots.values():
            ids = values.clamp(0, self.vocab - 1)
            vectors = self.table(ids)
            pooled.append(torch.segment_reduce(vectors, "sum", offsets=offsets, initial=0))
        return self.project(self.norm(torch.cat(pooled, dim=-1)))
""",
            """    def forward(self, bags: FusedIds) -> Tensor:
        \"\"\"[S, width]; an empty bag is the zero vector, an id outside the table its nearest row.\"\"\"
        return self.project(self.norm(fused_embedding(self.table.weight, bags)))
""",
        ),
        Edit(
            "data.py",
            "from .config import Config\n",
            "from perfkit.rewrites.fused_embedding import FusedIds, fuse_slots\n\n"
            "from .config import Config\n",
        ),
        Edit("data.py", "    slots: dict[int, Bag]\n", "    slots: FusedIds\n"),
        Edit(
            "data.py",
            """            slots={
                slot: (values.to(device), offsets.to(device))
                for slot, (values, offsets) in self.slots.items()
            },
""",
            "            slots=self.slots.to(device),\n",
        ),
        Edit(
            "data.py",
            "        slots={slot: collate_slot(rows, slot) for slot in range(1, slots + 1)},\n",
            "        slots=fuse_slots([collate_slot(rows, slot) for slot in range(1, slots + 1)]),\n",
        ),
    ),
    check=Check("RepEncoder", "encoder_before", "encoder_after"),
)

_PINNED = Change(
    "the copies from ordinary memory",
    (Answers("unpinned-copy", "to"), Answers("unpinned-copy", "Batch.to")),
    edits=(
        *(
            Edit("data.py", f"self.{name}.to(device)", f"self.{name}.to(device, non_blocking=True)")
            for name in ("user_offsets", "timestamp", "label", "pred_mask", "logid")
        ),
        Edit(
            "data.py",
            "\n\ndef id_effects(",
            """
    def pin_memory(self) -> Batch:
        \"\"\"The same in page-locked memory; the DataLoader asks for it.\"\"\"
        return Batch(**{
            name: value.pin_memory() if value is not None else None
            for name, value in vars(self).items()
        })


def id_effects(""",
        ),
        Edit(
            "data.py",
            "        num_workers=workers,\n",
            "        num_workers=workers,\n        pin_memory=torch.cuda.is_available(),\n",
        ),
    ),
)

_RESULTS = Change(
    "the results fetched in every step",
    (Answers("sync-in-metrics", "predict"),),
    edits=(
        Edit(
            "inference.py", "    began = time.time()\n", "    began = time.time()\n    kept = []\n"
        ),
        Edit(
            "inference.py",
            """        result.probabilities += probabilities[batch.pred_mask].cpu().tolist()
        result.labels += batch.label[batch.pred_mask].cpu().tolist()
        result.logids += batch.logid[batch.pred_mask].cpu().tolist()
""",
            "        kept.append((batch.pred_mask, probabilities, batch.label, batch.logid))\n",
        ),
        Edit(
            "inference.py",
            "    result.total_s = time.time() - began\n",
            """    wanted, *columns = (torch.cat(column) for column in zip(*kept, strict=True))
    read = [column[wanted].cpu().tolist() for column in columns]
    result.probabilities, result.labels, result.logids = read
    result.total_s = time.time() - began
""",
        ),
    ),
)

CTR = Program(
    "ctr",
    {f"{name}.py": f"workloads/ctr/{name}.py" for name in _NAMES},
    (_EXPERTS, _MASK, _SLOTS, _PINNED, _RESULTS),
    _CHECKS,
    arguments=("--batches", "56"),
    small=("--batches", "20", "--layers", "2", "--vocab", "2000"),
)
