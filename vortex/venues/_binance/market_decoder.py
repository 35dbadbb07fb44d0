"""Binance Spot's market messages, in any form that means the same.

*Source:* Binance Spot API documentation, "WebSocket Streams" and "Market data requests".
"""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word, record_at
from vortex.codes import Kind, Refusal
from vortex.decoding.instruments import find_words
from vortex.decoding.levels import read_lots_shown, read_ticks, write_levels
from vortex.decoding.market_writers import write_depth, write_ticker, write_trade
from vortex.decoding.tick_division import Steps, steps_of, steps_of_row
from vortex.records import CATALOG, INSTRUMENT, MARKET_SLOT_BYTES
from vortex.venues._binance.anchored import decode_anchored, to_nanoseconds
from vortex.wire.scan import (
    CLOSE_OBJECT,
    FALSE,
    OPEN_OBJECT,
    TRUE,
    check_text,
    open_object,
    read_integer,
    read_member,
    read_string,
    resolved_character,
    text_words,
)
from vortex.wire.words import low_bytes, words_of

CATALOG_DTYPE = CATALOG.dtype
INSTRUMENT_DTYPE = INSTRUMENT.dtype

IGNORED = int(Refusal.IGNORED)
MISSING_KEY = int(Refusal.MISSING_KEY)
NOT_JSON = int(Refusal.NOT_JSON)
NOT_KNOWN = int(Refusal.NOT_KNOWN)
OUT_OF_RANGE = int(Refusal.OUT_OF_RANGE)
SHUTDOWN = int(Refusal.SHUTDOWN)
TOO_LARGE = int(Refusal.TOO_LARGE)
UNKNOWN_SYMBOL = int(Refusal.UNKNOWN_SYMBOL)

AT_SIGN = ord("@")

_DEPTH_UPDATE, _TRADE = words_of(b"depthUpdate"), words_of(b"trade")
_BOOK_TICKER, _SERVER_SHUTDOWN = words_of(b"bookTicker"), words_of(b"serverShutdown")

_STREAM, _DATA, _EVENT = words_of(b"stream"), words_of(b"data"), words_of(b"event")
_RESULT, _ERROR, _CODE, _ID = (words_of(key) for key in (b"result", b"error", b"code", b"id"))
_BIDS, _ASKS, _LAST_UPDATE_ID = words_of(b"bids"), words_of(b"asks"), words_of(b"lastUpdateId")
_LETTER_E, _UPPER_E, _LETTER_S = words_of(b"e"), words_of(b"E"), words_of(b"s")
_UPPER_U, _LETTER_U = words_of(b"U"), words_of(b"u")
_LETTER_B, _UPPER_B, _LETTER_A, _UPPER_A = (words_of(key) for key in (b"b", b"B", b"a", b"A"))
_LETTER_T, _LETTER_P, _LETTER_Q = words_of(b"t"), words_of(b"p"), words_of(b"q")
_UPPER_T, _LETTER_M = words_of(b"T"), words_of(b"m")


@compiled
def decode_market(
    payload_address: int,
    payload_bytes: int,
    catalog_address: int,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write the records of one market message; return how many, or a Refusal.

    ``out_address`` holds ``out_count_max`` slots of 128 bytes.  Raw and combined streams.  What is
    not in the form that the venue sends today is counted in the catalog: many of them mean that
    the venue changed its form.
    """
    end = payload_address + payload_bytes
    record_count = decode_anchored(
        payload_address, end, catalog_address, out_address, out_count_max
    )
    if record_count > 0:
        return record_count
    record_at(catalog_address, CATALOG_DTYPE).general_count += 1
    return _decode_any(payload_address, end, catalog_address, out_address, out_count_max)


class StreamEnvelope(NamedTuple):
    """What is around a message: where its own object begins, and the stream's name (or 0).

    ``inner`` is a Refusal when the text is no JSON object.
    """

    inner: int
    stream: int
    is_control: int


@compiled
def read_envelope(address: int, end_address: int) -> StreamEnvelope:
    """Return what is around the message at ``[address, end_address)``.

    ``{"stream":...,"data":...}``, ``{"subscriptionId":...,"event":...}`` or nothing.
    """
    stream, inner, is_control = 0, 0, 0
    root = check_text(address, end_address)
    if root < 0:
        return StreamEnvelope(NOT_JSON, 0, 0)
    address = open_object(root, end_address)
    if address < 0:
        return StreamEnvelope(NOT_KNOWN, 0, 0)
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
        name = text_words(key, key_bytes)
        if name == _STREAM:
            stream = value
        elif name == _DATA or name == _EVENT:
            inner = value
        elif name == _RESULT or name == _ERROR or name == _CODE or name == _ID:
            is_control = 1
    if inner == 0 or load_byte(inner) != OPEN_OBJECT:
        inner = root
    return StreamEnvelope(inner, stream, is_control)


class Members(NamedTuple):
    """Where the values of a message's members begin; 0 for those that it has not.

    Of a repeated key the last value counts, as in Python.
    """

    event: int
    event_time: int
    symbol: int
    first_id: int
    update_id: int
    bid: int
    bid_qty: int
    ask: int
    ask_qty: int
    trade_id: int
    price: int
    qty: int
    trade_time: int
    maker: int
    last_update_id: int
    bids: int
    asks: int


@compiled
def _read_members(address: int, end_address: int) -> Members:
    """Return the members of the object at ``address``, which was checked to be JSON."""
    event, event_time, symbol, first_id, update_id = 0, 0, 0, 0, 0
    bid, bid_qty, ask, ask_qty, trade_id, price, qty = 0, 0, 0, 0, 0, 0, 0
    trade_time, maker, last_update_id, bids, asks = 0, 0, 0, 0, 0
    address = open_object(address, end_address)
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
        name = text_words(key, key_bytes)
        if name == _LETTER_E:
            event = value
        elif name == _UPPER_E:
            event_time = value
        elif name == _LETTER_S:
            symbol = value
        elif name == _UPPER_U:
            first_id = value
        elif name == _LETTER_U:
            update_id = value
        elif name == _LETTER_B:
            bid = value
        elif name == _UPPER_B:
            bid_qty = value
        elif name == _LETTER_A:
            ask = value
        elif name == _UPPER_A:
            ask_qty = value
        elif name == _LETTER_T:
            trade_id = value
        elif name == _LETTER_P:
            price = value
        elif name == _LETTER_Q:
            qty = value
        elif name == _UPPER_T:
            trade_time = value
        elif name == _LETTER_M:
            maker = value
        elif name == _LAST_UPDATE_ID:
            last_update_id = value
        elif name == _BIDS:
            bids = value
        elif name == _ASKS:
            asks = value
    return Members(
        event,
        event_time,
        symbol,
        first_id,
        update_id,
        bid,
        bid_qty,
        ask,
        ask_qty,
        trade_id,
        price,
        qty,
        trade_time,
        maker,
        last_update_id,
        bids,
        asks,
    )


@compiled
def _decode_any(
    address: int, end_address: int, catalog_address: int, out_address: int, out_count_max: int
) -> int:
    """Return what ``decode_market`` returns, for any form of message."""
    envelope = read_envelope(address, end_address)
    if envelope.inner < 0:
        return envelope.inner
    if out_count_max < 1:
        return TOO_LARGE
    members = _read_members(envelope.inner, end_address)
    if members.event == 0:
        if members.last_update_id:
            index = _stream_instrument(envelope.stream, end_address, catalog_address)
            if index < 0:
                return index
            return _decode_partial(
                members, end_address, index, catalog_address, out_address, out_count_max
            )
        if members.update_id and members.symbol:
            return _decode_ticker(members, end_address, catalog_address, out_address)
        return IGNORED if envelope.is_control else NOT_KNOWN
    text, text_bytes = read_string(members.event, end_address)
    if text_bytes < 0:
        return NOT_KNOWN
    name = text_words(text, text_bytes)
    if name == _DEPTH_UPDATE:
        return _decode_depth(members, end_address, catalog_address, out_address, out_count_max)
    if name == _TRADE:
        return _decode_trade(members, end_address, catalog_address, out_address)
    if name == _BOOK_TICKER:
        return _decode_ticker(members, end_address, catalog_address, out_address)
    return SHUTDOWN if name == _SERVER_SHUTDOWN else NOT_KNOWN


@compiled
def _find_symbol(address: int, end_address: int, catalog_address: int) -> int:
    """Return the instrument of the symbol value at ``address``, or a Refusal."""
    if address == 0:
        return MISSING_KEY
    text, text_bytes = read_string(address, end_address)
    if text_bytes < 0:
        return NOT_JSON
    first, second, third = text_words(text, text_bytes)
    index = find_words(catalog_address, first, second, third)
    return index if index >= 0 else UNKNOWN_SYMBOL


@compiled
def _upper_case(word: int) -> int:
    """Return the word with its ASCII letters in upper case."""
    low_seven = word & 0x7F7F7F7F7F7F7F7F
    from_a = low_seven + 0x1F1F1F1F1F1F1F1F  # the top bit: 'a' or later
    after_z = low_seven + 0x0505050505050505  # the top bit: behind 'z'
    letters = from_a & ~after_z & ~word & -0x7F7F7F7F7F7F7F80
    return word ^ ((letters >> 2) & 0x2020202020202020)


@compiled
def _stream_instrument(stream_address: int, end_address: int, catalog_address: int) -> int:
    """Return the instrument that a stream's name begins with, or a Refusal.

    Without a name: the only instrument there is, else MISSING_KEY.
    """
    if stream_address == 0:
        catalog = record_at(catalog_address, CATALOG_DTYPE)
        return int(catalog.first_instrument_id) if catalog.instrument_count == 1 else MISSING_KEY
    text, text_bytes = read_string(stream_address, end_address)
    if text_bytes < 0:
        return NOT_JSON
    at_sign = text
    while at_sign < text + text_bytes:
        character, _, after = resolved_character(at_sign)
        if character == AT_SIGN:
            break
        at_sign = after
    first, second, third = text_words(text, at_sign - text)
    index = find_words(catalog_address, _upper_case(first), _upper_case(second), _upper_case(third))
    return index if index >= 0 else UNKNOWN_SYMBOL


@compiled
def _read_time(address: int, end_address: int) -> int:
    """Return the time value at ``address`` in ns, or a Refusal."""
    value, refusal = read_integer(address, end_address)
    if refusal < 0:
        return refusal
    venue_ns = to_nanoseconds(value)
    return venue_ns if venue_ns >= 0 else OUT_OF_RANGE


@compiled
def _read_id(address: int, end_address: int) -> int:
    """Return the non-negative integer at ``address``, or a Refusal."""
    value, refusal = read_integer(address, end_address)
    if refusal < 0:
        return refusal
    return value if value >= 0 else OUT_OF_RANGE


@compiled
def _decode_ticker(
    members: Members, end_address: int, catalog_address: int, out_address: int
) -> int:
    """Write a TICKER; return 1, or a Refusal."""
    index = _find_symbol(members.symbol, end_address, catalog_address)
    if index < 0:
        return index
    if min(members.update_id, members.bid, members.bid_qty, members.ask, members.ask_qty) == 0:
        return MISSING_KEY
    steps = steps_of_row(catalog_address, index)
    venue_ns = 0
    if members.event_time:
        venue_ns = _read_time(members.event_time, end_address)
    update_id = _read_id(members.update_id, end_address)
    bid_ticks = read_ticks(members.bid, end_address, steps)
    bid_lots = read_lots_shown(members.bid_qty, end_address, steps)
    ask_ticks = read_ticks(members.ask, end_address, steps)
    ask_lots = read_lots_shown(members.ask_qty, end_address, steps)
    worst = min(venue_ns, update_id, bid_ticks, bid_lots, ask_ticks, ask_lots)
    if worst < 0:
        return worst
    return write_ticker(
        out_address, index, venue_ns, update_id, bid_ticks, bid_lots, ask_ticks, ask_lots
    )


@compiled
def _decode_trade(
    members: Members, end_address: int, catalog_address: int, out_address: int
) -> int:
    """Write a TRADE; return 1, or a Refusal."""
    index = _find_symbol(members.symbol, end_address, catalog_address)
    if index < 0:
        return index
    if (
        min(members.trade_id, members.price, members.qty, members.trade_time, members.maker) == 0
        or members.event_time == 0
    ):
        return MISSING_KEY
    steps = steps_of_row(catalog_address, index)
    event_ns = _read_time(members.event_time, end_address)
    venue_ns = _read_time(members.trade_time, end_address)
    trade_id = _read_id(members.trade_id, end_address)
    ticks = read_ticks(members.price, end_address, steps)
    lots = read_lots_shown(members.qty, end_address, steps)
    worst = min(event_ns, venue_ns, trade_id, ticks, lots)
    if worst < 0:
        return worst
    if ticks == 0:
        return OUT_OF_RANGE
    flag = load_word(members.maker)
    is_maker = low_bytes(flag, 4) == TRUE
    if not is_maker and low_bytes(flag, 5) != FALSE:
        return NOT_JSON
    return write_trade(out_address, index, venue_ns, trade_id, ticks, lots, 1 if is_maker else 0)


@compiled
def _write_sides(
    bids_address: int,
    asks_address: int,
    end_address: int,
    instrument_id: int,
    steps: Steps,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write both sides behind the head at ``out_address``; return the records, or a Refusal."""
    slot = out_address + MARKET_SLOT_BYTES
    room = out_count_max - 1
    bid_count = write_levels(bids_address, end_address, Kind.BIDS, instrument_id, steps, slot, room)
    if bid_count < 0:
        return bid_count
    slot += bid_count * MARKET_SLOT_BYTES
    ask_count = write_levels(
        asks_address, end_address, Kind.ASKS, instrument_id, steps, slot, room - bid_count
    )
    return ask_count if ask_count < 0 else bid_count + ask_count


@compiled
def _decode_depth(
    members: Members, end_address: int, catalog_address: int, out_address: int, out_count_max: int
) -> int:
    """Write a DEPTH message; return its records, or a Refusal."""
    index = _find_symbol(members.symbol, end_address, catalog_address)
    if index < 0:
        return index
    ids = min(members.event_time, members.first_id, members.update_id)
    if min(ids, members.bid, members.ask) == 0:
        return MISSING_KEY
    venue_ns = _read_time(members.event_time, end_address)
    first_id = _read_id(members.first_id, end_address)
    last_id = _read_id(members.update_id, end_address)
    worst = min(venue_ns, first_id, last_id)
    if worst < 0:
        return worst
    steps = steps_of_row(catalog_address, index)
    count = _write_sides(
        members.bid, members.ask, end_address, index, steps, out_address, out_count_max
    )
    if count < 0:
        return count
    return write_depth(out_address, Kind.DEPTH, index, venue_ns, first_id, last_id, count)


@compiled
def _decode_partial(
    members: Members,
    end_address: int,
    index: int,
    catalog_address: int,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write a PARTIAL message; return its records, or a Refusal."""
    if min(members.bids, members.asks) == 0:
        return MISSING_KEY
    update_id = _read_id(members.last_update_id, end_address)
    if update_id < 0:
        return update_id
    steps = steps_of_row(catalog_address, index)
    count = _write_sides(
        members.bids, members.asks, end_address, index, steps, out_address, out_count_max
    )
    if count < 0:
        return count
    return write_depth(out_address, Kind.PARTIAL, index, 0, update_id, update_id, count)


@compiled
def decode_snapshot(
    payload_address: int,
    payload_bytes: int,
    instrument_address: int,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write a SNAPSHOT message; return its records, or a Refusal.

    The REST body of ``/api/v3/depth``, or the reply to the WebSocket API's ``depth``.  The venue
    names no symbol in it: the instrument is the one that was asked for.
    """
    end = payload_address + payload_bytes
    inner = _snapshot_object(payload_address, end)
    if inner < 0:
        return inner
    if out_count_max < 1:
        return TOO_LARGE
    members = _read_members(inner, end)
    if min(members.last_update_id, members.bids, members.asks) == 0:
        return MISSING_KEY
    update_id = _read_id(members.last_update_id, end)
    if update_id < 0:
        return update_id
    instrument = record_at(instrument_address, INSTRUMENT_DTYPE)
    index = int(instrument.instrument_id)
    steps = steps_of(instrument.tick_e8, instrument.lot_e8)
    count = _write_sides(members.bids, members.asks, end, index, steps, out_address, out_count_max)
    if count < 0:
        return count
    return write_depth(out_address, Kind.SNAPSHOT, index, 0, update_id, update_id, count)


@compiled
def _snapshot_object(address: int, end_address: int) -> int:
    """Return where the object with the levels begins: ``result`` if there is one, else the root."""
    root = check_text(address, end_address)
    if root < 0:
        return NOT_JSON
    address = open_object(root, end_address)
    if address < 0:
        return NOT_KNOWN
    inner = root
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
        if text_words(key, key_bytes) == _RESULT and load_byte(value) == OPEN_OBJECT:
            inner = value
    return inner
