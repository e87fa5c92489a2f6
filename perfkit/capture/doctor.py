"""What this machine lets perfkit see: one small check per thing, none of which can stop another.

A check reports; it never raises and never changes anything.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

State = Literal["ok", "limited", "missing", "broken"]
"""`ok`: there and working; `limited`: works with less; `missing`: not there; `broken`: there, but fails."""

_PARAMS = Path("/proc/driver/nvidia/params")
_DRIVER = Path("/proc/driver/nvidia/version")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# What looking at a half-installed package or driver raises.
_FAILURES = (ImportError, OSError, RuntimeError, AttributeError, ValueError, TypeError)


@dataclass(frozen=True)
class Check:
    """One thing looked at. `advice` says what to do about it, empty where nothing is needed."""

    name: str
    state: State
    detail: str
    advice: str = ""


@dataclass(frozen=True)
class Observable:
    """One thing a profile may tell, whether it can here, and why (not)."""

    what: str
    here: Literal["yes", "simulated", "no"]
    why: str


def examine(folder: Path) -> tuple[Check, ...]:
    """Every check; `folder` is where runs would be written."""
    checks: Sequence[Callable[[], Check]] = (
        check_python,
        check_torch,
        check_cuda,
        check_driver,
        check_cupti,
        check_nvml,
        check_counters,
        lambda: check_output(folder),
        check_tensorboard,
        check_plugin,
        check_chromium,
    )
    return tuple(isolated(check) for check in checks)


def isolated(check: Callable[[], Check]) -> Check:
    """The check's answer, or `broken` with the error if it failed itself."""
    try:
        return check()
    except _FAILURES as error:
        name = getattr(check, "__name__", "check").removeprefix("check_").strip("<>")
        return Check(name, "broken", f"{type(error).__name__}: {error}", "please report this")


def observable(checks: Sequence[Check]) -> tuple[Observable, ...]:
    """What a profile will show on this machine, drawn from the checks."""
    state = {check.name: check.state for check in checks}
    torch_works = state.get("torch") in ("ok", "limited")
    gpu = torch_works and state.get("cuda") == "ok"
    kernels = gpu and state.get("cupti") == "ok"
    viewer = state.get("tensorboard") == "ok" and state.get("tensorboard plugin") != "missing"
    no_gpu = "no CUDA device that torch can use"
    no_torch = "torch does not import"
    return (
        Observable(
            "which lines synchronise, how often per step",
            "no" if not torch_works else "yes" if gpu else "simulated",
            no_torch
            if not torch_works
            else "the program's own CUDA calls are watched"
            if gpu
            else f"{no_gpu}: a pretend one gives exact lines and counts",
        ),
        Observable(
            "how long the host waits at each",
            "yes" if gpu else "no",
            "each wait is timed" if gpu else f"{no_gpu}: nothing to wait for",
        ),
        Observable(
            "host time of operators",
            "yes" if torch_works else "no",
            "torch.profiler records them on any machine" if torch_works else no_torch,
        ),
        Observable(
            "device time of kernels and copies, device idle time",
            "yes" if kernels else "no",
            "CUPTI delivers them" if kernels else no_gpu if not gpu else "CUPTI is not usable",
        ),
        Observable(
            "GPU clocks, power, utilisation",
            "yes" if state.get("nvml") in ("ok", "limited") else "no",
            "sampled 20 times a second while steps run (--sample-hz, perfkit monitor)"
            if state.get("nvml") == "ok"
            else "sampled as far as NVML tells it, see nvml above"
            if state.get("nvml") == "limited"
            else "NVML is not usable here",
        ),
        Observable(
            "CPU, memory, worker processes, disk and network",
            "yes",
            "sampled 20 times a second while steps run (--sample-hz, perfkit monitor)",
        ),
        Observable(
            "the trace in TensorBoard",
            "yes" if viewer else "no",
            "perfkit view RUN" if viewer else "TensorBoard or its plugin does not load",
        ),
    )


def check_python() -> Check:
    """Its version."""
    return Check("python", "ok", platform.python_version())


def check_torch() -> Check:
    """Its version and build."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return Check("torch", "missing", _first_line(error), "pip install torch")
    version = str(torch.__version__)
    build = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    if torch.version.hip:
        build = f"for ROCm {torch.version.hip}"
    if tuple(int(part) for part in version.split("+")[0].split(".")[:2] if part.isdecimal()) < (
        2,
        6,
    ):
        return Check("torch", "limited", f"{version}, {build}", "perfkit is tested from 2.6 on")
    return Check("torch", "ok", f"{version}, {build}")


def check_cuda() -> Check:
    """Whether torch can use a GPU, and which."""
    import torch

    if torch.version.cuda is None and torch.version.hip is None:
        return Check(
            "cuda",
            "missing",
            "this torch is a CPU build",
            "fine for --device pretend-cuda; for a GPU install a CUDA build of torch",
        )
    if not torch.cuda.is_available():
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        why = (
            f"CUDA_VISIBLE_DEVICES={hidden!r} hides them" if hidden is not None else "none answers"
        )
        return Check("cuda", "missing", f"no GPU: {why}", "check the driver with nvidia-smi")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    listed = ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))
    return Check("cuda", "ok", listed)


def check_driver() -> Check:
    """The NVIDIA kernel driver."""
    if _DRIVER.exists():
        line = (_DRIVER.read_text(encoding="utf-8", errors="replace").splitlines() or [""])[0]
        return Check("driver", "ok", line.removeprefix("NVRM version:").strip())
    if _is_wsl() and Path("/dev/dxg").exists():
        return Check("driver", "ok", "the Windows host's, through WSL")
    return Check("driver", "missing", "no NVIDIA kernel driver is loaded", "only needed for a GPU")


def check_cupti() -> Check:
    """CUPTI, through which Kineto sees kernels."""
    import torch

    if torch.version.cuda is None:
        return Check(
            "cupti", "missing", "this torch is not built for CUDA", "only needed for a GPU"
        )
    if torch.profiler.ProfilerActivity.CUDA not in torch.profiler.supported_activities():
        if not torch.cuda.is_available():
            return Check("cupti", "missing", "no GPU to trace", "only needed for a GPU")
        return Check("cupti", "broken", "torch.profiler offers no CUDA activity", "reinstall torch")
    found = _load_cupti(torch.version.cuda.split(".")[0])
    if found is None:
        return Check("cupti", "ok", "none to load: it is linked into torch")
    return Check("cupti", "ok", found)


def _load_cupti(major: str) -> str | None:
    """Path or name of the CUPTI library that loads, None if there is none beside torch."""
    roots = [Path(path) / "nvidia" for path in sys.path if path]
    packaged = [file for root in roots for file in root.glob("**/libcupti.so.*")]
    for name in [*map(str, packaged), f"libcupti.so.{major}", "libcupti.so"]:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return name
    return None


def check_nvml() -> Check:
    """NVML, through which clocks, power and utilisation are read."""
    try:
        import pynvml
    except ImportError:
        return Check("nvml", "missing", "no Python binding", "pip install nvidia-ml-py")
    if _version("pynvml"):
        return Check(
            "nvml",
            "limited",
            "the retired package pynvml hides nvidia-ml-py",
            "pip uninstall pynvml && pip install --force-reinstall nvidia-ml-py",
        )
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return _no_nvml(error, pynvml)
    try:
        return _nvml_state(pynvml)
    except pynvml.NVMLError as error:
        return _no_nvml(error, pynvml)
    finally:
        pynvml.nvmlShutdown()


def _nvml_state(pynvml: object) -> Check:
    nvml = pynvml
    count = nvml.nvmlDeviceGetCount()  # type: ignore[attr-defined]
    if not count:
        return Check("nvml", "missing", "NVML works but shows no GPU", "check nvidia-smi")
    if any(_is_mig(nvml, index) for index in range(count)):
        return Check(
            "nvml",
            "limited",
            "a GPU is divided by MIG: NVML reports no utilisation for its parts",
            "use a whole GPU for utilisation",
        )
    version = nvml.nvmlSystemGetDriverVersion()  # type: ignore[attr-defined]
    text = version.decode() if isinstance(version, bytes) else str(version)
    if _is_wsl():
        return Check("nvml", "limited", f"driver {text}; under WSL some readings are missing")
    return Check("nvml", "ok", f"{count} GPU(s), driver {text}")


def _is_mig(nvml: object, index: int) -> bool:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)  # type: ignore[attr-defined]
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)  # type: ignore[attr-defined]
    except nvml.NVMLError:  # type: ignore[attr-defined]
        return False  # a GPU that knows no MIG
    return bool(current)


def _no_nvml(error: Exception, pynvml: object) -> Check:
    kind = type(error).__name__
    if "LibraryNotFound" in kind or "DriverNotLoaded" in kind:
        return Check("nvml", "missing", "no NVIDIA driver", "only needed for a GPU")
    if "NoPermission" in kind:
        return Check("nvml", "limited", "no permission", "ask for access to /dev/nvidia*")
    return Check("nvml", "broken", f"{error}", "check nvidia-smi")


def check_counters() -> Check:
    """Hardware counters, which the driver may reserve for administrators."""
    if not _PARAMS.exists():
        return Check("gpu counters", "missing", "no NVIDIA kernel driver is loaded", "not needed")
    text = _PARAMS.read_text(encoding="utf-8", errors="replace")
    values = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    restricted = values.get("RmProfilingAdminOnly", "").strip()
    if restricted != "1":
        return Check("gpu counters", "ok", "open to every user")
    if os.geteuid() == 0:
        return Check("gpu counters", "ok", "reserved for administrators, which you are")
    return Check(
        "gpu counters",
        "limited",
        "reserved for administrators; perfkit's traces do not need them",
        "for Nsight Compute: load the driver with NVreg_RestrictProfilingToAdminUsers=0",
    )


def check_output(folder: Path) -> Check:
    """Whether runs can be written."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Check("output folder", "broken", f"{folder}: {error.strerror}", "choose --out DIR")
    free = shutil.disk_usage(there).free / 2**30
    state: State = "ok" if free > 1 else "limited"
    advice = "" if free > 1 else "traces can take gigabytes: free some space"
    return Check("output folder", state, f"{folder} is writable, {free:,.0f} GiB free", advice)


def check_tensorboard() -> Check:
    """TensorBoard, and the module of old setuptools that its releases before 2.20 import."""
    version = _version("tensorboard")
    if not version:
        return Check("tensorboard", "missing", "not installed", "pip install tensorboard")
    if importlib.util.find_spec("pkg_resources") is None and _imports_pkg_resources():
        setuptools = _version("setuptools") or "not installed"
        return Check(
            "tensorboard",
            "broken",
            f"{version} needs pkg_resources, and setuptools {setuptools} has none",
            "pip install 'setuptools<81'",
        )
    return Check("tensorboard", "ok", version)


def _imports_pkg_resources() -> bool:
    """Whether the installed TensorBoard finds its plugins through pkg_resources."""
    spec = importlib.util.find_spec("tensorboard.default")
    if spec is None or spec.origin is None:
        return False
    return "pkg_resources" in Path(spec.origin).read_text(encoding="utf-8")


def check_plugin() -> Check:
    """The profiler plugin, whose last release misreads today's traces."""
    version = _version("torch-tb-profiler")
    name = "tensorboard plugin"
    if not version or importlib.util.find_spec("torch_tb_profiler") is None:
        return Check(name, "missing", "not installed", "pip install torch-tb-profiler")
    if version.startswith("0.4"):
        return Check(
            name,
            "limited",
            f"{version} shows no device time for traces of today's torch",
            "perfkit's own runs are written so that it does; give it others by `perfkit view FILE`",
        )
    return Check(name, "ok", version)


def check_chromium() -> Check:
    """A browser without a screen, for the tests of the pages only."""
    found = next((path for path in map(shutil.which, _BROWSERS) if path), None)
    if found is None:
        return Check("chromium", "missing", "only perfkit's tests need it", "apt install chromium")
    return Check("chromium", "ok", found)


def _is_wsl() -> bool:
    return "microsoft" in platform.release().lower()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
