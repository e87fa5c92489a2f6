"""Runs a user's script or module as Python itself would, in this process.

`sys.argv`, `sys.path[0]` and a fresh `__main__` are the program's own, so that pickling, `spawn`ed
workers and `if __name__ == "__main__"` work. The new `__main__` stays in place afterwards: exit
handlers and threads of the program may still need it. `os._exit` and SIGKILL end this process at
once; what survives then is what the capture had written after its last finished phase.
"""

from __future__ import annotations

import builtins
import importlib.machinery
import importlib.util
import io
import os
import signal
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from perfkit.base.errors import PerfkitError

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PROGRAMS = tuple(_OURS + room + os.sep for room in ("workloads", "rewrites"))


class MeasuringDone(BaseException):
    """Ends the program from inside a step boundary, for `--stop-after`."""


class Terminated(BaseException):
    """SIGTERM arrived; raised so that the program's `finally` blocks run and the run is written."""


Main = tuple[types.CodeType, types.ModuleType]


@dataclass(frozen=True)
class Program:
    """A program to run.

    Attributes:
        name: a short name for files: the script's stem, or the module's.
        argv: `sys.argv`; a module's first word becomes its file once that is known.
        path0: the folder that Python would put first on `sys.path`.
        load: finds the code and makes `__main__`; for a module this imports its parent packages,
            so that it belongs inside the capture.
    """

    name: str
    argv: tuple[str, ...]
    path0: str
    load: Callable[[], Main]


@dataclass(frozen=True)
class Ended:
    """How the program ended: in words without the step, and the exit code Python would have given."""

    how: str
    exit_code: int


def script(path: str, args: Sequence[str]) -> Program:
    """A script file, as `python PATH ARGS` takes it.

    Raises:
        PerfkitError: no such file, a directory, unreadable, or no Python source.
        SyntaxError: the script has one.
    """
    file = os.path.abspath(path)
    code = compile(_read(path), file, "exec", dont_inherit=True)
    loader = importlib.machinery.SourceFileLoader("__main__", file)
    main = _main(__file__=file, __cached__=None, __loader__=loader, __spec__=None)
    folder = os.path.dirname(os.path.realpath(path))
    return Program(Path(path).stem, (path, *args), folder, lambda: (code, main))


def module(name: str, args: Sequence[str]) -> Program:
    """A module or package, as `python -m NAME ARGS` takes it.

    Raises:
        PerfkitError: there is no such module; for one inside a package only when it is loaded.
    """
    here = os.getcwd()
    _set_path0(here)
    top = name.partition(".")[0]
    if importlib.util.find_spec(top) is None:
        raise _no_module(name)
    return Program(name.rpartition(".")[2], ("-m", *args), here, lambda: _load_module(name))


def run(program: Program) -> Ended:
    """Run it to its end. Tracebacks are printed as Python prints them, without our frames.

    Raises:
        PerfkitError: there is no such module.
    """
    sys.argv[:] = program.argv
    _set_path0(program.path0)
    try:
        code, main = program.load()
        sys.modules["__main__"] = main
        exec(code, vars(main))
    except _NoModuleError:
        raise
    except MeasuringDone:
        return Ended("stopped after measuring", 0)
    except Terminated:
        return Ended("SIGTERM", 128 + signal.SIGTERM)
    except SystemExit as error:
        return _exited(error)
    except KeyboardInterrupt as error:
        print_exception(error)
        return Ended("KeyboardInterrupt", 128 + signal.SIGINT)
    except BaseException as error:
        if _is_our_bug(error):
            raise
        print_exception(error)
        return Ended(type(error).__name__, 1)
    return Ended("ran to its end", 0)


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """SIGTERM raises `Terminated` inside the block, unless the program handles it itself."""
    pid = os.getpid()

    def terminated(signum: int, frame: object) -> None:
        if os.getpid() != pid:  # a forked worker: die as it would have died
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
            return
        raise Terminated

    before = signal.getsignal(signal.SIGTERM)
    ours = before == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    finally:
        if ours and signal.getsignal(signal.SIGTERM) is terminated:
            signal.signal(signal.SIGTERM, before)


def print_exception(error: BaseException) -> None:
    """Hand an exception to `sys.excepthook` as Python does at top level, our frames cut out."""
    without_our_frames(error)
    sys.excepthook(type(error), error, error.__traceback__)


def without_our_frames(error: BaseException) -> None:
    """Cut perfkit's frames out of an exception's traceback and those of its causes."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        item = waiting.pop()
        if item is None or id(item) in seen:
            continue
        seen.add(id(item))
        item.__traceback__ = _cut(item.__traceback__)
        waiting += [item.__cause__, item.__context__, *getattr(item, "exceptions", ())]


def _is_our_bug(error: BaseException) -> bool:
    """Raised by the capture itself, not by something of the program that we called."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return False
    code = traceback.tb_frame.f_code
    in_capture = code.co_filename.startswith((_OURS + "capture" + os.sep, _OURS + "io" + os.sep))
    return in_capture and not code.co_name.startswith("perfkit_") and code is not run.__code__


def _cut(traceback: types.TracebackType | None) -> types.TracebackType | None:
    kept: list[types.TracebackType] = []
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith(_OURS) or file.startswith(_PROGRAMS):
            kept.append(traceback)
        traceback = traceback.tb_next
    result: types.TracebackType | None = None
    for part in reversed(kept):
        result = types.TracebackType(result, part.tb_frame, part.tb_lasti, part.tb_lineno)
    return result


def _exited(error: SystemExit) -> Ended:
    code = error.code
    if code is None:
        return Ended("ran to its end", 0)
    if isinstance(code, int):
        return Ended(f"sys.exit({code})" if code else "ran to its end", code & 0xFF)
    sys.stdout.flush()
    print(code, file=sys.stderr)
    return Ended("sys.exit with a message", 1)


def _read(path: str) -> bytes:
    try:
        with io.open_code(os.path.abspath(path)) as file:
            source = file.read()
    except IsADirectoryError as error:
        raise PerfkitError(
            f"{path} is a directory, not a script", "name the file, or a package with -m"
        ) from error
    except FileNotFoundError as error:
        raise PerfkitError(
            f"there is no script {path}", f"looked in {os.getcwd()}; check the name"
        ) from error
    except OSError as error:
        raise PerfkitError(
            f"cannot read {path}: {error.strerror}", "check its permissions"
        ) from error
    if b"\0" in source:
        raise PerfkitError(f"{path} is not Python source", "name the .py file that you would run")
    return source


class _NoModuleError(PerfkitError):
    """`-m` names nothing that can be run."""


def _no_module(name: str) -> _NoModuleError:
    return _NoModuleError(
        f"there is no module {name!r} to run", "the name is looked up as python -m does"
    )


def _load_module(name: str) -> Main:
    spec = _find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = _find_spec(f"{name}.__main__")
    get_code = getattr(spec.loader, "get_code", None) if spec else None
    code = get_code(spec.name) if spec and get_code else None
    if spec is None or code is None:
        raise _no_module(name)
    sys.argv[0] = spec.origin or name
    main = _main(
        __file__=spec.origin,
        __cached__=spec.cached,
        __loader__=spec.loader,
        __package__=spec.parent,
        __spec__=spec,
    )
    return code, main


def _main(**attributes: object) -> types.ModuleType:
    main = types.ModuleType("__main__")
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    vars(main).update(__builtins__=builtins, **attributes)
    return main


def _find_spec(name: str) -> importlib.machinery.ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name + ".").startswith(error.name + "."):
            return None
        raise
    except ValueError:  # a module without a spec, such as __main__
        return None


def _set_path0(folder: str) -> None:
    if getattr(sys.flags, "safe_path", False):
        return
    sys.path[0] = folder
