"""perfkit: which line is slow, how much it costs, and what to write instead."""
