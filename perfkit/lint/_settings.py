"""What the user asked for: setup.cfg `[perfkit:lint]`, pyproject.toml `[tool.perfkit.lint]`, options."""

from __future__ import annotations

import configparser
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from perfkit.base.errors import PerfkitError

SKIPPED = (".git", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".eggs", "build", "dist")


@dataclass(frozen=True)
class Settings:
    """Which checks, which files, which functions.

    Attributes:
        select, ignore: codes or beginnings of codes; everything is selected by default.
        exclude: file name patterns, besides version control, virtual environments and builds.
        hot: names of functions that run in every step, besides forward and its likes.
        everything: also what runs once and what is merely possible.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hot: tuple[str, ...] = ()
    everything: bool = False

    def chosen(self, codes: Sequence[str]) -> frozenset[str]:
        """The codes to look for.

        Raises:
            PerfkitError: a code that begins none.
        """
        for prefix in (*self.select, *self.ignore):
            if not any(code.startswith(prefix) for code in codes):
                raise PerfkitError(
                    f"no check has a code that begins with {prefix!r}", "see perfkit explain"
                )
        selected = [c for c in codes if not self.select or c.startswith(self.select)]
        return frozenset(c for c in selected if not self.ignore or not c.startswith(self.ignore))


def settings_for(folder: Path) -> Settings:
    """The settings of the nearest folder upwards that has any.

    Raises:
        PerfkitError: a setting that does not exist, or is no list.
    """
    for place in (folder, *folder.parents):
        found = _pyproject(place / "pyproject.toml") or _setup_cfg(place / "setup.cfg")
        if found is not None:
            return found
        if (place / ".git").exists():
            break
    return Settings()


def _setup_cfg(path: Path) -> Settings | None:
    if not path.is_file():
        return None
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise PerfkitError(f"{path} cannot be read: {error}") from error
    if not parser.has_section("perfkit:lint"):
        return None
    given = {
        name: value.replace(",", " ").split() for name, value in parser["perfkit:lint"].items()
    }
    return _settings(path, given)


def _pyproject(path: Path) -> Settings | None:
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    if "tool.perfkit" not in text:
        return None
    reader = _toml()
    if reader is None:
        raise PerfkitError(
            f"{path} holds settings, but this Python cannot read TOML",
            "pip install tomli, or use setup.cfg [perfkit:lint]",
        )
    try:
        table = reader.loads(text)
    except ValueError as error:
        raise PerfkitError(f"{path} cannot be read: {error}") from error
    section = table.get("tool", {}).get("perfkit", {}).get("lint")
    return _settings(path, section) if isinstance(section, dict) else None


def _toml() -> Any:
    for name in ("tomllib", "tomli"):  # tomllib came with Python 3.11
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    return None


def _settings(path: Path, given: Mapping[str, Any]) -> Settings:
    result = Settings()
    for name, value in given.items():
        if name not in ("select", "ignore", "exclude", "hot"):
            raise PerfkitError(
                f"{path}: perfkit lint has no setting {name!r}",
                "there are select, ignore, exclude and hot",
            )
        if isinstance(value, str) or not all(isinstance(item, str) for item in value):
            raise PerfkitError(f"{path}: {name} must be a list of texts")
        result = replace(result, **cast("dict[str, Any]", {name: tuple(value)}))
    return result
