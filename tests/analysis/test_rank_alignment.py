from __future__ import annotations

from perfkit.analysis.rank_alignment import Clock, clocks, identity
from tests.rank_traces import NS, ranks_of

FOUR = """
    0  kkAAA.kBB.C.kDDk
    1  kkkkA..kBB.C.kDDk
"""


def by_rank(reports):
    return {report.rank: report for report in reports}


def same(tmp_path, picture, **told):
    return identity(by_rank(ranks_of(tmp_path, picture, **told)))


def test_a_rank_alone_matches_nothing(tmp_path):
    found = same(tmp_path, "0  kAA.B")
    assert (found.matches, found.unmatched) == ((), 2)


def test_point_to_point_transfers_are_left_out(tmp_path):
    found = same(tmp_path, "0  kA.B\n1  kA.B", kinds={"A": "send"})
    assert [match.kind for match in found.matches] == ["all_reduce"]
    assert found.unmatched == 2


def test_sequence_numbers_identify(tmp_path):
    found = same(tmp_path, "0  kkA.BB\n1  kkA.BB")
    assert found.by == "sequence"
    assert [(match.number, match.first) for match in found.matches] == [(0, True), (1, False)]


def test_the_same_number_of_another_kind_is_another_collective(tmp_path):
    reports = ranks_of(tmp_path / "a", "0  kA", kinds={"A": "broadcast"})
    reports += ranks_of(tmp_path / "b", "1  kA")
    found = identity(by_rank(reports))
    assert (found.matches, found.unmatched) == ((), 2)


def test_without_numbers_order_identifies(tmp_path):
    found = same(tmp_path, FOUR, sequence=False)
    assert found.by == "order"
    assert [match.number for match in found.matches] == [0, 1, 2, 3]
    assert found.unmatched == 0


def test_a_rank_that_began_to_record_later_is_moved_by_the_ends(tmp_path):
    picture = """
        0  kAA.BkkkC.kkkkkD.k
        1        kkC.kkkkkD.k
    """
    found = same(tmp_path, picture, sequence=False)
    assert [match.number for match in found.matches] == [2, 3]
    assert [[m.rank for m in match.members] for match in found.matches] == [[0, 1], [0, 1]]
    assert found.unmatched == 2


def test_a_kind_in_the_way_forbids_a_shift(tmp_path):
    picture = """
        0  kAA.BkkkC.k
        1       kkB.kC
    """
    found = same(tmp_path, picture, sequence=False, kinds={"A": "broadcast", "B": "all_gather"})
    assert [(match.kind, match.number) for match in found.matches] == [
        ("all_gather", 1),
        ("all_reduce", 2),
    ]


def test_without_a_common_collective_clocks_are_unknown(tmp_path):
    found = same(tmp_path, "0  kA\n1  kk.")
    assert clocks([0, 1], found.matches) == {0: Clock(None, None), 1: Clock(None, None)}


def test_broadcasts_tie_no_clocks(tmp_path):
    found = same(tmp_path, "0  kA\n1  kA", kinds={"A": "broadcast"})
    assert len(found.matches) == 1
    assert clocks([0, 1], found.matches)[1].offset_ns is None


def test_one_collective_gives_an_offset_of_unknown_accuracy(tmp_path):
    found = same(tmp_path, "0  kA\n1  kA", ahead={1: 500})
    assert clocks([0, 1], found.matches) == {0: Clock(-250_000, None), 1: Clock(250_000, None)}


def test_offsets_are_those_of_the_clocks_whoever_was_late(tmp_path):
    picture = """
        0  kkAAA.kBB.C.kDDk
        1  kkkkA.kBB.C.kDDk
        2  kkkkA.kkB.C.kkDk
    """
    found = same(tmp_path, picture, ahead={2: 3_000_000})
    assert clocks([0, 1, 2], found.matches) == {
        0: Clock(0, 0),
        1: Clock(0, 0),
        2: Clock(3_000_000_000, 0),
    }


def test_scatter_of_the_ends_is_the_uncertainty(tmp_path):
    found = same(tmp_path, "0  kA.B.C.D.E\n1  kA.BB.CC.DD.EE")
    aligned = clocks([0, 1], found.matches)
    assert aligned[1].uncertainty_ns == aligned[0].uncertainty_ns == NS


def test_groups_without_a_common_rank_stay_islands_and_others_are_tied_through_one(tmp_path):
    pairs = []
    for one, other, ahead in ((0, 1, 100), (1, 2, 300), (5, 6, 50)):
        folder = tmp_path / f"{one}{other}"
        picture = f"{one}  kA.B\n{other}  kA.B"
        pairs += same(folder, picture, ahead={one: ahead - 100, other: ahead}).matches
    aligned = clocks([0, 1, 2, 5, 6], pairs)
    assert {rank: clock.offset_ns for rank, clock in aligned.items()} == {
        0: -100_000,
        1: 0,
        2: 100_000,
        5: -50_000,
        6: 50_000,
    }
