"""Binance Spot's market messages in the form that the venue sends today, key for key.

A message that differs anywhere (key order, new keys, white space, other decimals) is left to
``_binance_market``; so is every refusal.  Nothing is accepted here that was not compared.

*Source:* Binance Spot API documentation, "WebSocket Streams".
"""

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word
from vortex.codes import Kind
from vortex.decoding.instruments import find_instrument, find_words
from vortex.decoding.levels import write_plain_levels
from vortex.decoding.market_writers import write_depth, write_ticker, write_trade
from vortex.decoding.tick_division import steps_of_row, to_lots_shown, to_ticks
from vortex.records import MARKET_SLOT_BYTES
from vortex.wire.scan import (
    BACKSLASH,
    CLOSE_OBJECT,
    COLON,
    QUOTE,
    plain_integer,
    skip_string,
)
from vortex.wire.wide import byte_bits, plain_pair
from vortex.wire.words import byte_marks, count_trailing_zeros, low_bytes, word_of, words_of

#: Times from here on are microseconds (the venue's ``timeUnit=MICROSECOND``), below milliseconds.
FIRST_MICROSECOND = 10**15
LAST_MICROSECOND = (2**63 - 1) // 1_000
LAST_MILLISECOND = (2**63 - 1) // 1_000_000

#: The shortest message that the anchored readers look at.
ANCHORED_BYTES_MIN = 64

_STREAM_0, _STREAM_1 = word_of(b'{"stream'), word_of(b'":"')
_DATA = word_of(b'","data"')
_DEPTH = words_of(b'{"e":"depthUpdate","E":')
_TRADE = words_of(b'{"e":"trade","E":')
_TICKER = word_of(b'{"u":')
_SYMBOL, _FIRST_ID, _LAST_ID = word_of(b',"s":"'), word_of(b'","U":'), word_of(b',"u":')
_BIDS, _ASKS = word_of(b',"b":['), word_of(b',"a":[')
_BID, _BID_QTY = word_of(b'","b":"'), word_of(b'","B":"')
_ASK, _ASK_QTY = word_of(b'","a":"'), word_of(b'","A":"')
_TRADE_ID, _PRICE, _QTY = word_of(b'","t":'), word_of(b',"p":"'), word_of(b'","q":"')
_TRADE_TIME, _END_OF_TICKER = word_of(b'","T":'), word_of(b'"}')
_MAKER_TRUE, _MAKER_FALSE = word_of(b',"m":tru'), word_of(b',"m":fal')
_BEST_TRUE, _BEST_FALSE = word_of(b',"M":tru'), word_of(b',"M":fal')


@compiled
def decode_anchored(
    address: int, end_address: int, catalog_address: int, out_address: int, out_count_max: int
) -> int:
    """Return what ``decode_market`` returns if the message is as usual, else 0."""
    if end_address - address < ANCHORED_BYTES_MIN or out_count_max < 1:
        return 0
    if load_byte(end_address - 1) != CLOSE_OBJECT:
        return 0
    if load_word(address) == _STREAM_0:
        if low_bytes(load_word(address + 8), 3) != _STREAM_1:
            return 0
        name = address + 11
        # A name is shorter than a window; a backslash is no part of a usual one.
        marks = byte_bits(name, QUOTE) | byte_bits(name, BACKSLASH)
        address = name + count_trailing_zeros(marks)
        if load_word(address) != _DATA or end_address - address < ANCHORED_BYTES_MIN:
            return 0
        address += 9
        end_address -= 1
        if load_byte(end_address - 1) != CLOSE_OBJECT or load_byte(address - 1) != COLON:
            return 0
    word = load_word(address)
    if low_bytes(word, 5) == _TICKER:
        return _anchored_ticker(address + 5, end_address, catalog_address, out_address)
    if word == _TRADE[0]:
        return _anchored_trade(address, end_address, catalog_address, out_address)
    if word == _DEPTH[0]:
        return _anchored_depth(address, end_address, catalog_address, out_address, out_count_max)
    return 0


@compiled
def _symbol_at(address: int, catalog_address: int) -> tuple[int, int]:
    """Return the instrument (or -1) of the symbol at ``address``, and the address of its quote."""
    word = load_word(address)
    count = count_trailing_zeros(byte_marks(word, QUOTE)) >> 3
    if count < 8:
        return find_words(catalog_address, low_bytes(word, count), 0, 0), address + count
    close = skip_string(address, address + 25)
    if close < 0:
        return -1, address
    return find_instrument(catalog_address, address, close - address), close


@compiled
def to_nanoseconds(venue_number: int) -> int:
    """Return the venue's time in ns, or -1 when it does not fit."""
    if 0 <= venue_number <= LAST_MILLISECOND:
        return venue_number * 1_000_000
    if FIRST_MICROSECOND <= venue_number <= LAST_MICROSECOND:
        return venue_number * 1_000
    return -1


@compiled
def _anchored_ticker(address: int, end_address: int, catalog_address: int, out_address: int) -> int:
    """Write the usual bookTicker behind ``{"u":``; return the slots taken, 0 if it is not usual."""
    update_id, address = plain_integer(address)
    if update_id < 0 or low_bytes(load_word(address), 6) != _SYMBOL:
        return 0
    index, address = _symbol_at(address + 6, catalog_address)
    if index < 0 or low_bytes(load_word(address), 7) != _BID:
        return 0
    bid = plain_pair(address, byte_bits(address, QUOTE), 7, 7)
    if bid.first_e8 < 0 or low_bytes(load_word(bid.middle), 7) != _BID_QTY:
        return 0
    if low_bytes(load_word(bid.after), 7) != _ASK:
        return 0
    ask = plain_pair(bid.after, byte_bits(bid.after, QUOTE), 7, 7)
    if ask.first_e8 < 0 or low_bytes(load_word(ask.middle), 7) != _ASK_QTY:
        return 0
    if low_bytes(load_word(ask.after), 2) != _END_OF_TICKER or ask.after + 2 != end_address:
        return 0
    steps = steps_of_row(catalog_address, index)
    bid_ticks, bid_lots = to_ticks(steps, bid.first_e8), to_lots_shown(steps, bid.second_e8)
    ask_ticks, ask_lots = to_ticks(steps, ask.first_e8), to_lots_shown(steps, ask.second_e8)
    if (bid_ticks | bid_lots | ask_ticks | ask_lots) < 0:
        return 0
    return write_ticker(out_address, index, 0, update_id, bid_ticks, bid_lots, ask_ticks, ask_lots)


@compiled
def _read_flag(address: int, true_word: int, false_word: int) -> tuple[int, int]:
    """Return 1 or 0 (-1: neither) for the member at ``address``, and the position behind it."""
    word = load_word(address)
    if word == true_word and load_byte(address + 8) == 101:
        return 1, address + 9
    if word == false_word and low_bytes(load_word(address + 8), 2) == 0x6573:
        return 0, address + 10
    return -1, address


@compiled
def _anchored_trade(address: int, end_address: int, catalog_address: int, out_address: int) -> int:
    """Write the usual trade; return the slots taken, 0 if it is not usual."""
    if load_word(address + 8) != _TRADE[1] or load_byte(address + 16) != COLON:
        return 0
    event_time, address = plain_integer(address + 17)
    if event_time < 0 or low_bytes(load_word(address), 6) != _SYMBOL:
        return 0
    index, address = _symbol_at(address + 6, catalog_address)
    if index < 0 or low_bytes(load_word(address), 6) != _TRADE_ID:
        return 0
    trade_id, address = plain_integer(address + 6)
    if trade_id < 0 or low_bytes(load_word(address), 6) != _PRICE:
        return 0
    pair = plain_pair(address, byte_bits(address, QUOTE), 6, 7)
    if pair.first_e8 < 0 or low_bytes(load_word(pair.middle), 7) != _QTY:
        return 0
    if low_bytes(load_word(pair.after), 6) != _TRADE_TIME:
        return 0
    trade_time, address = plain_integer(pair.after + 6)
    is_maker, address = _read_flag(address, _MAKER_TRUE, _MAKER_FALSE)
    if load_byte(address) != CLOSE_OBJECT:
        best, address = _read_flag(address, _BEST_TRUE, _BEST_FALSE)
        if best < 0:
            return 0
    if trade_time < 0 or is_maker < 0 or load_byte(address) != CLOSE_OBJECT:
        return 0
    if address + 1 != end_address:
        return 0
    steps = steps_of_row(catalog_address, index)
    ticks, lots = to_ticks(steps, pair.first_e8), to_lots_shown(steps, pair.second_e8)
    venue_ns = to_nanoseconds(trade_time)
    if ticks <= 0 or (lots | venue_ns | to_nanoseconds(event_time)) < 0:
        return 0
    return write_trade(out_address, index, venue_ns, trade_id, ticks, lots, is_maker)


@compiled
def _anchored_depth(
    address: int, end_address: int, catalog_address: int, out_address: int, out_count_max: int
) -> int:
    """Write the usual depthUpdate; return the slots taken, 0 if it is not usual."""
    if load_word(address + 8) != _DEPTH[1] or low_bytes(load_word(address + 16), 7) != _DEPTH[2]:
        return 0
    event_time, address = plain_integer(address + 23)
    venue_ns = to_nanoseconds(event_time)
    if venue_ns < 0 or low_bytes(load_word(address), 6) != _SYMBOL:
        return 0
    index, address = _symbol_at(address + 6, catalog_address)
    if index < 0 or low_bytes(load_word(address), 6) != _FIRST_ID:
        return 0
    first_id, address = plain_integer(address + 6)
    if first_id < 0 or low_bytes(load_word(address), 5) != _LAST_ID:
        return 0
    last_id, address = plain_integer(address + 5)
    if last_id < 0 or low_bytes(load_word(address), 6) != _BIDS or address >= end_address:
        return 0
    steps = steps_of_row(catalog_address, index)
    slot = out_address + MARKET_SLOT_BYTES
    address, bid_count = write_plain_levels(
        address + 6, end_address, Kind.BIDS, index, steps, slot, out_count_max - 1
    )
    if address < 0 or address >= end_address or low_bytes(load_word(address), 6) != _ASKS:
        return 0
    slot += bid_count * MARKET_SLOT_BYTES
    address, ask_count = write_plain_levels(
        address + 6, end_address, Kind.ASKS, index, steps, slot, out_count_max - 1 - bid_count
    )
    if address != end_address - 1:
        return 0
    return write_depth(
        out_address, Kind.DEPTH, index, venue_ns, first_id, last_id, bid_count + ask_count
    )
