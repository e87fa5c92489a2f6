"""Two diagnoses beside each other: what changed, and whether the difference can be measured.

Knows `model` and `base` only, so that runs of any machine and of older versions can be compared.
"""
