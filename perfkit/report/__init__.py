"""What people see of a `Diagnosis`: a terminal screen, a Markdown text, an offline page.

Knows `model` and `base` only. Every text that came from a program, a trace or a diagnosis is hostile
until `_text.visible` and the page's escaping have seen it.
"""
