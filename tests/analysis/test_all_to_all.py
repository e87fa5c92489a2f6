"""All-to-alls over ranks: who moves most, and what follows; and one rank's own splits."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfkit.analysis.all_to_all import own_splits, uneven_all_to_alls, uneven_table
from perfkit.analysis.ranks import ranks
from perfkit.base.errors import NotObservable
from perfkit.cli._ranks import one_rank
from perfkit.io.chrome import read_trace
from tests.kineto_traces import corpus, needs_corpus, write
from tests.rank_traces import NS, rank_trace, write_ranks

KINDS = {"T": "all_to_allv"}


def told(folder: Path, *rows: tuple[str, int, list[int]]) -> list[Path]:
    """Ranks by picture, elements and splits of their all-to-alls."""
    paths = []
    for rank, (cells, elements, splits) in enumerate(rows):
        trace = rank_trace(rank, len(rows), cells, kinds=KINDS, elements=elements)
        for event in trace["traceEvents"]:
            if event.get("args", {}).get("Collective name") == "all_to_allv":
                event["args"]["In split size"] = str(splits)
        paths.append(write(folder / f"worker{rank}.1.pt.trace.json.gz", trace))
    return paths


def test_without_an_all_to_all_or_its_sizes_nothing_is_told(tmp_path: Path) -> None:
    found = ranks([one_rank(str(p)) for p in write_ranks(tmp_path, "0  kkA\n1  kkA")])
    with pytest.raises(NotObservable):
        uneven_all_to_alls(found)


def test_even_ones_have_nothing_to_win(tmp_path: Path) -> None:
    rows = ("kkTTkA", 1000, [500, 500]), ("kkTTkA", 1000, [500, 500])
    (one,) = uneven_all_to_alls(ranks([one_rank(str(p)) for p in told(tmp_path, *rows)]))
    one.self_check()
    assert (one.ratio, one.excess_ns) == (1, 0)


def test_the_busiest_rank_and_what_the_others_wait_for_it_afterwards(tmp_path: Path) -> None:
    rows = (
        ("B.TTTTkAAA", 1000, [1000, 0]),
        ("B.TTTTkkkA", 3000, [2000, 1000]),
    )
    found = ranks([one_rank(str(p)) for p in told(tmp_path, *rows)])
    (one,) = uneven_all_to_alls(found)
    one.self_check()
    assert (one.heaviest, one.ratio) == (1, 1.5)
    assert one.transfer_ns == 4 * NS
    assert one.excess_ns == pytest.approx(4 * NS / 3, abs=1)
    assert one.caused_ns == 2 * NS
    (row,) = uneven_table((one,)).records()
    assert (row["heaviest_rank"], row["most_bytes"], row["mean_bytes"]) == (1, 12_000, 8_000)


def test_one_rank_tells_how_its_own_sends_are_split(tmp_path: Path) -> None:
    (path, _) = told(tmp_path, ("kTTkTT", 900, [600, 300]), ("kTTkTT", 900, [450, 450]))
    found = own_splits(read_trace(path))
    assert (found.calls, found.to_peers, found.most) == (2, (1200, 600), 0)
    assert found.ratio == pytest.approx(4 / 3)


@needs_corpus("worker0_step_12.1694128201545.pt.trace")
def test_a_real_recommender_has_one_uneven_all_to_all(trace: Path) -> None:
    paths = [path for path in corpus() if path.parent == trace.parent]
    found = uneven_all_to_alls(ranks([one_rank(str(path)) for path in paths]))
    assert [round(one.ratio, 2) for one in found] == [1.0, 1.0, 1.0, 2.77, 1.0]
    assert found[3].heaviest == 3
