from __future__ import annotations

from tests.costs.calls import bf16, f32, i64, known, moves, why_not

TABLE = bf16(1_000_000, 64)


def test_a_large_table_is_not_read_only_its_rows_are() -> None:
    assert moves("embedding", TABLE, i64(8, 16)) == (0, 8 * 128 + 128 * 128, 128 * 128)


def test_a_small_table_travels_at_most_once() -> None:
    assert known("embedding", f32(10, 4), i64(500)).read == 8 * 500 + 4 * 40


def test_a_gradient_without_the_table_s_size_is_not_known() -> None:
    assert "rows" in why_not("embedding_dense_backward", f32(8, 4), i64(8), None, -1, False)


def test_the_dense_gradient_is_written_in_full() -> None:
    found = known("embedding_dense_backward", f32(8, 4), i64(8), 1000, -1, False)
    assert (found.flops, found.read, found.written) == (32, 4 * 32 + 64, 4 * 4000)


def test_bags_read_rows_and_write_one_row_per_bag() -> None:
    outputs = (f32(5, 4),)
    inputs = (f32(1000, 4), i64(20), i64(5), False, 0, False, None, False)
    found = moves("_embedding_bag", *inputs, outputs=outputs)
    assert found == (80, 4 * 80 + 8 * 25, 4 * 20)


def test_a_sparse_gradient_of_bags_is_as_large_as_what_was_looked_up() -> None:
    given = (f32(5, 4), i64(20), i64(5), i64(20), i64(5), i64(0), 1000, False, 0)
    assert known("_embedding_bag_backward", *given, True).written == 4 * 80 + 8 * 20
    assert known("_embedding_bag_backward", *given, False).written == 4 * 4000
