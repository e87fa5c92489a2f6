"""Speculative decoding with a draft model that has another tokenizer, as found and rewritten.

A small model drafts some tokens, in several branches; the main model looks at all of them in one
forward and keeps what it would have said itself. Published sketches of it ask the device for every
token: to append it, to translate it, to compare it. Language, tokenizers and weights are invented:
the draft shares layers and embeddings with the main model, so that it is right often, not always.

    config.py      named sizes
    text.py        an invented language and two ways of cutting it into tokens
    model.py       the transformer, its key-value cache, and planted weights for both models
    pieces.py      what generation is given and gives: models, prompts, tokens
    found.py       generation as found: branch by branch, token by token
    fast.py        generation with the rewritten pieces: no wait until the batch is done
    generation.py  plain decoding, the standard to compare with, and one measured run
"""
