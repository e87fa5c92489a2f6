"""Ad-click ranking over user histories, written the slow way it was found.

Where the shape comes from: the "generative recommendation ad ranking inference" track of Baidu's
CTI 2026 contest (AI Studio competition 1461), which asks teams to make inference of a sequence
model in the manner of GRAB (arXiv 2602.01865) and HSTU (arXiv 2402.17152) fast. Known about it in
public: 28 feature slots, ids beyond the 5-million-row table, about 87 % of 40,770 users without a
row to predict, 50 users a batch with some 14,000 rows, 8 layers of 8 experts of which each row
uses 2, a score of 70 points for time and 30 for quality. The organiser's program is not licensed
for reuse: data, model and words here are our own, and only the habits that made it slow are kept.

The habits: 61 small host-to-device copies per batch, one embedding lookup per slot, an S x S
attention mask built in int64, and experts asked one after the other whether they have work.

As found, importing nothing of perfkit:

    config.py    named sizes, and the ways to compute them; the default is as found
    data.py      invented users, and the DataLoader over them
    model.py     the network
    metrics.py   AUC, PCOC and its calibration, the contest's score and our own
    inference.py the prediction loop, with the contest's own timer

Rewritten, with the forms of `perfkit.rewrites`, over the same parameters:

    packing.py   rows as columns; batches of two id tensors, without the rows that nobody asks about
    history.py   rows in files: written, read for the users asked about, cached
    rewritten.py the network, each part in the form that the configuration names
    serving.py   the prediction loop, streaming, with dispatch and completed time apart
    running.py   one configuration run and counted; bench.py hands it to `perfkit bench ctr`
    memory.py    the most memory that something needed
    stages.py    from found to fastest, a change at a time, for benchmarks
    loading.py   the two ways to read a history, time and memory
"""
