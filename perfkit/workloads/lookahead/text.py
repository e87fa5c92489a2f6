"""An invented language of syllables, and two tokenizers that cut it differently.

The main tokenizer has every syllable. The draft's has most of them, in another order, and pairs of
syllables that it prefers where they occur: those are two tokens for the main model, so they have no
counterpart there. Syllables the draft does not know are <unk> to it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from torch import Tensor

from perfkit.rewrites.draft_alignment import token_table

from .config import Config

UNKNOWN = "<unk>"
CONSONANTS = "bcdfghjklmnpqrstvwxzBCDFGHJKLMNPQRSTVWXZ"
VOWELS = "aeiouy"
ENDINGS = CONSONANTS + "0123456789"
SYLLABLE = 3


@dataclass(frozen=True)
class Tokenizer:
    """Pieces of text by id; what is none of them is <unk>, where there is that."""

    pieces: tuple[str, ...]
    ids: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", {piece: id for id, piece in enumerate(self.pieces)})

    def encode(self, text: str) -> list[int]:
        """Ids of the longest pieces from the left.

        Raises:
            KeyError: a syllable that is no piece, and there is no <unk>.
        """
        found, at = [], 0
        while at < len(text):
            size = 2 * SYLLABLE if text[at : at + 2 * SYLLABLE] in self.ids else SYLLABLE
            piece = text[at : at + size]
            found.append(self.ids[piece if piece in self.ids else UNKNOWN])
            at += size
        return found

    def decode(self, ids: list[int]) -> str:
        """The text again."""
        return "".join(self.pieces[id] for id in ids)


@dataclass(frozen=True)
class Language:
    """Two tokenizers, and how to get from one to the other.

    Attributes:
        spelling: draft id of every main token.
        table: main id of every draft token or -1, closed by a -1; see `draft_alignment`.
    """

    main: Tokenizer
    draft: Tokenizer
    spelling: list[int]
    table: Tensor


def make_language(config: Config) -> Language:
    """The same language for the same seed.

    Raises:
        ValueError: more syllables than there are.
    """
    dice = random.Random(config.seed)
    every = [
        first + second + third for first in CONSONANTS for second in VOWELS for third in ENDINGS
    ]
    if config.syllables > len(every):
        raise ValueError(f"there are {len(every)} syllables at most")
    syllables = dice.sample(every, config.syllables)
    known = syllables[config.rare :]
    pairs = {"".join(dice.sample(known, 2)) for _ in range(config.pairs)}
    draft = [*known, *sorted(pairs)]
    dice.shuffle(draft)
    main, draft_tokenizer = Tokenizer(tuple(syllables)), Tokenizer((UNKNOWN, *draft))
    return Language(
        main,
        draft_tokenizer,
        [draft_tokenizer.ids.get(piece, draft_tokenizer.ids[UNKNOWN]) for piece in syllables],
        token_table(
            draft_tokenizer.pieces, lambda piece: [] if piece == UNKNOWN else main.encode(piece)
        ),
    )
