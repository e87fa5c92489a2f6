"""Realistic runs for report and rule tests: the CTR model and the lens loss as found.

The sources exist only in `linecache`, so paths in goldens are the same on every machine.
"""

from __future__ import annotations

import linecache
from pathlib import Path

from perfkit.model.run import Gap, OpStat, Region, Run, Step
from perfkit.model.syncs import Direction, Frame, Phase, Sync

_SOURCES = Path(__file__).parent / "data" / "sources"
PROJECT = "/home/ada/ads-ranking"
MS = 1_000_000


def ctr_run() -> Run:
    """50 users, 8 layers, 8 experts: 128 MoE syncs on two lines, one mask, 61 copies on one line."""
    model, train = _source("ctr/model.py"), _source("ctr/evaluate.py")
    steps = _steps(
        warm_up=[1650, 655],
        bare=[418, 411, 409, 413, 410],
        light=[452, 447, 449],
        deep=[1890, 1874],
    )
    call = (_frame(model, "x = layer(x, mask)"), _frame(train, "model(batch)"))
    expert = (_frame(model, "x = x + self.moe("), *call)
    deep = [step.index for step in steps if step.instrument == "deep"]
    syncs: list[Sync] = []
    for step in deep:
        syncs += [
            _sync(step, 64, "aten::_local_scalar_dense", "item", model, "if picked.any()", expert),
            _sync(step, 64, "aten::nonzero", "nonzero", model, "rows, slot = ", expert),
            _sync(
                step, 2, "aten::repeat_interleave", "repeat_interleave", model, "user_of =", call
            ),
            _sync(
                step, 61, "aten::_to_copy", "h2d", train, "return batch.to(device)", (), 9_830_000
            ),
            _sync(step, 1, "aten::_to_copy", "d2h", train, "scores += ", (), 7_948),
        ]
    syncs.append(_sync(None, 312, "aten::_to_copy", "h2d", train, "model.to(device)", (), 61 << 20))
    return Run(
        name="ctr-found",
        command=("perfkit", "profile", "evaluate.py", "--users", "50"),
        device="pretend-cuda",
        env={"python": "3.11.7", "torch": "2.13.0+cpu", "perfkit": "0.1.0", "machine": "2 x Xeon"},
        step_marker="forward of CTRModel",
        steps=steps,
        syncs=tuple(syncs),
        ops=_ctr_ops(),
        regions=tuple(
            Region(name, step, 1, ms * MS, ops)
            for name, ms, ops in (("rep_encoder", 66, 85), ("mask", 41, 9))
            for step in range(2, 12)
        ),
        launches_per_step=1142,
        overhead={"light": 1.09, "deep": 4.58},
        gaps=(Gap("GPU memory", "no CUDA device"),),
        ended="stopped after measuring",
        exit_code=0,
        trace="worker0.1763706000.pt.trace.json.gz",
    )


def lens_run() -> Run:
    """The per-pair loss: 494 reads per step on four lines, launches that are tiny on a CPU."""
    file = _source("lens/loss.py")
    steps = _steps(warm_up=[180], bare=[61, 60, 61], light=[70], deep=[410, 402])
    syncs: list[Sync] = []
    for step in (5, 6):
        syncs += [
            _sync(step, 39, "aten::_local_scalar_dense", "item", file, "losses = [float"),
            _sync(step, 234, "aten::_local_scalar_dense", "item", file, "lookup[int("),
            _sync(step, 117, "aten::index", "mask_index", file, "chosen = scores[mask]"),
            _sync(
                step, 78, "aten::index", "mask_index", file, "chosen = scores[mask]", (), None, 1
            ),
            _sync(step, 26, "aten::is_nonzero", "item", file, "if not mask.any():"),
            _sync(step, 143, "aten::_to_copy", "h2d", file, "targets = torch.tensor(", (), 870_000),
        ]
    ops = (OpStat("aten::add", "host", 300, 4 * MS, 3 * MS),)
    return Run(
        name="lens-found",
        command=("perfkit", "profile", "-m", "lens.train"),
        device="pretend-cuda",
        steps=steps,
        step_marker="optimizer.step",
        syncs=tuple(syncs),
        ops=ops,
        launches_per_step=2799,
        overhead={"light": 1.15, "deep": 6.7},
        exit_code=0,
    )


def hostile_run() -> Run:
    """Every text a stranger controls is an attack: markup, templates, control bytes, RTL, 10 kB."""
    file = "/tmp/</script><img src=x onerror=document.title='owned'>{{7*7}}\x1b[31m\u202e.py"
    names = (
        "</script><script>document.title='owned'</script>",
        "<img src=x onerror=\"document.title='owned'\">{{7*7}}{% raw %}",
        "javascript:alert(1)|`code`|](http://example.invalid)\x00\x07\x1b[2J\u202egnp.exe\ud800",
        "x" * 10_000,
    )
    _seed(file, "\n".join(names))
    syncs = tuple(
        Sync(
            op=name,
            kind=name,
            direction="h2d" if number % 2 else "d2h",
            phase="forward",
            stack=(Frame(file, number, name),),
            step=1,
            count=3,
            caller=Frame(file, number, name),
            fix=name,
            seen_by=(name,),
            region=name,
        )
        for number, name in enumerate(names, start=1)
    )
    return Run(
        name=names[1],
        command=names,
        device="pretend-cuda",
        env={names[0]: names[1], "host": names[2]},
        step_marker=names[0],
        steps=_steps(bare=[3], deep=[4]),
        syncs=syncs,
        ops=tuple(OpStat(name, "host", 3, 5, 4) for name in names),
        regions=tuple(Region(name, 1, 1, 5) for name in names),
        gaps=tuple(Gap(name, name) for name in names),
        ended=names[0],
        trace=names[1],
    )


def _ctr_ops() -> tuple[OpStat, ...]:
    rows = (
        ("aten::bmm", 48, 402),
        ("aten::_softmax", 27, 248),
        ("aten::addmm", 436, 193),
        ("aten::segment_reduce", 84, 121),
        ("aten::index_select", 84, 74),
        ("aten::masked_fill_", 24, 66),
        ("aten::tril", 3, 51),
        ("aten::relu", 192, 18),
        ("aten::index_put_", 192, 15),
        ("aten::nonzero", 192, 6),
    )
    return tuple(OpStat(name, "host", calls, ms * MS, ms * MS) for name, calls, ms in rows)


def _steps(**durations_ms: list[int]) -> tuple[Step, ...]:
    found, at = [], 0
    for name, durations in durations_ms.items():
        for duration in durations:
            end = at + duration * MS
            found.append(Step(len(found), name.replace("_", "-"), at, end))  # type: ignore[arg-type]
            at = end + MS
    return tuple(found)


_FIXES = {
    "item": "Keep the value on the device (torch.where, masked arithmetic), or read every N steps",
    "nonzero": "Sort the tokens by expert once per layer and slice by known offsets, "
    "or compute densely for small batches",
    "repeat_interleave": "Pass output_size=, which is known on the host",
    "mask_index": "Use torch.where or multiply by the mask, and divide by mask.sum() on the device",
    "h2d": "Pin the batch (DataLoader(pin_memory=True)) and pass non_blocking=True; "
    "pack the slots into one tensor first",
    "d2h": "Collect on the device and copy once after the loop",
}


def _sync(
    step: int | None,
    count: int,
    op: str,
    kind: str,
    file: str,
    text: str,
    callers: tuple[Frame, ...] = (),
    nbytes: int | None = None,
    backward: bool | int = False,
) -> Sync:
    direction: Direction = "h2d" if kind == "h2d" else "d2h"
    phase: Phase = "backward" if backward else "other" if kind in ("h2d", "d2h") else "forward"
    return Sync(
        op=op,
        kind=kind,
        direction=direction,
        phase=phase,
        stack=(_frame(file, text), *callers),
        step=step,
        count=count,
        nbytes=nbytes,
        fix=_FIXES[kind],
        seen_by=("dispatch",),
    )


def _frame(file: str, text: str) -> Frame:
    lines = linecache.getlines(file)
    number = next(i for i, line in enumerate(lines, start=1) if text in line)
    above = [
        line.split("def ")[1].split("(")[0] for line in lines[:number] if " def " in f" {line}"
    ]
    return Frame(file, number, above[-1] if above else "<module>")


def _source(name: str) -> str:
    file = f"{PROJECT}/{name}"
    _seed(file, (_SOURCES / f"{name.replace('/', '_')}.txt").read_text(encoding="utf-8"))
    return file


def _seed(file: str, text: str) -> None:
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
