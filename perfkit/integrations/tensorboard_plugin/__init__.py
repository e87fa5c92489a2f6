"""The tab "perfkit" of TensorBoard: runs of a log directory, each with its report, and their history."""
