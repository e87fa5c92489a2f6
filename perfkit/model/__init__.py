"""The two central objects, plain data: a `Run` (what was recorded) and a `Diagnosis` (what was concluded)."""
