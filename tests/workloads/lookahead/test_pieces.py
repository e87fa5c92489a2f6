"""Prompts as both tokenizers write them."""

from __future__ import annotations

from perfkit.workloads.lookahead.pieces import prompts
from perfkit.workloads.lookahead.text import make_language

from .inputs import SMALL


def test_both_models_are_given_the_same_text_ending_in_two_common_tokens():
    language = make_language(SMALL)
    (batch,) = prompts(SMALL, language)
    for row in range(SMALL.batch):
        main = batch.main[row, : batch.main_lengths[row]].tolist()
        draft = batch.draft[row, : batch.draft_lengths[row]].tolist()
        assert draft[-2:] == [language.spelling[token] for token in main[-2:]]
        assert len(draft) <= len(main)
        if 0 not in draft:  # nothing unknown
            assert language.draft.decode(draft) == language.main.decode(main)


def test_batches_are_the_same_for_the_same_seed():
    language = make_language(SMALL)
    (one,), (other,) = prompts(SMALL, language), prompts(SMALL, language)
    assert one.main.tolist() == other.main.tolist()
