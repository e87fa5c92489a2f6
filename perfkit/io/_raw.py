"""One event of a Chrome trace as it stands in the file, its arguments left undecoded."""

from __future__ import annotations

import msgspec

NO_ARGS = msgspec.Raw(b"{}")


class RawEvent(msgspec.Struct, gc=False, omit_defaults=True):
    """One event. Times in microseconds; None where the event has no such field."""

    ph: str = ""
    cat: str = ""
    name: str = ""
    pid: int | str | None = None
    tid: int | str | None = None
    ts: float | None = None
    dur: float | None = None
    id: int | str | None = None
    bp: str | None = None
    s: str | None = None
    args: msgspec.Raw = NO_ARGS


class ExactTimes(msgspec.Struct, gc=False):
    """The start of one event with every digit, for clocks that a float cannot hold."""

    ts: msgspec.Raw = NO_ARGS


decode_event = msgspec.json.Decoder(RawEvent).decode
decode_events = msgspec.json.Decoder(list[RawEvent]).decode
decode_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
decode_times = msgspec.json.Decoder(list[ExactTimes]).decode
decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
