"""Steps of 100 µs on the GPU of round numbers, made of products; for the three rules about them."""

from __future__ import annotations

from perfkit.analysis.trace_run import trace_run
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from tests.cost_rows import GPU
from tests.draw import draw
from tests.trace_pictures import trace

HERE = Frame("/p/model.py", 7, "forward")


def run(*costs: object, **fields: object) -> Run:
    """A measured step of these costs."""
    picture = f"step  {'b' * 100}"
    about = {"device": "cuda", "peaks": GPU, "costs": costs, "costed_steps": 1}
    return draw(picture, **{**about, **fields})


def traced(kernel: str, *costs: object, op: str = "aten::mm", **fields: object) -> Run:
    """A traced step of 20 µs in which one kernel takes 10."""
    events = trace(f"""
        step  ssssssssssssssssssss
        op    .aa................. a={op}
        call  .l.................. l=cudaLaunchKernel
        gpu   ...kkkkkkkkkk....... k={kernel}
    """)
    found = trace_run(events, "drawn")
    about = {"peaks": GPU, "costs": costs, "costed_steps": len(costs) and 1, **fields}
    return Run(**{**{name: getattr(found, name) for name in Run.__dataclass_fields__}, **about})
