"""Named regions of a program: `@perfkit.instrument("lens_loss")` or `with perfkit.instrument(...)`.

They appear as ranges in the trace, with their own syncs, time and operator counts in the run. With no
capture running a region costs one comparison. Imports no torch.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Capture(Protocol):
    """What a running capture wants to know."""

    def region_entered(self, name: str) -> None: ...
    def region_left(self, name: str) -> None: ...
    def explicit_step(self) -> None: ...


_active: Capture | None = None
_called: Callable[[str, tuple[Any, ...], dict[str, Any]], None] | None = None


def activate(capture: Capture | None) -> None:
    """Make `capture` the one that hears of regions and steps; None for nobody."""
    global _active
    _active = capture


def hear_calls(heard: Callable[[str, tuple[Any, ...], dict[str, Any]], None] | None) -> None:
    """Have `heard(name, args, kwargs)` called before each call of a decorated function; None for nobody."""
    global _called
    _called = heard


def active() -> Capture | None:
    """The capture that is running, if any."""
    return _active


def step() -> None:
    """Say that a step of the program ended here. Does nothing while nobody captures."""
    if _active is not None:
        _active.explicit_step()


class instrument:
    """A named region: decorator of functions and coroutines, or a context manager.

    Args:
        name: as it appears in the report; a decorated function's own name by default.
    """

    def __init__(self, name: str | None = None) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError('give the region a name: @perfkit.instrument("name")')
        self._name = name
        self._open: list[tuple[Capture, Any]] = []

    def __enter__(self) -> instrument:
        if _active is not None:
            torch = sys.modules.get("torch")
            mark = torch.profiler.record_function(self._name or "region") if torch else None
            if mark is not None:
                mark.__enter__()
            self._open.append((_active, mark))
            _active.region_entered(self._name or "region")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._open:
            capture, mark = self._open.pop()
            capture.region_left(self._name or "region")
            if mark is not None:
                mark.__exit__(None, None, None)

    def __call__(self, function: F) -> F:
        name = self._name or function.__name__
        wrapper: Any
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                if _called is not None:
                    _called(name, args, kwargs)
                with instrument(name):
                    return await function(*args, **kwargs)
        else:

            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                if _active is None:
                    return function(*args, **kwargs)
                if _called is not None:
                    _called(name, args, kwargs)
                with instrument(name):
                    return function(*args, **kwargs)

        return wrapper  # type: ignore[no-any-return]
