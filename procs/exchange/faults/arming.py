"""Which faults are in force, and whether one strikes now; the places where things go wrong ask."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from procs.exchange.faults.faults import (
    FAULT,
    AnyFault,
    Cut,
    Delay,
    Duplicate,
    Lane,
    LaneFault,
    Lose,
    Refuse,
    Renumber,
    SkewClock,
    Swap,
)

SWAP_WAIT_S_MAX = 1.0
F = TypeVar("F")


class Armed:
    """A fault that was armed, and how often it struck."""

    def __init__(self, number: int, fault: AnyFault) -> None:
        self.number = number
        self.fault = fault
        self.met_count = 0
        self.end_s = time.monotonic() + fault.seconds if fault.seconds else float("inf")

    @property
    def hit_count(self) -> int:
        """How often it struck."""
        return max(0, self.met_count - self.fault.skip)

    @property
    def is_over(self) -> bool:
        """Whether it strikes no more."""
        spent = self.fault.count and self.hit_count >= self.fault.count
        at_once = isinstance(self.fault, Cut | Renumber)
        return bool(spent) or time.monotonic() >= self.end_s or at_once

    def meet(self) -> bool:
        """Count an occasion; return whether the fault strikes."""
        self.met_count += 1
        return self.met_count > self.fault.skip

    def row(self) -> dict[str, Any]:
        """Return the row of this fault for the control port."""
        return {
            "id": self.number,
            "fault": self.fault,
            "hit_count": self.hit_count,
            "is_over": self.is_over,
        }


class Faults:
    """All that was armed; ``on_armed`` carries out what happens to connections at once.

    Kinds of faults in ``foreign`` mean nothing at this venue and are refused.
    """

    def __init__(self, foreign: tuple[type, ...] = ()) -> None:
        self._foreign = foreign
        self._armed: list[Armed] = []
        self._told: list[Armed] = []
        self._held: dict[tuple[str, str], Callable[[], None]] = {}
        self.on_armed: Callable[[AnyFault], None] = lambda _: None

    def arm(self, text: bytes) -> int:
        """Arm the fault of a JSON text; return its number.

        Raises what msgspec raises, and ValueError for a fault that this venue does not know.
        """
        fault = FAULT.decode(text)
        if isinstance(fault, self._foreign):
            raise ValueError("this venue has nothing that the fault could strike")
        armed = Armed(len(self._told) + 1, fault)
        self._told.append(armed)
        self._armed.append(armed)
        self.on_armed(armed.fault)
        return armed.number

    def clear(self) -> None:
        """End all faults, and send what they hold back."""
        self._armed.clear()
        for armed in self._told:
            armed.end_s = min(armed.end_s, time.monotonic())
        for place in tuple(self._held):
            self._release(place)

    def rows(self) -> list[dict[str, Any]]:
        """Return all that was ever armed."""
        return [armed.row() for armed in self._told]

    def _standing(self, kind: type[F], matches: Callable[[F], bool]) -> Iterator[tuple[Armed, F]]:
        if self._armed:
            self._armed = [armed for armed in self._armed if not armed.is_over]
        for armed in self._armed:
            if isinstance(armed.fault, kind) and matches(armed.fault):
                yield armed, armed.fault

    def standing(self, kind: type[F], matches: Callable[[F], bool] = lambda _: True) -> F | None:
        """Return a fault of this kind that is in force."""
        return next((fault for _, fault in self._standing(kind, matches)), None)

    def strikes(self, kind: type[F], matches: Callable[[F], bool] = lambda _: True) -> F | None:
        """Return the fault of this kind that strikes now, and count the occasion."""
        found = self._standing(kind, matches)
        return next((fault for armed, fault in found if armed.meet()), None)

    def skew_ms(self) -> int:
        """Return by how much the exchange's clock is ahead."""
        skew = self.standing(SkewClock)
        return skew.skew_ms if skew is not None else 0

    def refusal(self, via: str) -> Refuse | None:
        """Return the fault by which a request that came this way is refused for its number."""
        return self.strikes(Refuse, lambda fault: fault.via in ("both", via))

    def strikes_lane(self, lane: Lane, account: int = 0) -> LaneFault | None:
        """Return the fault that strikes what a lane carries now."""
        return self.strikes(
            LaneFault, lambda fault: fault.lane == lane and fault.account in (0, account)
        )

    def carry(
        self, lane: Lane, send: Callable[[], None], account: int = 0, stream: str = ""
    ) -> None:
        """Send something on its lane, or whatever its fault makes of that.

        What is swapped waits for the next of its own ``stream``, where the lane has several.
        """
        if not self._armed and not self._held:
            send()
            return
        place = (lane, stream)
        if place in self._held:
            send()
            self._release(place)
            return
        fault = self.strikes_lane(lane, account)
        if isinstance(fault, Delay):
            asyncio.get_running_loop().call_later(fault.delay_ms / 1000, send)
        elif isinstance(fault, Swap):
            self._held[place] = send
            loop = asyncio.get_running_loop()
            loop.call_later(SWAP_WAIT_S_MAX, self._release_this, place, send)
        elif not isinstance(fault, Lose):
            send()
            if isinstance(fault, Duplicate):
                send()

    def _release(self, place: tuple[str, str]) -> None:
        self._held.pop(place)()

    def _release_this(self, place: tuple[str, str], send: Callable[[], None]) -> None:
        if self._held.get(place) is send:
            self._release(place)
