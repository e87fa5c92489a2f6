"""Python source with its syntax coloured: escaped spans with one-letter classes that the page's CSS knows."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String

from perfkit.report._text import visible

_LINE = 2_000
_CLASSES = (
    (Comment, "c"),
    (String, "s"),
    (Number, "m"),
    (Operator.Word, "k"),
    (Keyword, "k"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Decorator, "d"),
    (Name.Builtin, "b"),
    (Name.Exception, "b"),
)
"""Kind of token and its class; the first that holds counts."""


def coloured(lines: Sequence[str]) -> list[Markup]:
    """Each line as markup. They are read together, so a text over several lines keeps its colour."""
    plain = [line[:_LINE].replace("\r", " ").replace("\n", " ") for line in lines]
    made: list[list[Markup]] = [[]]
    for kind, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens("\n".join(plain)):
        name = next((css for token, css in _CLASSES if kind in token), "")
        for number, piece in enumerate(text.split("\n")):
            if number:
                made.append([])
            if piece:
                made[-1].append(_span(visible(piece, _LINE), name))
    made += [[] for _ in range(len(plain) - len(made))]
    return [Markup("").join(pieces) for pieces in made[: len(plain)]]


def _span(text: str, name: str) -> Markup:
    return Markup('<span class="{}">{}</span>').format(name, text) if name else Markup.escape(text)
