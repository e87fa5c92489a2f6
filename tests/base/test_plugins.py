"""File `x.py` defines `x`; `_x.py` is machinery."""

from __future__ import annotations

import sys

import pytest

from perfkit.base import plugins
from perfkit.base.errors import PerfkitError


def test_machinery_is_no_plugin():
    assert "_call" not in plugins.names("perfkit.catalogue")
    assert "nonzero" in plugins.names("perfkit.catalogue")


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(PerfkitError, match="nonzero"):
        plugins.module("perfkit.catalogue", "nonsense")


def test_modules_come_by_name():
    found = plugins.modules("perfkit.catalogue")
    assert found["nonzero"].__name__ == "perfkit.catalogue.nonzero"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs a package with one plug-in: a file of this text, under a name, for a room."""

    def install(room, name, text, value="my_pack.{}"):
        package = tmp_path / "my_pack"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").write_text("")
        (package / f"{name}.py").write_text(text)
        about = tmp_path / "my_pack-1.0.dist-info"
        about.mkdir(exist_ok=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-pack\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[{room}]\n{name} = {value.format(name)}\n")
        monkeypatch.syspath_prepend(tmp_path)

    yield install
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_pack"]:
        del sys.modules[name]


def test_a_room_that_is_not_open_ignores_other_packages(installed):
    before = plugins.names("perfkit.catalogue")
    installed("perfkit.catalogue", "mine", "mine = 1\n")
    assert plugins.names("perfkit.catalogue") == before


def test_a_name_of_ours_stays_ours(installed):
    installed("perfkit.rules", "host_wait_in_step", "host_wait_in_step = 1\n")
    module = plugins.module("perfkit.rules", "host_wait_in_step")
    assert module.__name__ == "perfkit.rules.host_wait_in_step"


def test_an_installed_package_adds_to_an_open_room(installed):
    installed("perfkit.rules", "slow_thing", "def slow_thing(run): ...\n")
    assert "slow_thing" in plugins.names("perfkit.rules")
    assert plugins.module("perfkit.rules", "slow_thing").__name__ == "my_pack.slow_thing"
    assert callable(plugins.modules("perfkit.rules")["slow_thing"].slow_thing)


@pytest.mark.parametrize(
    ("text", "value", "says"),
    [
        ("import nothing_like_it\n", "my_pack.{}", "cannot be imported"),
        ("def (\n", "my_pack.{}", "cannot be imported"),
        ("x = 1\n", "my_pack.elsewhere", "cannot be imported"),
        ("another = 1\n", "my_pack.{}", "does not define slow_thing"),
    ],
    ids=["its import fails", "no Python", "no such module", "the law is broken"],
)
def test_one_that_is_broken_is_named_with_its_package(installed, text, value, says):
    installed("perfkit.rules", "slow_thing", text, value)
    with pytest.raises(PerfkitError, match=says) as raised:
        plugins.module("perfkit.rules", "slow_thing")
    assert "pip uninstall my-pack" in str(raised.value)


def test_once_it_is_uninstalled_it_is_gone(installed, tmp_path, monkeypatch):
    installed("perfkit.rules", "slow_thing", "slow_thing = 1\n")
    assert "slow_thing" in plugins.names("perfkit.rules")
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder != str(tmp_path)])
    assert "slow_thing" not in plugins.names("perfkit.rules")
