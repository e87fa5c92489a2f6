"""Colour where it is wanted: on terminals, unless NO_COLOR or FORCE_COLOR say otherwise."""

from __future__ import annotations

import os
import sys


def asked() -> bool | None:
    """What the environment says: NO_COLOR before FORCE_COLOR; None where it leaves it to the terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def wanted() -> bool:
    """Whether stdout gets colour."""
    told = asked()
    if told is not None:
        return told
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
