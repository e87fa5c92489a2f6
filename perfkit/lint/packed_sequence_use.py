"""Packed sequences and their lengths.

**What it finds**: `pack_padded_sequence` with lengths on the device or unsorted;
`pad_packed_sequence`.

**Why it hurts**: lengths must be on the host, and the order of unsorted sequences travels between
host and device.

**Instead**: sort by length in the data loader, keep the lengths on the CPU, and pass
`enforce_sorted=True`.

**When not to act**: where the recurrent network itself takes most of the step.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site, read_on_device

CODE = "PK130"
KIND = "packed_sequence"
FUNCTIONS = (
    "torch.nn.utils.rnn.pack_padded_sequence",
    "torch.nn.utils.rnn.pad_packed_sequence",
    "torch.nn.utils.rnn.pack_sequence",
)

SILENT = ("v = rnn.pack_padded_sequence(x, torch.tensor([3, 2]))",)
FOUND = (
    "v = rnn.pack_padded_sequence(x, y)  # found",
    "v = rnn.pack_padded_sequence(x, torch.tensor([1, 2]), enforce_sorted=False)  # found",
)


def function(site: Site) -> Found | None:
    """`pack_padded_sequence(x, lengths)`, `pad_packed_sequence(packed)`."""
    if site.place.host:
        return None
    if site.name.endswith("pad_packed_sequence"):
        return Found(
            "`{code}` copies the order of the sequences to the host when they were unsorted", 2
        )
    lengths = site.arg(1, "lengths")
    if site.constant(3, "enforce_sorted") is False:
        return Found("`{code}` sorts the lengths and copies the order to the device", 2)
    sure = read_on_device(lengths) if lengths is not None else 0
    return Found("`{code}` takes its lengths from the device and waits", sure) if sure else None
