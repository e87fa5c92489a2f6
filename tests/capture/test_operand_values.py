"""What masks and ids hold."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from perfkit.capture import operand_values
from perfkit.capture.operand_values import ids_read, mask_read, scores_read

N = 12
SQUARE = torch.ones(N, N, dtype=torch.bool)
CAUSAL = SQUARE.tril()
OWNER = torch.tensor([0] * 5 + [1] * 4 + [2] * 3)
BLOCKS = OWNER[:, None] == OWNER
KEYS = torch.arange(N) < torch.tensor([[N], [8]])
PADDED = KEYS[:, None, None, :]
LEFT = PADDED.flip(-1)


@pytest.mark.parametrize(
    ("mask", "what"),
    [
        (SQUARE, "nothing masked"),
        (CAUSAL, "causal"),
        (PADDED, "padding"),
        (PADDED.expand(2, 3, N, N), "padding"),
        (PADDED & CAUSAL, "causal and padding"),
        (LEFT & CAUSAL, "causal and padding"),
        (BLOCKS, "block-diagonal"),
        (BLOCKS & CAUSAL, "block-diagonal and causal"),
        (CAUSAL.triu(-3), "window"),
        (CAUSAL.triu(-3) | CAUSAL.triu(-3).T, "window"),
        (SQUARE.triu(), "window"),
        (SQUARE.tril(2), "window"),
        (CAUSAL[:, :8], "window"),
        (BLOCKS | SQUARE.triu(8), "other"),
    ],
)
def test_structures(mask: Tensor, what: str) -> None:
    torch.set_num_threads(1)
    assert mask_read(mask).what == what
    added = torch.zeros(mask.shape).masked_fill(~mask, float("-inf"))
    assert mask_read(added).what == what
    scores = torch.randn(mask.shape).masked_fill(~mask, -65504.0)
    read = scores_read(scores)
    assert (read.what if read else "nothing masked") == what


def test_numbers_in_a_mask_are_a_bias() -> None:
    assert mask_read(torch.randn(N, N)).what == "a bias"


def test_shares() -> None:
    read = mask_read(BLOCKS)
    assert (read.looked, read.part) == (N * N, N * N - 25 - 16 - 9)
    assert (read.padded, read.padded_pairs) == (0.0, 0.0)
    padded = mask_read(PADDED)
    assert padded.padded == pytest.approx(4 / 24)
    assert padded.padded_pairs == pytest.approx(1 - (N * N + 64) / (2 * N * N))


def test_of_long_sequences_a_corner_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operand_values, "CORNER", 4)
    read = mask_read(CAUSAL)
    assert (read.looked, read.what) == (16, "causal")


def test_ids_by_sequence_and_without() -> None:
    ids = torch.tensor([[1, 2, 3, 0], [4, 0, 0, 0]])
    read = ids_read(ids, 0)
    assert (read.looked, read.part, read.padded) == (8, 4, 0.5)
    assert read.padded_pairs == pytest.approx(1 - (9 + 1) / 32)
    assert ids_read(ids.flatten(), 0).padded_pairs == 0.5
    assert ids_read(ids[:0], 0).padded is None
