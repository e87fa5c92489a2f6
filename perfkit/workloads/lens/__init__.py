"""Training a lens on preferences between working contexts, written the slow way it was found.

Where the shape comes from: the public repository brandf/MegaContext, a fork of nanochat (MIT).
There a small network, LensNet, scores every entry of a compressed context: positive asks to see it
in more detail, negative to summarise it further. It learns from pairs of contexts over the same
tokens: where the better one was finer, expand; where it was coarser, collapse. The repository's
note "MC Lens Loss Bottleneck" (commit c5d7890, November 2025) reports about 2 ms for the network
and about 2.9 s for this loss, on 39 contexts and 39 pairs. Generations of the loss, rebuilt from
their described behaviour, and what replaces them live in
`perfkit.rewrites.pairwise_preference_loss`: that of 24cde3a (`slow_elem`), that of dd21c98
(`slow_dict`), and on. Code and words are our own; data are invented.

The habits: losses read one at a time, tables filled element by element, targets made on the host
and copied per pair, boolean masks, and telemetry fetched value by value. The reported times have
no device synchronisation around them, so the first read in the loss also pays for the network.

    config.py    named sizes
    contexts.py  invented samples of working contexts, with embeddings
    model.py     LensNet
    losses.py    every generation and form of the loss by name
    training.py  the loop, its timers and its telemetry
    measured.py  one configuration, timed when calls return and when work is done
"""
