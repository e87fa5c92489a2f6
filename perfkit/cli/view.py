"""perfkit view: TensorBoard on a run."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

import click

from perfkit.base.errors import PerfkitError
from perfkit.cli._options import named_run, run_names

_TRACE = re.compile(r".+\.pt\.trace\.json(\.gz)?$")
_FIRST_PORT = 6006
_PORTS = 50
_STARTUP_S = 90
_OURS, _PROFILER = "perfkit", "pytorch_profiler"
_RUN_FILES = ("run.json", "diagnosis.json")


@click.command()
@click.argument("run", type=click.Path(path_type=Path), shell_complete=run_names)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port; by default the first free from 6006."
)
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
def command(run: Path, port: int | None, no_open: bool) -> None:
    """Open RUN in TensorBoard: a run, a folder of runs, or any trace file of torch.profiler.

    The tab PERFKIT shows the reports of the runs, TIME SERIES their steps, PYTORCH_PROFILER their
    traces. A trace file is converted first, as that one shows no device time otherwise.

    \b
    Examples:
      perfkit view profiles
      perfkit view profiles/ctr-found --no-open
    """
    require_tensorboard()
    run = named_run(run)
    with logdir(run) as folder:
        with_scalars(folder)
        chosen = free_port() if port is None else port
        # Ctrl-C is the ordinary way to end it
        with serving(folder, chosen) as (process, url), suppress(KeyboardInterrupt):
            click.echo(f"TensorBoard shows {run} at {url}")
            for line in _tabs(folder):
                click.echo(f"  {line}")
            if not no_open:
                webbrowser.open(url)
            code = process.wait()
            raise PerfkitError(f"TensorBoard ended by itself (exit code {code})", "perfkit doctor")


def _tabs(folder: Path) -> Iterator[str]:
    """What is to be seen where, a line each."""
    if _has_run(folder):
        yield "tabs at the top: PERFKIT (reports), TIME SERIES (step by step); Ctrl-C ends it"
    else:
        yield "the tab is PYTORCH_PROFILER, at the top; Ctrl-C ends it"
    if _has_trace(folder):
        yield "PYTORCH_PROFILER (traces) loads scripts from www.gstatic.com: blank without network"


def require_tensorboard() -> None:
    """Raise PerfkitError unless TensorBoard and its profiler plugin can start."""
    from perfkit.capture.doctor import check_plugin, check_tensorboard

    for check in (check_tensorboard(), check_plugin()):
        if check.state in ("missing", "broken"):
            raise PerfkitError(f"{check.name} cannot start: {check.detail}", check.advice)


@contextmanager
def logdir(run: Path) -> Iterator[Path]:
    """The log directory for what the user named; a trace file gets a temporary one.

    Raises:
        PerfkitError: there is nothing to show there.
    """
    if not run.exists() and (Path("profiles") / run).is_dir():
        run = Path("profiles") / run
    if run.is_dir():
        if not (_has_run(run) or _has_trace(run)):
            raise PerfkitError(f"there is no run in {run}", "record one: perfkit profile SCRIPT")
        yield run
    elif run.is_file():
        from perfkit.exports.tensorboard import tensorboard

        with tempfile.TemporaryDirectory(prefix="perfkit-view-") as temporary:
            target, gaps = tensorboard(run, Path(temporary) / run.name.split(".")[0])
            for gap in gaps:
                click.echo(f"note: {gap.what}: {gap.why}", err=True)
            yield target.parent.parent
    else:
        raise PerfkitError(f"{run} does not exist", "name a run, a folder of runs or a trace file")


def _has_trace(folder: Path) -> bool:
    return any(_TRACE.match(file.name) for file in folder.rglob("*.json*"))


def _has_run(folder: Path) -> bool:
    return any(file.name in _RUN_FILES for file in folder.rglob("*.json"))


def with_scalars(folder: Path) -> None:
    """Write what the standard tabs plot, for runs that were recorded without it.

    A run that does not open is left as it is, and so is a folder that cannot be written: the tab says
    of the first why, and the second only lacks its curves.
    """
    from perfkit.exports.scalars import FILE, write_scalars
    from perfkit.io.rundir import load, load_diagnosis

    for file in folder.rglob(_RUN_FILES[1]):
        if not (file.parent / FILE).exists():
            with suppress(PerfkitError):
                write_scalars(file.parent, load(file.parent), load_diagnosis(file.parent))


def free_port() -> int:
    """The first free port from TensorBoard's usual one on."""
    for port in range(_FIRST_PORT, _FIRST_PORT + _PORTS):
        if not _in_use(port):
            return port
    raise PerfkitError(f"ports {_FIRST_PORT} to {port} are all in use", "choose one with --port N")


@contextmanager
def serving(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """TensorBoard as a child process that has loaded what `folder` holds, and its address.

    It ends with the block, and on SIGTERM or SIGHUP to this process.

    Raises:
        PerfkitError: the port is taken, or TensorBoard did not start.
    """
    if _in_use(port):
        raise PerfkitError(
            f"port {port} is in use", "choose another with --port N, or leave it out"
        )
    arguments = ["--logdir", str(folder.resolve()), "--port", str(port), "--load_fast", "false"]
    command_line = [sys.executable, "-m", "tensorboard.main", *arguments]
    with tempfile.TemporaryFile() as log, _ended_by_signals():
        process = subprocess.Popen(
            command_line, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            root = f"http://localhost:{port}/"
            tab = _OURS if _has_run(folder) else _PROFILER
            _wait_until_loaded(process, f"{root}data/plugin/{tab}/runs", log)
            yield process, f"{root}#{tab}"
        finally:
            _end(process)


def _in_use(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _wait_until_loaded(process: subprocess.Popen[bytes], runs: str, log: IO[bytes]) -> None:
    """Return when the plugin whose runs these are has read some; it may then still read further ones."""
    deadline = time.monotonic() + _STARTUP_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise PerfkitError(f"TensorBoard did not start: {_tail(log)}", "perfkit doctor")
        try:
            with urllib.request.urlopen(runs, timeout=5) as reply:
                answer = json.load(reply)
            if answer["runs"] and not answer.get("loading"):
                return
        except urllib.error.HTTPError as error:
            raise PerfkitError(
                f"TensorBoard runs, but a plugin does not: {runs} answers {error.code}",
                "install perfkit with pip, that TensorBoard finds its tab, and see: perfkit doctor",
            ) from error
        except (OSError, ValueError):
            pass  # not up yet
        time.sleep(0.2)
    raise PerfkitError(
        f"TensorBoard did not load the run within {_STARTUP_S} s: {_tail(log)}", "perfkit doctor"
    )


def _tail(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP become exceptions, so that the child is ended too."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, leave) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End TensorBoard and the readers it started: politely first."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        os.killpg(process.pid, number)
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            continue
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # readers that outlived it
