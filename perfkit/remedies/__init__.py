"""From a finding to its fix: the page to read, the diff to apply, the commands that do it and prove it.

Knows rules, fixes and rewrites by their source and never imports torch. `with_remedies` is a pure function
of a diagnosis and of whoever reads the source of what ran.
"""

from perfkit.remedies._remedies import with_remedies

__all__ = ["with_remedies"]
