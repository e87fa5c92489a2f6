import pytest

from perfkit.workloads.ctr.loading import Loading, Reader, history_loading
from perfkit.workloads.ctr.memory import Peak


def test_shares_are_of_the_plain_reader_and_unknown_where_its_memory_is():
    reader = Reader(2.0, Peak(100, "process"))
    loading = Loading(5, reader, Reader(0.5, Peak(10, "process")), reader)
    assert loading.times_faster == 4 and loading.memory_share == 0.1
    assert Loading(5, Reader(1, Peak(None, "no")), reader, reader).memory_share is None


@pytest.mark.slow
def test_the_filtering_reader_takes_a_small_part_of_the_memory():
    loading = history_loading(users=800)
    assert loading.rows > 15_000
    if loading.memory_share is None:
        pytest.skip(loading.found.peak.source)
    assert loading.memory_share < 0.25  # fixed costs weigh more here than in the benchmark
