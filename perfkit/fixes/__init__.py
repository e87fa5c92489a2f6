"""Codemods: one file per fix, its docstring is its page; `_x.py` is machinery. Works without torch."""
