"""What is to be verified, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

NONE = -1


@dataclass(frozen=True)
class GreedyClaim:
    """Branches drafted for one sequence, and what the main model says at each of their places.

    Attributes:
        logits: [k, L + 1, V] of the main model: row i is its opinion after i drafted tokens.
        drafts: int64 [k, L] in the main vocabulary; -1 is never accepted. Leading dimensions before
            k are further sequences, in both tensors.
    """

    logits: Tensor
    drafts: Tensor


@dataclass(frozen=True)
class SampledClaim:
    """One drafted chain for each of B sequences, with the distributions it was drawn from.

    Attributes:
        p: float32 [B, L + 1, V], the main model's probabilities: a softmax, temperature applied.
        q: float32 [B, L, V], those that the drafts were really drawn from, in the main vocabulary;
            zero where the draft cannot go.
        drafts: int64 [B, L] drawn from them; -1 from where a chain was ended before drawing.
        uniforms: float32 [B, L + 1] in [0, 1): one per test and a last one for the token that the
            main model adds. Passed in, so that a loop and a batch decide alike.
    """

    p: Tensor
    q: Tensor
    drafts: Tensor
    uniforms: Tensor


@dataclass(frozen=True)
class GreedyVerdict:
    """Outcome for one sequence.

    Attributes:
        tokens: int64 [L + 1]: the accepted tokens, the main model's own next token, then -1.
        accepted: int64 scalar, drafted tokens accepted.
        branch: int64 scalar, the branch they come from: the longest, the first of equals.
    """

    tokens: Tensor
    accepted: Tensor
    branch: Tensor


@dataclass(frozen=True)
class SampledVerdict:
    """Outcome for B sequences: `tokens` int64 [B, L + 1] and `accepted` int64 [B], as above."""

    tokens: Tensor
    accepted: Tensor
