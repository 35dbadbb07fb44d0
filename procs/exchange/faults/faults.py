"""Faults on demand: each declared once, bounded by a count or a time.

A fault is armed by a JSON object whose `fault` names it; `arming` says when it strikes.
"""

from typing import Annotated, Literal

import msgspec

Lane = Literal["replies", "reports", "diffs", "rest"]
Kind = Literal["all", "streams", "orders"]


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="fault"):
    """A fault in force for ``seconds``, or for ``count`` times after the first ``skip``."""

    count: int = 0
    seconds: float = 0.0
    skip: int = 0

    def __post_init__(self) -> None:
        """Refuse a fault that would never begin or never end."""
        if min(self.count, self.seconds, self.skip) < 0 or not (self.count or self.seconds):
            raise ValueError("give count or seconds, above zero")


class TimedFault(msgspec.Struct, frozen=True, kw_only=True, tag_field="fault"):
    """A fault in force for ``seconds``."""

    seconds: float
    count: Literal[0] = 0
    skip: Literal[0] = 0

    def __post_init__(self) -> None:
        """Refuse a fault that would never begin."""
        if self.seconds <= 0:
            raise ValueError("give seconds, above zero")


def refuse_rest(lane: Lane) -> None:
    """Refuse a fault that needs more than one answer to a request."""
    if lane == "rest":
        raise ValueError("a REST request has one answer: lose or delay it")


class LaneFault(Fault, frozen=True, kw_only=True):
    """A fault of what one lane carries; of `replies` and `reports` for one account, or for all."""

    lane: Lane
    account: int = 0


class Lose(LaneFault, frozen=True, forbid_unknown_fields=True, tag="lose"):
    """What the lane would carry does not arrive; on `rest` the connection breaks instead."""


class Delay(LaneFault, frozen=True, forbid_unknown_fields=True, tag="delay"):
    """It arrives later; what comes after it does not wait."""

    delay_ms: float


class Duplicate(LaneFault, frozen=True, forbid_unknown_fields=True, tag="duplicate"):
    """It arrives twice; not for `rest`."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        super().__post_init__()
        refuse_rest(self.lane)


class Swap(LaneFault, frozen=True, forbid_unknown_fields=True, tag="swap"):
    """It arrives after the next one of its lane, or after a second without one; not for `rest`.

    Diffs are swapped with the next of their own symbol.
    """

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        super().__post_init__()
        refuse_rest(self.lane)


class Refuse(Fault, frozen=True, forbid_unknown_fields=True, tag="refuse"):
    """Requests are refused for their number: 429, or 418 for a ban."""

    status: Literal[429, 418] = 429
    retry_after_s: int = 1
    via: Literal["both", "rest", "ws-api"] = "both"


class TimeOut(Fault, frozen=True, forbid_unknown_fields=True, tag="time_out"):
    """An order request is answered with -1007, although it was carried out."""

    account: int = 0


class StaleSnapshots(Fault, frozen=True, forbid_unknown_fields=True, tag="stale_snapshots"):
    """Depth requests are answered with the book of the moment when this was armed."""


class Silence(TimedFault, frozen=True, forbid_unknown_fields=True, tag="silence"):
    """Streams whose name contains ``streams`` can be subscribed to, and send nothing."""

    streams: str = ""


class NoPings(TimedFault, frozen=True, forbid_unknown_fields=True, tag="no_pings"):
    """The exchange pings nobody."""


class SkewClock(TimedFault, frozen=True, forbid_unknown_fields=True, tag="skew_clock"):
    """The exchange's clock is ahead by this much, or behind."""

    skew_ms: int


class SymbolHalt(TimedFault, frozen=True, forbid_unknown_fields=True, tag="halt"):
    """A symbol does not trade; under CANCEL_ONLY its orders can still be cancelled."""

    symbol: str
    status: Literal["HALT", "CANCEL_ONLY"] = "HALT"


class Revoke(TimedFault, frozen=True, forbid_unknown_fields=True, tag="revoke"):
    """The key of an account is not accepted; its connections receive the error."""

    account: int = 1


class Freeze(TimedFault, frozen=True, forbid_unknown_fields=True, tag="freeze"):
    """Connections that are open now send nothing and read nothing, and then break."""

    kind: Kind = "all"


class Shutdown(TimedFault, frozen=True, forbid_unknown_fields=True, tag="shutdown"):
    """Connections that are open now receive serverShutdown, and are closed after ``seconds``."""

    kind: Kind = "all"


class Disguise(TimedFault, frozen=True, forbid_unknown_fields=True, tag="disguise"):
    """Messages come with unknown members, in another order, with white space, in fragments."""

    kind: Kind = "all"
    padding_bytes: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 0
    fragments: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1


class Cut(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="fault", tag="cut"):
    """Connections that are open now break at once; if wanted, in the middle of a frame."""

    kind: Kind = "all"
    mid_frame: bool = False
    count: Literal[0] = 0
    skip: Literal[0] = 0
    seconds: Literal[0] = 0


class Renumber(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="fault", tag="renumber"
):
    """Books whose topic contains ``streams`` are sent whole again at once, numbered from 1.

    Without ``restarts`` the numbers go on: a snapshot in the middle of a stream.
    """

    streams: str = ""
    restarts: bool = True
    count: Literal[0] = 0
    skip: Literal[0] = 0
    seconds: Literal[0] = 0


AnyFault = (
    Lose
    | Delay
    | Duplicate
    | Swap
    | Refuse
    | TimeOut
    | StaleSnapshots
    | Silence
    | NoPings
    | SkewClock
    | SymbolHalt
    | Revoke
    | Freeze
    | Shutdown
    | Disguise
    | Cut
    | Renumber
)
FAULT = msgspec.json.Decoder(AnyFault)
