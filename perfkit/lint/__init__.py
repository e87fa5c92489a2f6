"""The static half: what a program will make the host wait for, read from its source alone.

File `x.py` here is one check: its docstring is its page, `CODE` its stable code, `KIND` the kind of
the catalogue it belongs to, `SILENT` and `FOUND` its examples and its tests. `_x.py` is machinery:
`_value` what an expression is thought to be, `_expressions`, `_calls` and `_statements` how that flows
through a function, `_site` what a check sees, `_run` files to findings, `_show` and `_sarif` findings
to text. Never imports torch and never runs what it reads.
"""
