"""The sections of a report: each file has `ORDER` and `section(diagnosis)`, which may be silent (None)."""
