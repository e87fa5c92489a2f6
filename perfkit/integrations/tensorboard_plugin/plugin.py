"""What TensorBoard loads: routes for the tab's own files, the list of runs, and their reports.

Nothing here imports torch. A report runs in a sandboxed frame and under its own policy, which allows
its own scripts by hash and no connection at all: what stands in a trace can neither call TensorBoard
nor anybody else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from tensorboard.plugins import base_plugin
from werkzeug import Request, Response

from perfkit.base.errors import PerfkitError
from perfkit.integrations.tensorboard_plugin._pages import THEMES, Pages, themed
from perfkit.integrations.tensorboard_plugin._runs import Listing

NAME = "perfkit"
FILES = {
    "index.js": "text/javascript",
    "charts.js": "text/javascript",
    "surroundings.js": "text/javascript",
    "index.css": "text/css",
}

View = Callable[[Request], Response]


class PerfkitPlugin(base_plugin.TBPlugin):  # type: ignore[misc]  # TensorBoard has no annotations
    """The tab; one object per TensorBoard."""

    plugin_name = NAME

    def __init__(self, context: base_plugin.TBContext) -> None:
        super().__init__(context)
        self._runs = Listing(Path(context.logdir).expanduser()) if context.logdir else None
        self._pages = Pages()

    def get_plugin_apps(self) -> dict[str, Any]:
        """Routes below `data/plugin/perfkit`."""
        views: dict[str, View] = {f"/{n}": partial(_file, n, kind) for n, kind in FILES.items()}
        views |= {"/runs": self._list, "/report": self._report}
        return {name: Request.application(view) for name, view in views.items()}

    def is_active(self) -> bool:
        """Whether there is a run to show; TensorBoard asks again at each reload."""
        return self._runs is not None and self._runs.any()

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        return base_plugin.FrontendMetadata(es_module_path="/index.js", tab_name=NAME)

    def _list(self, request: Request) -> Response:
        rows = {"runs": [], "left_out": 0} if self._runs is None else self._runs.rows()
        return _answer(json.dumps(rows, allow_nan=False).encode(), "application/json")

    def _report(self, request: Request) -> Response:
        name = request.args.get("run", "")
        folder = None if self._runs is None else self._runs.folder(name)
        if folder is None:
            return _answer(b"There is no run of this name in the log directory.", status=404)
        try:
            page = self._pages.of(folder)
        except PerfkitError as error:
            return _answer(str(error).encode("utf-8", "replace"), status=422)
        theme = request.args.get("theme", "")
        response = _answer(themed(page.html, theme).encode(), "text/html")
        response.headers["Content-Security-Policy"] = f"{page.policy}; frame-ancestors 'self'"
        response.set_etag(f"{page.mark}-{theme}" if theme in THEMES else page.mark)
        return response.make_conditional(request)


def _file(name: str, kind: str, request: Request) -> Response:
    """One of the tab's own files; `name` comes from `FILES`, never from the request."""
    data = resources.files(__package__).joinpath("static").joinpath(name).read_bytes()
    return _answer(data, kind)


def _answer(data: bytes, kind: str = "text/plain", status: int = 200) -> Response:
    response = Response(data, status, content_type=f"{kind}; charset=utf-8")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
