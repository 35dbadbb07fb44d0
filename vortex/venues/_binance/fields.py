"""Fields that Binance Spot's replies and reports have in common, from their text."""

from typing import NamedTuple

from ipc.compiled import compiled
from vortex.codes import OrderState, Refusal, Side
from vortex.decoding.instruments import find_words
from vortex.decoding.levels import read_lots, read_ticks
from vortex.decoding.tick_division import Steps
from vortex.venues._binance.anchored import to_nanoseconds
from vortex.venues._binance.request_ids import parse_client_order_id
from vortex.wire.scan import read_integer, read_string, text_words
from vortex.wire.words import words_of

MISSING_KEY = int(Refusal.MISSING_KEY)
UNKNOWN_SYMBOL = int(Refusal.UNKNOWN_SYMBOL)
_BUY = words_of(b"BUY")
_NEW = words_of(b"NEW")
_FILLED = words_of(b"FILLED")
_CANCELED = words_of(b"CANCELED")
_PARTIALLY_FILLED = words_of(b"PARTIALLY_FILLED")
_PENDING_NEW = words_of(b"PENDING_NEW")
_PENDING_CANCEL = words_of(b"PENDING_CANCEL")
_REJECTED = words_of(b"REJECTED")
_EXPIRED = words_of(b"EXPIRED")
_EXPIRED_IN_MATCH = words_of(b"EXPIRED_IN_MATCH")


class Envelope(NamedTuple):
    """Where the members of a message's outermost object begin; 0 for those that it has not."""

    root: int
    request_id: int
    status: int
    result: int
    error: int
    inner: int
    limits: int


@compiled
def words_at(address: int, end_address: int) -> tuple[int, int, int]:
    """Return the string value at ``address`` as words; three zeros for none."""
    if address == 0:
        return 0, 0, 0
    text, text_bytes = read_string(address, end_address)
    if text_bytes < 0:
        return 0, 0, 0
    return text_words(text, text_bytes)


@compiled
def integer_at(address: int, end_address: int, absent_number: int) -> int:
    """Return the integer value at ``address``, ``absent_number`` when there is none that fits."""
    if address == 0:
        return absent_number
    value, refusal = read_integer(address, end_address)
    return value if refusal == 0 else absent_number


@compiled
def nanoseconds_at(address: int, end_address: int) -> int:
    """Return the time value at ``address`` in ns, 0 when there is none."""
    return max(0, to_nanoseconds(integer_at(address, end_address, 0)))


@compiled
def client_order_at(address: int, end_address: int, session_address: int) -> int:
    """Return our number of the order with the client order id at ``address``; 0 if not ours."""
    if address == 0:
        return 0
    text, text_bytes = read_string(address, end_address)
    return parse_client_order_id(session_address, text, text_bytes) if text_bytes > 0 else 0


@compiled
def side_at(address: int, end_address: int) -> int:
    """Return codes.Side of the string at ``address``, 0 when there is none."""
    if address == 0:
        return 0
    return Side.BUY if words_at(address, end_address) == _BUY else Side.SELL


@compiled
def state_at(address: int, end_address: int) -> int:
    """Return codes.OrderState of the venue's order status at ``address``, 0 when it has none."""
    name = words_at(address, end_address)
    if name == _NEW or name == _PARTIALLY_FILLED or name == _PENDING_CANCEL:
        return OrderState.RESTING
    if name == _FILLED:
        return OrderState.FILLED
    if name == _CANCELED:
        return OrderState.CANCELED
    if name == _REJECTED:
        return OrderState.REJECTED
    if name == _EXPIRED or name == _EXPIRED_IN_MATCH:
        return OrderState.EXPIRED
    return OrderState.SENT if name == _PENDING_NEW else OrderState.FREE


@compiled
def instrument_of(symbol: int, end_address: int, catalog_address: int) -> int:
    """Return the instrument of the symbol value at ``symbol``, or a Refusal."""
    if symbol == 0:
        return MISSING_KEY
    first, second, third = words_at(symbol, end_address)
    index = find_words(catalog_address, first, second, third)
    return index if index >= 0 else UNKNOWN_SYMBOL


@compiled
def optional_ticks(address: int, end_address: int, steps: Steps) -> int:
    """Return the price at ``address``, 0 when there is none; negative is a Refusal."""
    return read_ticks(address, end_address, steps) if address else 0


@compiled
def optional_lots(address: int, end_address: int, steps: Steps) -> int:
    """Return the quantity at ``address``, 0 when there is none; negative is a Refusal."""
    return read_lots(address, end_address, steps) if address else 0
