"""The pytest plugin: budgets as marks, and a table of what tests ask of the device.

    @pytest.mark.no_sync
    @pytest.mark.max_syncs(1)
    @pytest.mark.max_launches(200)
    @pytest.mark.max_h2d_bytes(1 << 20)
    def test_step(perfkit_pretend_cuda): ...

A mark watches the test itself, not its fixtures. The fixture `perfkit_pretend_cuda` makes the test
believe in a CUDA device on a machine that has none; ask for it in the fixture that builds the model,
or let `--perfkit-pretend-cuda` put it around every marked test. Tests without a mark pay nothing: torch
and the rest of perfkit are imported by the first test that has one.

Pages: `perfkit.guard` says what is counted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

SCHEMA = "perfkit.pytest/1"
FIXTURE = "perfkit_pretend_cuda"
MARKS = {
    "no_sync": "the test makes no host-device synchronisation",
    "max_syncs(n)": "the test makes at most n host-device synchronisations",
    "max_launches(n)": "the test runs at most n operators on the device",
    "max_h2d_bytes(n)": "the test copies at most n bytes to the device",
}
_NAMES = tuple(text.partition("(")[0] for text in MARKS)
_PROPERTY = "perfkit"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("perfkit", "perfkit: what tests ask of the device")
    group.addoption(
        "--perfkit-report",
        action="store_true",
        help="Print syncs, launches and bytes of every test that has a device or a budget.",
    )
    group.addoption(
        "--perfkit-report-json",
        metavar="FILE",
        help="Write the rows of --perfkit-report there too.",
    )
    group.addoption(
        "--perfkit-pretend-cuda",
        action="store_true",
        help="Where there is no GPU, tests with a budget believe in one, their fixtures included.",
    )


def pytest_configure(config: pytest.Config) -> None:
    for text, meaning in MARKS.items():
        config.addinivalue_line("markers", f"{text}: {meaning} (perfkit)")


@pytest.fixture
def perfkit_pretend_cuda() -> Iterator[Any]:
    """The test believes in a CUDA device; hands out the running `Pretence`, or None on a real GPU."""
    with _pretended() as pretence:
        yield pretence


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    asked = item.config.getoption("--perfkit-pretend-cuda") and _budgets(item)
    with ExitStack() as stack:
        if asked and FIXTURE not in getattr(item, "fixturenames", ()):
            stack.enter_context(_pretended())
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, None]:
    budgets = _budgets(pyfuncitem)
    if not budgets and not (_reports(pyfuncitem.config) and _device_is_there()):
        yield
        return
    from perfkit.base.errors import PerfkitError
    from perfkit.capture import guard

    watch = guard.watching(**budgets)
    try:
        watched = watch.__enter__()
    except PerfkitError as error:
        pytest.fail(str(error), pytrace=False)
    outcome = yield
    raised = outcome.excinfo or (None, None, None)
    try:
        watch.__exit__(*raised)
    except guard.BudgetError as error:
        outcome.force_exception(pytest.fail.Exception(str(error), pytrace=False))
    if isinstance(raised[1], guard.BudgetError):
        _end_at_the_users_line(raised[1])
    if _reports(pyfuncitem.config):
        pyfuncitem.user_properties.append((_PROPERTY, _row(pyfuncitem.nodeid, watched)))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not _reports(config):
        return
    rows = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == _PROPERTY
    ]
    rows.sort(key=lambda row: (-row["syncs"], -row["launches"], row["test"]))
    terminalreporter.section("perfkit: what tests asked of the device")
    for line in _table([row for row in rows if row["costliest"]]):
        terminalreporter.write_line(line)
    path = config.getoption("--perfkit-report-json")
    if path:
        _write(path, rows)


def _end_at_the_users_line(error: BaseException) -> None:
    """Cut torch's and our own frames off the end of a traceback."""
    from perfkit.detectors.places import is_machinery

    frame, last = error.__traceback__, None
    while frame is not None:
        if not is_machinery(frame.tb_frame.f_code.co_filename):
            last = frame
        frame = frame.tb_next
    if last is not None:
        last.tb_next = None


def _reports(config: pytest.Config) -> bool:
    return bool(config.getoption("--perfkit-report") or config.getoption("--perfkit-report-json"))


def _device_is_there() -> bool:
    """A GPU or a running pretence; without, only a budget is worth an assumption about placement."""
    if "torch" not in sys.modules:
        return False
    from perfkit.capture.device_calls import observable

    return observable()


def _budgets(item: pytest.Item) -> dict[str, Any]:
    """Arguments of `guard.watching` from the marks of a test; the closest mark of a name counts."""
    found: dict[str, Any] = {}
    for name in _NAMES:
        mark = item.get_closest_marker(name)
        if mark is None:
            continue
        key = name.removeprefix("max_").replace("no_sync", "syncs")
        limit = 0 if name == "no_sync" else _limit(item, mark)
        found[key] = min(limit, found.get(key, limit))
    return found


def _limit(item: pytest.Item, mark: pytest.Mark) -> int:
    given = mark.args[0] if len(mark.args) == 1 and not mark.kwargs else None
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise pytest.UsageError(
            f"{item.nodeid}: write @pytest.mark.{mark.name}(n) with a whole number from 0 on"
        )
    return given


@contextmanager
def _pretended() -> Iterator[Any]:
    import torch

    from perfkit import pretend

    if pretend.is_active() or torch.cuda.is_available():
        yield None
        return
    with pretend.pretend_cuda() as pretence:
        yield pretence


def _row(test: str, watched: Any) -> dict[str, Any]:
    return {
        "test": test,
        "syncs": watched.syncs.total,
        "launches": watched.launches.total,
        "h2d_bytes": watched.copies.total if watched.copies_seen else None,
        "costliest": (
            watched.syncs.costliest or watched.copies.costliest or watched.launches.costliest
        ),
    }


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    if not rows:
        yield "nothing: no test ran an operator on a device"
        return
    yield f"{'syncs':>6} {'launches':>9} {'h2d bytes':>12}  test, and its costliest line"
    for row in rows:
        sent = "-" if row["h2d_bytes"] is None else row["h2d_bytes"]
        yield f"{row['syncs']:>6} {row['launches']:>9} {sent:>12}  {row['test']}"
        yield f"{'':>31}{row['costliest']}"


def _write(path: str, rows: list[dict[str, Any]]) -> None:
    from pathlib import Path

    from perfkit.base.files import write_text

    write_text(Path(path), json.dumps({"schema": SCHEMA, "rows": rows}, indent=1) + "\n")
