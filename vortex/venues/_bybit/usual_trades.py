"""Bybit's public trades in the form that the venue sends today, key for key."""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word, record_at
from vortex.codes import Side
from vortex.decoding.instruments import SYMBOL_BYTES_MAX, find_instrument
from vortex.decoding.market_writers import write_trade
from vortex.decoding.tick_division import Steps, steps_of_row, to_lots_shown, to_ticks
from vortex.records import MARKET_SLOT_BYTES, TRADE
from vortex.venues._bybit.short_levels import short_pair
from vortex.venues._bybit.trade_identity import UUID_BYTES, read_trade_id
from vortex.venues._bybit.usual_heads import (
    is_same_text,
    read_usual_head,
    symbol_length,
    to_nanoseconds_of,
)
from vortex.wire.scan import CLOSE_ARRAY, CLOSE_OBJECT, COMMA, OPEN_ARRAY, QUOTE, plain_integer
from vortex.wire.wide import byte_bits
from vortex.wire.words import count_trailing_zeros, low_bytes, word_of

TRADE_DTYPE = TRADE.dtype

#: No usual trade is shorter, and nothing is shorter that is behind the ``seq`` of one of spot.
TRADE_BYTES_MIN, TRADE_END_BYTES = 100, 32

_FIRST_TIME, _THEN_SYMBOL, _THEN_SIDE = word_of(b'{"T":'), word_of(b',"s":"'), word_of(b'","S":"')
_BUY, _SELL = word_of(b'Buy"'), word_of(b'Sell"')
_THEN_VALUE, _THEN_PRICE, _THEN_TICK = word_of(b',"v":"'), word_of(b'","p":"'), word_of(b'","L":"')
_THEN_ID, _BLOCK, _BLOCK_1 = word_of(b',"i":"'), word_of(b'","BT":f'), word_of(b'alse,"RP')
_HIDDEN, _HIDDEN_1 = word_of(b'I":false'), word_of(b'I":true')
_FIRST_ID, _ID_TIME, _PRICE = word_of(b'{"i":"'), word_of(b'","T":'), word_of(b',"p":"')
_THEN_QTY, _SEQUENCE = word_of(b'","v":"'), word_of(b',"seq":')


class UsualTrade(NamedTuple):
    """One trade of the usual form; ``after`` is 0 where it is not as usual."""

    venue_ms: int
    side: int
    price_e8: int
    qty_e8: int
    identity: int
    identity_bytes: int
    after: int


@compiled
def _no_trade() -> UsualTrade:
    return UsualTrade(0, 0, 0, 0, 0, 0, 0)


@compiled
def _read_side(address: int) -> tuple[int, int]:
    """Return codes.Side of the taker (0: none) at ``address``, and where its quote is."""
    word = load_word(address)
    if low_bytes(word, 4) == _BUY:
        return Side.BUY, address + 3
    return (Side.SELL, address + 4) if low_bytes(word, 5) == _SELL else (0, address)


@compiled
def _read_flags(address: int) -> int:
    """Return the address behind ``","BT":false,"RPI":`` and its flag, or 0."""
    if load_word(address) != _BLOCK or load_word(address + 8) != _BLOCK_1:
        return 0
    word = load_word(address + 16)
    if word == _HIDDEN:
        return address + 24
    return address + 23 if low_bytes(word, 7) == _HIDDEN_1 else 0


@compiled
def _linear_trade(address: int, end_address: int, symbol: int, symbol_bytes: int) -> UsualTrade:
    """Return the trade of the linear form at ``address``."""
    venue_ms, address = plain_integer(address + 5)
    if venue_ms < 0 or low_bytes(load_word(address), 6) != _THEN_SYMBOL:
        return _no_trade()
    if not is_same_text(symbol, address + 6, symbol_bytes):
        return _no_trade()
    address += 6 + symbol_bytes
    if low_bytes(load_word(address), 7) != _THEN_SIDE:
        return _no_trade()
    side, address = _read_side(address + 7)
    address += 1
    if side == 0 or low_bytes(load_word(address), 6) != _THEN_VALUE:
        return _no_trade()
    pair = short_pair(address, end_address, 6, 7)
    if pair.first_e8 < 0 or low_bytes(load_word(pair.middle), 7) != _THEN_PRICE:
        return _no_trade()
    if pair.after + 8 > end_address or low_bytes(load_word(pair.after), 7) != _THEN_TICK:
        return _no_trade()
    # The direction of the tick is a word of up to 13 letters, which nobody needs.
    word_bytes = count_trailing_zeros(byte_bits(pair.after + 7, QUOTE))
    address = pair.after + 8 + word_bytes
    if not _is_plain_word(pair.after + 7, word_bytes):
        return _no_trade()
    identity = address + 6
    if identity + UUID_BYTES > end_address or low_bytes(load_word(address), 6) != _THEN_ID:
        return _no_trade()
    address = _read_flags(identity + UUID_BYTES)
    if address == 0 or low_bytes(load_word(address), 7) != _SEQUENCE:
        return _no_trade()
    sequence, address = plain_integer(address + 7)
    after = address if sequence >= 0 else 0
    return UsualTrade(venue_ms, side, pair.second_e8, pair.first_e8, identity, UUID_BYTES, after)


@compiled
def _is_plain_word(address: int, byte_count: int) -> bool:
    """Return whether up to 16 bytes are letters, as far as JSON is concerned."""
    if byte_count > 16:
        return False
    case = 0x2020202020202020
    first = low_bytes(load_word(address), byte_count) | case
    second = low_bytes(load_word(address + 8), byte_count - 8) | case
    return _are_letters(first, min(byte_count, 8)) and _are_letters(second, byte_count - 8)


@compiled
def _are_letters(word: int, byte_count: int) -> bool:
    """Return whether the first ``byte_count`` bytes are ``a`` to ``z``."""
    below = word - 0x6161616161616161
    above = 0x7A7A7A7A7A7A7A7A - word
    return low_bytes((below | above | word) & -0x7F7F7F7F7F7F7F80, byte_count) == 0


@compiled
def _spot_trade(address: int, end_address: int, symbol: int, symbol_bytes: int) -> UsualTrade:
    """Return the trade of the spot form at ``address``."""
    identity = address + 6
    identity_bytes = count_trailing_zeros(byte_bits(identity, QUOTE))
    address = identity + identity_bytes
    if low_bytes(load_word(address), 6) != _ID_TIME:
        return _no_trade()
    venue_ms, address = plain_integer(address + 6)
    if venue_ms < 0 or low_bytes(load_word(address), 6) != _PRICE:
        return _no_trade()
    pair = short_pair(address, end_address, 6, 7)
    if pair.first_e8 < 0 or low_bytes(load_word(pair.middle), 7) != _THEN_QTY:
        return _no_trade()
    if low_bytes(load_word(pair.after), 7) != _THEN_SIDE:
        return _no_trade()
    side, address = _read_side(pair.after + 7)
    address += 1
    if side == 0 or low_bytes(load_word(address), 7) != _SEQUENCE:
        return _no_trade()
    sequence, address = plain_integer(address + 7)
    if sequence < 0 or low_bytes(load_word(address), 6) != _THEN_SYMBOL:
        return _no_trade()
    if address + TRADE_END_BYTES > end_address or not is_same_text(
        symbol, address + 6, symbol_bytes
    ):
        return _no_trade()
    after = _read_flags(address + 6 + symbol_bytes)
    return UsualTrade(
        venue_ms, side, pair.first_e8, pair.second_e8, identity, identity_bytes, after
    )


@compiled
def decode_usual_trades(
    symbol: int, end_address: int, catalog_address: int, out_address: int, out_count_max: int
) -> int:
    """Write the usual trades of the symbol at ``symbol``; return how many, or 0."""
    symbol_bytes = symbol_length(symbol)
    if symbol_bytes > SYMBOL_BYTES_MAX:
        return 0
    head = read_usual_head(symbol + symbol_bytes)
    index = find_instrument(catalog_address, symbol, symbol_bytes)
    if index < 0 or head.is_snapshot != 1 or load_byte(head.data) != OPEN_ARRAY:
        return 0
    steps = steps_of_row(catalog_address, index)
    address = head.data + 1
    count = 0
    while address + TRADE_BYTES_MIN <= end_address and count < out_count_max:
        if low_bytes(load_word(address), 5) == _FIRST_TIME:
            trade = _linear_trade(address, end_address, symbol, symbol_bytes)
        elif low_bytes(load_word(address), 6) == _FIRST_ID:
            trade = _spot_trade(address, end_address, symbol, symbol_bytes)
        else:
            return 0
        slot_address = out_address + count * MARKET_SLOT_BYTES
        if trade.after == 0 or not _write_usual(trade, index, steps, slot_address):
            return 0
        count += 1
        address = trade.after + 2
        if load_byte(trade.after) != CLOSE_OBJECT:
            return 0
        if load_byte(address - 1) == CLOSE_ARRAY:
            return count if address + 1 == end_address else 0
        if load_byte(address - 1) != COMMA:
            return 0
    return 0


@compiled
def _write_usual(trade: UsualTrade, index: int, steps: Steps, slot_address: int) -> bool:
    """Write a TRADE; return whether its numbers fit."""
    high, low, refusal = read_trade_id(trade.identity, trade.identity_bytes)
    ticks, lots = to_ticks(steps, trade.price_e8), to_lots_shown(steps, trade.qty_e8)
    venue_ns = to_nanoseconds_of(trade.venue_ms)
    if ticks <= 0 or (lots | venue_ns | refusal) < 0:
        return False
    write_trade(
        slot_address, index, venue_ns, low, ticks, lots, 1 if trade.side == Side.SELL else 0
    )
    record_at(slot_address, TRADE_DTYPE).trade_id_high = high
    return True
