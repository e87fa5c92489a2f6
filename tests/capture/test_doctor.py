from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from perfkit.capture import doctor
from perfkit.capture.doctor import Check, examine, isolated, observable


class FakeNvml(types.ModuleType):
    """NVML with one GPU; `fails` names the error that nvmlInit raises."""

    class NVMLError(Exception):
        pass

    def __init__(self, fails: str = "", mig: bool = False, gpus: int = 1) -> None:
        super().__init__("pynvml")
        self.fails, self.mig, self.gpus = fails, mig, gpus

    def nvmlInit(self) -> None:
        if self.fails:
            raise type(f"NVMLError_{self.fails}", (self.NVMLError,), {})(self.fails)

    def nvmlShutdown(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return self.gpus

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetMigMode(self, handle: int) -> tuple[int, int]:
        return int(self.mig), int(self.mig)

    def nvmlSystemGetDriverVersion(self) -> bytes:
        return b"580.1"


def test_no_check_raises_here(tmp_path: Path) -> None:
    checks = examine(tmp_path)
    assert len({check.name for check in checks}) == len(checks) == 11
    assert [check for check in checks if check.state == "broken"] == []


def test_one_failing_check_does_not_stop_the_others() -> None:
    def check_oddity() -> Check:
        raise OSError("no such device")

    assert isolated(check_oddity).state == "broken"
    assert isolated(check_oddity).name == "oddity"
    assert "no such device" in isolated(check_oddity).detail


def test_what_is_missing_comes_with_an_advice(tmp_path: Path) -> None:
    assert [
        c.name for c in examine(tmp_path) if c.state in ("missing", "broken") and not c.advice
    ] == []


@pytest.mark.parametrize(
    ("nvml", "state", "said"),
    [
        (FakeNvml(), "ok", "1 GPU(s), driver 580.1"),
        (FakeNvml("LibraryNotFound"), "missing", "no NVIDIA driver"),
        (FakeNvml("DriverNotLoaded"), "missing", "no NVIDIA driver"),
        (FakeNvml("NoPermission"), "limited", "no permission"),
        (FakeNvml("Unknown"), "broken", "Unknown"),
        (FakeNvml(mig=True), "limited", "MIG"),
        (FakeNvml(gpus=0), "missing", "no GPU"),
    ],
)
def test_the_states_of_nvml(
    monkeypatch: pytest.MonkeyPatch, nvml: FakeNvml, state: str, said: str
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    check = doctor.check_nvml()
    assert (check.state, said in check.detail) == (state, True)


def test_nvml_under_wsl_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    monkeypatch.setattr(doctor.platform, "release", lambda: "5.15.1-microsoft-standard-WSL2")
    assert doctor.check_nvml().state == "limited"


@pytest.mark.parametrize(
    ("text", "user", "state"),
    [
        ("RmProfilingAdminOnly: 0\n", 1000, "ok"),
        ("RmProfilingAdminOnly: 1\n", 0, "ok"),
        ("Other: 1\nRmProfilingAdminOnly: 1\n", 1000, "limited"),
    ],
)
def test_who_may_read_hardware_counters(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, user: int, state: str
) -> None:
    (tmp_path / "params").write_text(text)
    monkeypatch.setattr(doctor, "_PARAMS", tmp_path / "params")
    monkeypatch.setattr(doctor.os, "geteuid", lambda: user)
    assert doctor.check_counters().state == state


def test_a_folder_that_does_not_exist_yet_is_judged_by_its_parent(tmp_path: Path) -> None:
    assert doctor.check_output(tmp_path / "a" / "b").state == "ok"
    assert not (tmp_path / "a").exists()


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "profiles").write_text("")
    assert doctor.check_output(tmp_path / "profiles").state == "broken"


def test_an_old_tensorboard_without_pkg_resources_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    find = doctor.importlib.util.find_spec
    hidden = lambda name: None if name == "pkg_resources" else find(name)  # noqa: E731
    monkeypatch.setattr(doctor.importlib.util, "find_spec", hidden)
    monkeypatch.setattr(doctor, "_imports_pkg_resources", lambda: True)
    check = doctor.check_tensorboard()
    assert (check.state, check.advice) == ("broken", "pip install 'setuptools<81'")


def test_the_plugins_defect_is_explained() -> None:
    check = doctor.check_plugin()
    assert check.state == "limited" and "no device time" in check.detail


def _machine(**states: str) -> dict[str, str]:
    """What can be seen on a machine where everything works but what is given."""
    names = ["torch", "cuda", "cupti", "nvml", "tensorboard", "tensorboard plugin"]
    checks = [Check(n, states.get(n, "ok"), "") for n in names]  # type: ignore[arg-type]
    return {sight.what: sight.here for sight in observable(checks)}


def test_without_a_gpu_lines_are_simulated_and_times_unknown() -> None:
    sights = _machine(cuda="missing", cupti="missing", nvml="missing")
    assert sights["which lines synchronise, how often per step"] == "simulated"
    assert sights["how long the host waits at each"] == "no"
    assert sights["host time of operators"] == "yes"


def test_samples_are_as_good_as_nvml_is() -> None:
    what = "GPU clocks, power, utilisation"
    states = {state: _machine(nvml=state)[what] for state in ("ok", "limited", "missing", "broken")}
    assert states == {"ok": "yes", "limited": "yes", "missing": "no", "broken": "no"}
    assert _machine(nvml="missing")["CPU, memory, worker processes, disk and network"] == "yes"


def test_without_cupti_only_device_time_is_lost() -> None:
    sights = _machine(cupti="broken")
    assert [what for what, here in sights.items() if here == "no"] == [
        "device time of kernels and copies, device idle time",
    ]


def test_without_torch_nothing_is_promised() -> None:
    sights = _machine(torch="missing", cuda="broken")
    assert set(sights.values()) == {"no", "yes"}
    assert sights["which lines synchronise, how often per step"] == "no"
