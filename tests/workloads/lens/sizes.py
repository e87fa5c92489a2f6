"""Small sizes for the tests of the lens workload."""

from dataclasses import replace

from perfkit.workloads.lens.config import CONFIGS

SMALL = replace(CONFIGS["laptop"], tokens=96, tail=16, samples=3, variants=3)
