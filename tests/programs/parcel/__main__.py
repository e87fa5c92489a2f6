"""The same, as a package."""

import sys

from . import inside

print(sys.argv, __file__, __package__, __spec__.name, sys.path[0])
inside.fail()
