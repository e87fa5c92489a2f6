"""What is worth doing: one rule per file. `ls perfkit/rules` is the list.

A rule is a function of a `Run` that returns what it looked at and what it found, or raises
`NotObservable` with the reason why it could not look. Its module docstring is its page. Rules of your
own come from your own package, by an entry point: see `perfkit.base.plugins`. `outcome` tries one.
"""

from perfkit.rules._diagnose import diagnose
from perfkit.rules._engine import Looked, outcome
from perfkit.rules._late_rank import with_ranks

__all__ = ["Looked", "diagnose", "outcome", "with_ranks"]
