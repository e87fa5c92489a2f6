import os
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from perfkit.rewrites.filtered_history import History
from perfkit.workloads.ctr.history import content_key, load, read_truth, write_history
from perfkit.workloads.ctr.packing import columns_of_history, columns_of_users, with_truth

from .inputs import SMALL, users_of

CONFIG = replace(SMALL, test_users=0.4, users=6)


@pytest.fixture
def written(tmp_path):
    """(rows, truth) of CONFIG in files."""
    rows, truth = tmp_path / "rows.csv", tmp_path / "truth.csv"
    write_history(CONFIG, rows, truth)
    return rows, truth


def same(mine: History, right: History) -> bool:
    return all(torch.equal(getattr(mine, f.name), getattr(right, f.name)) for f in fields(History))


def test_what_was_written_is_read_again(written):
    rows, truth = written
    users = [user for user in users_of(CONFIG) if any(row.is_test for row in user)]
    expected = columns_of_users(users, CONFIG.slots)
    loaded = load([rows], CONFIG.slots)
    mine = with_truth(columns_of_history(loaded.history), read_truth(truth))
    for field in fields(expected):
        assert torch.equal(getattr(mine, field.name), getattr(expected, field.name)), field.name
    total = sum(map(len, users_of(CONFIG)))
    assert (loaded.reading.lines, loaded.reading.problems) == (total, {})
    assert loaded.reading.of_other_users == total - mine.logid.numel()


def test_labels_of_rows_to_predict_are_not_in_the_rows(written):
    columns = columns_of_history(load([written[0]], CONFIG.slots).history)
    assert torch.equal(columns.label.isnan(), columns.asked)


def test_history_and_requests_may_be_files_of_their_own(written, tmp_path):
    rows, _ = written
    lines = rows.read_bytes().splitlines()
    asked = [line for line in lines if b":" in line.split(b",")[4]]
    (tmp_path / "past.csv").write_bytes(b"\n".join(line for line in lines if line not in asked))
    (tmp_path / "asked.csv").write_bytes(b"\n".join(asked))
    apart = load([tmp_path / "past.csv", tmp_path / "asked.csv"], CONFIG.slots)
    assert same(apart.history, load([rows], CONFIG.slots).history)


def test_malformed_rows_are_mended_or_skipped_and_told(written):
    rows, _ = written
    right = load([rows], CONFIG.slots).history
    lines = rows.read_bytes().splitlines(keepends=True)
    user = lines.index(next(line for line in lines if b":" in line.split(b",")[4]))
    lines[user] = lines[user].replace(b"\n", b",x:y\r\n")
    rows.write_bytes(b"".join([*lines, b"not,a\n", b"\n", b"1,,2,3,4:5\n"]))
    loaded = load([rows], CONFIG.slots)
    assert same(loaded.history, right)
    assert loaded.reading.problems == {
        "pair that is no sign:slot dropped": 1,
        "row without its numbers skipped": 2,
    }


def test_the_second_opening_comes_from_the_cache_with_all_that_was_told(written, tmp_path):
    rows, _ = written
    rows.write_bytes(rows.read_bytes() + b"no row\n")
    cache = tmp_path / "cache"
    first, second = (load([rows], CONFIG.slots, cache) for _ in range(2))
    assert (first.from_cache, second.from_cache) == (False, True)
    assert same(first.history, second.history)
    assert first.reading == second.reading
    assert second.reading.problems == {"row without its numbers skipped": 1}


def test_the_key_is_the_content_and_what_is_done_with_it(written, tmp_path):
    rows, truth = written
    copy = tmp_path / "copy.csv"
    copy.write_bytes(rows.read_bytes())
    key = content_key([rows], 28)
    assert content_key([copy], 28) == key
    assert content_key([rows], 27) != key
    assert content_key([rows, truth], 28) != content_key([truth, rows], 28)
    copy.write_bytes(rows.read_bytes()[:-2] + b"9\n")
    assert content_key([copy], 28) != key


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half", None])
def test_a_damaged_entry_is_read_anew(written, tmp_path, damage):
    cache = tmp_path / "cache"
    right = load([written[0]], CONFIG.slots, cache).history
    entry = next(cache.glob("*.npz"))
    entry.write_bytes(entry.read_bytes()[:-200] if damage is None else damage)
    again = load([written[0]], CONFIG.slots, cache)
    assert not again.from_cache and same(again.history, right)
    assert load([written[0]], CONFIG.slots, cache).from_cache


KILLED = """
import os, sys, time
from pathlib import Path
import numpy as np
from perfkit.workloads.ctr import history

def stall(*args):
    print("ready", flush=True)
    time.sleep(60)

def half(file, **arrays):
    file.write(b"x" * 4096)
    file.flush()
    stall()

if sys.argv[3] == "while writing":
    np.savez = half
else:
    os.fsync = stall
history.load([Path(sys.argv[1])], 28, Path(sys.argv[2]))
"""


@pytest.mark.parametrize("moment", ["while writing", "before the name is given"])
def test_a_run_killed_midway_leaves_no_entry_and_harms_no_other(written, tmp_path, moment):
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", KILLED, str(written[0]), str(cache), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.kill()
    assert list(cache.glob("*.npz")) == []
    left = list(cache.glob("*.unfinished"))
    assert len(left) == 1 and left[0].stat().st_size > 0
    after = load([written[0]], CONFIG.slots, cache)
    assert not after.from_cache
    again = load([written[0]], CONFIG.slots, cache)
    assert again.from_cache and same(again.history, load([written[0]], CONFIG.slots).history)


def test_what_killed_runs_left_goes_after_an_hour(written, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    old, young = cache / "a.unfinished", cache / "b.unfinished"
    for left in (old, young):
        left.write_bytes(b"half")
    os.utime(old, (1, 1))
    load([written[0]], CONFIG.slots, cache)
    assert young.exists() and not old.exists()


def test_a_failure_while_writing_leaves_nothing(written, tmp_path, monkeypatch):
    def full(*args, **arrays):
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space"):
        load([written[0]], CONFIG.slots, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
