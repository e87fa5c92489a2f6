"""Texts without what is private in them: the same private name always becomes the same pseudonym.

What is not known to be public is private; see `_vocabulary`. Lines, numbers and punctuation stay.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath

from perfkit.io._vocabulary import is_ours, is_public, is_torchs, packages

_FRAME = re.compile(r"(?P<file>[^()]*[^()\s])\((?P<line>\d+)\): (?P<function>.*)", re.DOTALL)
_SITE = re.compile(r"(?P<file>.+):(?P<line>\d{1,9})(?: (?P<function>.+))?", re.DOTALL)
_ROOTS = re.compile(
    r"(?:.*/)?(?:(?:site|dist)-packages|lib/python\d(?:\.\d+)?t?|python\d*\.zip)/(?=[^/])"
    r"|.*/(?=perfkit/(?:workloads|pretend|capture|cli|io)/)",  # our own checkout
    re.DOTALL,
)
_SUFFIX = re.compile(r"\.(?:py|pyx|pyi|ipynb|so|cu|cuh|cpp|cc|c|h|hpp)$")
_FUNCTIONS = frozenset(
    (
        "<module>",
        "<lambda>",
        "<listcomp>",
        "<dictcomp>",
        "<setcomp>",
        "<genexpr>",
        "forward",
        "backward",
        "main",
        "run",
        "step",
        "train",
        "evaluate",
        "predict",
        "__init__",
        "__call__",
        "__iter__",
        "__next__",
        "__getitem__",
        "__len__",
        "__enter__",
        "__exit__",
        "training_step",
        "validation_step",
    )
)
_PIECES = re.compile(
    r"(?P<step>ProfilerStep\#\d{1,18})"
    r"|(?P<path>(?:[A-Za-z]:)?[\w.@~+%$=\-]*(?:[/\\][\w.@~+%$=\-]*[\w@~%$])+"
    r"|[\w.\-]*\w\.(?:py|ipynb|cu|cuh|cpp)(?![\w]))"
    r"|(?P<address>0[xX][0-9a-fA-F]{4,}|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])|\d{7,})"
    r"|(?P<word>\w*[^\W\d]\w*)"
    r"|(?P<odd>[^\x00-\x7f]+)"
)
_DIVISIONS = re.compile(r"[\d.]+(?:/[\d.]+)+")
_FOREIGN = re.compile(r"[^\x00-\x7f]")


class Pseudonyms:
    """Remembers who is called what, for all texts that are to be shared together."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._functions: set[str] = set()
        self._files: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._known: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def name(self, text: str, kind: str = "name") -> str:
        """The pseudonym of one private name."""
        found = self._names.get(text)
        if found is None:
            self._counts[kind] += 1
            found = self._names[text] = f"{kind}_{self._counts[kind]}"
        return found

    def file(self, path: str) -> str:
        """A file's public name: relative to its package, `<string>`, or `user_1.py`."""
        path = path.replace("\\", "/")
        if path.startswith("<"):
            return self.text(path)
        relative = _ROOTS.sub("", path, count=1)
        parts = tuple(part for part in path.split("/") if part not in ("", "."))
        if not relative.startswith("/") and self._is_public_file(relative):
            self._spell(tuple(relative.split("/")), relative)
            return relative
        return self._user_file(parts)

    def function(self, name: str, file: str) -> str:
        """A function's name where its file, or it itself, is public; `file` as `file()` gave it."""
        if name in _FUNCTIONS:
            return name
        if not file.startswith(("user_", "<")) or file.startswith("<frozen"):
            return self._by_words(name, is_public)
        parts = name.split(".")
        self._functions.update(part for part in parts if part not in _FUNCTIONS)
        return ".".join(part if part in _FUNCTIONS else self.name(part) for part in parts)

    def chain(self, text: str) -> str:
        """Frames as perfkit writes them, `file:line function < file:line function`."""
        found = []
        for each in text.split(" < "):
            match = _SITE.fullmatch(each)
            if match is None:
                found.append(self.text(each))
                continue
            file = self.file(match["file"])
            function = match["function"]
            tail = "" if function is None else f" {self.function(function, file)}"
            found.append(f"{file}:{match['line']}{tail}")
        return " < ".join(found)

    def frame(self, text: str) -> str:
        """Kineto's `file(line): function`, or any other text in its place."""
        match = _FRAME.fullmatch(text.strip())
        if match is None:
            return self._by_words(text, is_public) if text.startswith("<") else self.text(text)
        file = self.file(match["file"])
        return f"{file}({match['line']}): {self.function(match['function'], file)}"

    def stack(self, text: str) -> str:
        """A "Call stack" text: frames between semicolons."""
        return ";".join(self.frame(each) if each.strip() else "" for each in text.split(";"))

    def text(self, text: str) -> str:
        """A text of torch's own, as the name of an operator, kernel or annotation."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self._by_words(text, is_torchs)
        return found

    def prose(self, text: str) -> str:
        """A sentence of perfkit's own, in which private names may stand."""
        return self._by_words(text, is_ours)

    def term(self, text: str) -> str:
        """A name that perfkit itself gives: of a table, a column, a rule, a category."""
        return text if all(map(is_ours, re.findall(r"\w+", text))) else self.prose(text)

    def _by_words(self, text: str, public: Callable[[str], bool]) -> str:
        def replacement(match: re.Match[str]) -> str:
            piece = match[0]
            if match["step"] is not None:
                return piece
            if match["path"] is not None:
                return piece if self._is_no_path(piece, public) else self.file(piece)
            if match["address"] is not None:
                return "0"
            if match["odd"] is not None:
                return "?"
            private = public is is_ours and piece in self._functions
            return piece if public(piece) and not private else self.name(piece)

        return _PIECES.sub(replacement, text)

    @staticmethod
    def _is_no_path(piece: str, public: Callable[[str], bool]) -> bool:
        """Fractions such as 3/4, and alternatives such as forward/backward."""
        if _DIVISIONS.fullmatch(piece):
            return True
        words = piece.split("/")
        return len(words) == 2 and all(word.isalpha() and public(word) for word in words)

    @staticmethod
    def _is_public_file(relative: str) -> bool:
        if _FOREIGN.search(relative):
            return False
        parts = _SUFFIX.sub("", relative).split("/")
        return parts[0] in packages() and all(map(_is_public_part, parts[1:]))

    def _user_file(self, parts: tuple[str, ...]) -> str:
        """One name for all spellings of one path: a shorter one is a longer one's end."""
        stem = parts[-1] if parts else ""
        fitting = {
            name
            for known, name in self._files.get(stem, ())
            if known[-len(parts) :] == parts or parts[-len(known) :] == known
        }
        if len(fitting) == 1:
            found = fitting.pop()
            if found.endswith("/" + "/".join(parts)):
                return "/".join(parts)  # the end of a public path, as sentences have it
        else:
            self._counts["user"] += 1
            suffix = _SUFFIX.search(stem)
            found = f"user_{self._counts['user']}{suffix[0] if suffix else ''}"
        self._spell(parts, found)
        return found

    def _spell(self, parts: tuple[str, ...], name: str) -> None:
        spellings = self._files.setdefault(parts[-1] if parts else "", [])
        if (parts, name) not in spellings:
            spellings.append((parts, name))


def _is_public_part(part: str) -> bool:
    """Whether one folder or file of a package bears a public name, as `_ops.cpython-311-x86_64` does."""
    stem = PurePosixPath(part).name
    return bool(stem) and ".." not in part and all(map(is_public, re.findall(r"\w+", stem)))
