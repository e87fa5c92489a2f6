"""What every room may lean on: errors, the plug-in loader, units, safe files. Knows nothing of profiling."""
