"""The light, always-on detector on a real GPU: an interposer at the CUDA key, with two witnesses.

The catalogue's operators are interposed, so a call is judged with its arguments and the host's wait
is timed; everything else runs as if nothing were there, about a microsecond per intercepted call.
torch's GPU-trace callbacks and sync-debug warnings then confirm each judgement. What only a witness
saw is published as an explicit `synchronize`, what only the catalogue saw is counted and noted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor

from perfkit.catalogue import _index
from perfkit.catalogue._call import Arguments, Seen
from perfkit.detectors import gpu_trace, sync_debug
from perfkit.detectors.copies import host_device_copies
from perfkit.detectors.evidence import Hit, publish
from perfkit.detectors.interposer import Interposer, available
from perfkit.detectors.judging import hit_of, judged
from perfkit.detectors.places import TORCH_VERSION, is_dense, origin
from perfkit.model.run import Gap

# Too frequent to interpose: casts and fills of every step go through them. Copies are seen at the
# tensor methods instead, the rest by the witnesses.
_TOO_FREQUENT = {"aten::copy_", "aten::fill_.Tensor", "aten::where.self"}


class DeviceCall(Arguments):
    """One ATen call with real placement (`catalogue._call.Call`)."""

    @property
    def torch_version(self) -> tuple[int, int]:
        return TORCH_VERSION

    def on_device(self, value: Any) -> bool:
        return isinstance(value, Tensor) and value.is_cuda

    def on_host(self, value: Any) -> bool:
        return isinstance(value, Tensor) and value.device.type == "cpu"

    def pinned(self, value: Any) -> bool:
        return isinstance(value, Tensor) and value.is_pinned() and is_dense(value)

    def literal(self, value: Any) -> bool:
        return False  # by the time of the kernel call, torch has moved it


class _Local(threading.local):
    judging = False
    witnessed = 0


class CudaWatch:
    """Judges intercepted calls and listens to the witnesses.

    Attributes:
        classify: False lets every call pass unjudged.
        used: a call on the device was intercepted.
        confirmed, unconfirmed: judged syncs that a witness saw, and did not see.
    """

    def __init__(self) -> None:
        self.classify = True
        self.used = False
        self.dispatched = 0  # not counted here: on a GPU the trace has the launches
        self.confirmed = 0
        self.unconfirmed: dict[str, int] = {}
        self.unexplained = 0
        self.missing: list[str] = []
        self._witnesses = False
        self._local = _Local()

    def around(self, op: str, original: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run one intercepted kernel, judged and timed (the interposer's hook)."""
        self.used = True
        if not self.classify or self._local.judging:
            return original(*args, **kwargs)
        seen = _first(op, DeviceCall(args, kwargs))
        if seen is None:
            return original(*args, **kwargs)
        try:
            with self._inside() as began:
                return original(*args, **kwargs)
        finally:
            wait = time.perf_counter_ns() - began
            self._publish(op, *seen, wait)

    def around_copy(
        self, op: str, copy: Callable[[], Any], arguments: Callable[[Any], tuple[Any, ...]]
    ) -> Any:
        """Make one copy between host and device, judged once its result is there."""
        if not self.classify or self._local.judging:
            return copy()
        self.used = True
        with self._inside() as began:
            out = copy()
        wait = time.perf_counter_ns() - began
        seen = _first("aten::copy_", DeviceCall(arguments(out), {}))
        if seen is not None:
            self._publish(op, *seen, wait)
        return out

    @contextmanager
    def _inside(self) -> Iterator[int]:
        """A judged call runs: what it calls is part of it. Hands out when it began, in ns."""
        self._local.judging, self._local.witnessed = True, 0
        try:
            yield time.perf_counter_ns()
        finally:
            self._local.judging = False

    def witness(self, what: str = "stream") -> None:
        """A witness saw a wait: inside a judged call it confirms, elsewhere it is evidence itself."""
        if not self.classify:
            return
        if self._local.judging:
            self._local.witnessed += 1
            return
        self.unexplained += 1
        page, came = _index.page("synchronize"), origin()
        op = f"torch.cuda.{what}.synchronize" if what != "device" else "torch.cuda.synchronize"
        publish(
            Hit(op, page.kind, page.direction, came.place, "gpu-trace", fix=page.fix,
                backward=came.in_backward)
        )  # fmt: skip

    def confirm(self) -> None:
        """The sync-debug mode warned: it only confirms, since its message names no operator."""
        if self._local.judging:
            self._local.witnessed += 1

    def notes(self) -> tuple[Gap, ...]:
        """What was missing, and where the detectors disagree."""
        gaps = [
            Gap(f"{op} on CUDA", "this torch has no kernel to interpose") for op in self.missing
        ]
        if not self._witnesses:
            gaps.append(Gap("cross-check of syncs", "this torch has no GPU-trace callbacks"))
        for op, count in self.unconfirmed.items():
            gaps.append(
                Gap(f"{op} was judged a sync", f"no witness saw a wait in {count} calls: thrust, cuSOLVER "
                    "and staged copies wait below c10")
            )  # fmt: skip
        if self.unexplained:
            gaps.append(
                Gap(f"{self.unexplained} waits outside every catalogued operator",
                    "listed as synchronize at their lines")
            )  # fmt: skip
        return tuple(gaps)

    def _publish(self, op: str, kind: str, seen: Seen, blocked_ns: int) -> None:
        if self._witnesses and self._local.witnessed:
            self.confirmed += 1
        elif self._witnesses and seen.certain:
            self.unconfirmed[op] = self.unconfirmed.get(op, 0) + 1
        publish(hit_of(kind, op, seen, origin(3), "cuda-interposer", blocked_ns=blocked_ns))


def _first(op: str, call: DeviceCall) -> tuple[str, Seen] | None:
    return next(judged(_index.rules().get(op, ()), call), None)


@contextmanager
def watch_cuda(key: str = "CUDA") -> Iterator[CudaWatch]:
    """Detect syncs on the real device inside the block.

    Args:
        key: dispatch key to interpose at; tests use "CPU".
    """
    watch = CudaWatch()
    with ExitStack() as stack:
        if available():
            operators = [op for op in _index.rules() if op not in _TOO_FREQUENT]
            interposer = stack.enter_context(Interposer(operators, key, watch.around))
            watch.missing = interposer.missing
        else:
            watch.missing = ["every operator"]
        stack.enter_context(host_device_copies(watch.around_copy))
        if gpu_trace.available():
            watch._witnesses = True
            stack.enter_context(gpu_trace.Waits(watch.witness))
        stack.enter_context(sync_debug.sync_warnings(watch.confirm))
        yield watch
