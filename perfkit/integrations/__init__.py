"""perfkit inside other people's tools. Each file is loaded by the tool it serves."""
