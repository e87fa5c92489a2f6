"""Two tokenisations of one text, and the way from the draft's tokens to the main model's."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from perfkit.workloads.lookahead.config import CONFIGS, Config
from perfkit.workloads.lookahead.text import UNKNOWN, make_language

CONFIG = Config(syllables=20, pairs=30, rare=3)


def test_both_tokenizers_write_the_same_text_differently():
    language, dice = make_language(CONFIG), random.Random(0)
    shorter = 0
    for _ in range(30):
        text = "".join(dice.choices(language.main.pieces[CONFIG.rare :], k=20))
        main, draft = language.main.encode(text), language.draft.encode(text)
        assert language.main.decode(main) == text == language.draft.decode(draft)
        assert main != draft
        shorter += len(draft) < len(main)
    assert shorter > 10


def test_the_table_leads_back_from_the_spelling_and_nowhere_for_pairs_and_unknown():
    language = make_language(CONFIG)
    for main, draft in enumerate(language.spelling):
        known = main >= CONFIG.rare
        assert int(language.table[draft]) == (main if known else -1)
        assert (language.draft.pieces[draft] == UNKNOWN) == (not known)
    nowhere = [p for p, m in zip(language.draft.pieces, language.table, strict=False) if m < 0]
    assert len(nowhere) > 20  # the pairs and <unk>
    assert int(language.table[-1]) == -1


def test_a_syllable_the_draft_does_not_know_is_unknown_to_it_and_an_error_elsewhere():
    language = make_language(CONFIG)
    assert language.draft.encode(language.main.pieces[0]) == [language.draft.ids[UNKNOWN]]
    with pytest.raises(KeyError):
        language.main.encode("???")


def test_the_same_seed_makes_the_same_language_and_another_another():
    assert make_language(CONFIG).main == make_language(CONFIG).main
    assert make_language(CONFIG).main != make_language(replace(CONFIG, seed=6)).main


def test_every_named_configuration_has_a_language():
    for config in CONFIGS.values():
        language = make_language(config)
        assert len(set(language.main.pieces)) == config.syllables
        assert len(language.draft.pieces) <= 1 + config.syllables - config.rare + config.pairs


def test_more_syllables_than_there_are_are_refused():
    with pytest.raises(ValueError, match="syllables at most"):
        make_language(replace(CONFIG, syllables=10**6))
