"""Budgets as marks: suites of their own, run in this process or, where imports matter, beside it."""

from __future__ import annotations

import json

import pytest

from perfkit.capture import guard
from perfkit.pretend import pretend_cuda

pytest_plugins = ["pytester"]
PLUGIN = "perfkit.integrations.pytest_plugin"


@pytest.fixture(scope="module", autouse=True)
def everything_is_imported():
    """pytester forgets what a suite imported, and torch cannot be loaded twice."""
    with pretend_cuda(), guard.max_syncs(0):
        pass


@pytest.fixture
def suite(pytester, monkeypatch):
    """`suite(source, *options)`: the outcome of a test file under the plugin."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(source, *options):
        pytester.makepyfile("import pytest, torch\n" + source)
        return pytester.runpytest("-p", PLUGIN, "-p", "no:cacheprovider", *options)

    return run


def test_a_suite_without_marks_imports_neither_torch_nor_numpy(pytester, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        "import sys\n"
        "def test_it():\n"
        "    heavy = [m for m in ('torch', 'numpy', 'perfkit.capture') if m in sys.modules]\n"
        "    assert heavy == []\n"
    )
    done = pytester.runpytest_subprocess("-p", PLUGIN, "--perfkit-report")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["*nothing: no test ran an operator on a device*"])


def test_marks_are_known_to_strict_suites_and_kept_budgets_pass(suite):
    done = suite(
        "@pytest.mark.no_sync\n"
        "@pytest.mark.max_launches(2)\n"
        "@pytest.mark.max_h2d_bytes(8)\n"
        "def test_it(perfkit_pretend_cuda):\n"
        "    torch.tensor([1.0, 2.0]).to('cuda', non_blocking=True).add(1).sum()\n",
        "--strict-markers",
    )
    done.assert_outcomes(passed=1)


def test_what_the_fixtures_do_is_not_counted(suite):
    done = suite(
        "@pytest.fixture\n"
        "def model(perfkit_pretend_cuda):\n"
        "    model = torch.nn.Linear(2, 1).to('cuda')\n"
        "    model.weight.sum().item()\n"
        "    return model\n"
        "@pytest.mark.no_sync\n"
        "@pytest.mark.max_h2d_bytes(0)\n"
        "def test_it(model):\n"
        "    model(torch.ones(2, device='cuda'))\n"
    )
    done.assert_outcomes(passed=1)


def test_a_failing_assertion_stays_what_it_is(suite):
    done = suite("@pytest.mark.max_syncs(1)\ndef test_it():\n    assert 1 == 2\n")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["E*assert 1 == 2"])
    done.stdout.no_fnmatch_line("*synchronisations*")


def test_a_sync_over_the_budget_fails_at_its_line_with_the_fix(suite):
    done = suite(
        "@pytest.mark.max_syncs(1)\n"
        "def test_it(perfkit_pretend_cuda):\n"
        "    x = torch.ones(2, device='cuda')\n"
        "    x.sum().item()\n"
        "    x.nonzero()\n"
    )
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        [
            ">*x.nonzero()",
            "E*2 host-device synchronisations where 1 are allowed:",
            "E*aten::item at *.py:5 in test_it: keep the value on the device*",
            "E*aten::nonzero at *.py:6 in test_it: *",
        ]
    )


def test_a_budget_error_that_the_test_swallows_fails_it_all_the_same(suite):
    done = suite(
        "@pytest.mark.no_sync\n"
        "def test_it(perfkit_pretend_cuda):\n"
        "    try:\n"
        "        torch.ones(2, device='cuda').sum().item()\n"
        "    except AssertionError:\n"
        "        pass\n"
    )
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["1 host-device*"])


def test_launches_and_bytes_over_the_budget_name_lines(suite):
    done = suite(
        "@pytest.mark.max_launches(3)\n"
        "def test_launches(perfkit_pretend_cuda):\n"
        "    x = torch.ones(2, device='cuda')\n"
        "    for _ in range(4):\n"
        "        x = x + 1\n"
        "@pytest.mark.max_h2d_bytes(15)\n"
        "def test_bytes(perfkit_pretend_cuda):\n"
        "    torch.ones(4).pin_memory().to('cuda', non_blocking=True)\n"
    )
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines(
        [
            "4 operators on the device where 3 are allowed:",
            "*4 x aten::add.Tensor at *.py:6 in test_launches",
            "16 bytes copied to the device where 15 are allowed:",
            "*16 B by aten::_to_copy at *.py:9 in test_bytes: send less*",
        ]
    )


def test_the_option_puts_the_pretence_around_marked_tests_only(suite):
    done = suite(
        "@pytest.fixture\n"
        "def x():\n"
        "    return torch.ones(2).to('cuda' if torch.cuda.is_available() else 'cpu')\n"
        "@pytest.mark.no_sync\n"
        "def test_marked(x):\n"
        "    x.sum().item()\n"
        "def test_plain(x):\n"
        "    assert x.device.type == 'cpu'\n",
        "--perfkit-pretend-cuda",
    )
    done.assert_outcomes(failed=1, passed=1)


def test_bytes_without_any_device_are_not_called_zero(suite):
    done = suite("@pytest.mark.max_h2d_bytes(0)\ndef test_it():\n    torch.ones(2).sum()\n")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*there is no device here*", "*perfkit_pretend_cuda*"])


@pytest.mark.parametrize("arguments", ["", "('3')", "(-1)", "(limit=3)"])
def test_a_mark_without_a_number_is_refused(suite, arguments):
    done = suite(f"@pytest.mark.max_syncs{arguments}\ndef test_it():\n    pass\n")
    assert done.ret != 0
    assert "with a whole number from 0 on" in done.stdout.str() + done.stderr.str()


def test_the_report_lists_tests_by_what_they_asked_for(suite, tmp_path):
    written = tmp_path / "rows.json"
    done = suite(
        "from perfkit.pretend import pretend_cuda\n"
        "def test_with_a_pretence_of_its_own():\n"
        "    with pretend_cuda():\n"
        "        pass\n"
        "@pytest.mark.no_sync\n"
        "def test_assumed():\n"
        "    torch.nn.Linear(2, 1)(torch.ones(2))\n"
        "def test_busy(perfkit_pretend_cuda):\n"
        "    torch.ones(2).to('cuda').sum().item()\n",
        "--perfkit-report",
        f"--perfkit-report-json={written}",
    )
    done.assert_outcomes(passed=3)
    done.stdout.fnmatch_lines(
        [
            " syncs  launches    h2d bytes*",
            "     2         1            8  *::test_busy",
            "*.py:10 in*",
        ]
    )
    document = json.loads(written.read_text())
    assert document["schema"] == "perfkit.pytest/1"
    rows = {row["test"].rpartition("::")[2]: row for row in document["rows"]}
    assert set(rows) == {"test_assumed", "test_busy"}
    assert rows["test_assumed"]["launches"] > 0
    assert rows["test_assumed"]["h2d_bytes"] is None
    assert (rows["test_busy"]["syncs"], rows["test_busy"]["h2d_bytes"]) == (2, 8)
