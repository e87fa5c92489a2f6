"""The quality gate of approximate rewrites: is a faster model still as good, everywhere?

    scores.py   AUC, PCOC and calibration of predictions
    slices.py   before against after, overall and per slice, with limits and a warning of Simpson
    checks.py   what a model must do with changed inputs: nothing, little, or go one way

Pure functions on numpy arrays and a callable model; imports no torch.
"""
