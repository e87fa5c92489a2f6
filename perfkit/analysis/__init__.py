"""From a `Run` to numbers: pure functions, one file per question. Knows nothing of rules or pages."""
