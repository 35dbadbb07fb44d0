"""What Binance Spot reports by itself: executions and account events.

*Source:* Binance Spot API documentation: User data streams.
"""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word
from ipc.types import Record
from vortex.codes import Answer, Execution, FeeAsset, Refusal, Reject
from vortex.decoding.instruments import instrument_at
from vortex.decoding.tick_division import steps_of_row
from vortex.records import ANSWER, INSTRUMENT
from vortex.venues._binance.fields import (
    client_order_at,
    instrument_of,
    integer_at,
    nanoseconds_at,
    optional_lots,
    optional_ticks,
    side_at,
    state_at,
    words_at,
)
from vortex.wire.scan import CLOSE_OBJECT, TRUE, open_object, read_e8, read_member, text_words
from vortex.wire.words import low_bytes, words_of

ANSWER_DTYPE = ANSWER.dtype
BASE_OFFSET_BYTES = INSTRUMENT.offset_bytes("base_asset")
QUOTE_OFFSET_BYTES = INSTRUMENT.offset_bytes("quote_asset")
MISSING_KEY = int(Refusal.MISSING_KEY)
NOT_KNOWN = int(Refusal.NOT_KNOWN)
_LETTER_E = words_of(b"e")
_LETTER_S = words_of(b"s")
_LETTER_C = words_of(b"c")
_UPPER_C = words_of(b"C")
_UPPER_S = words_of(b"S")
_LETTER_Q = words_of(b"q")
_LETTER_P = words_of(b"p")
_LETTER_X = words_of(b"x")
_UPPER_X = words_of(b"X")
_LETTER_R = words_of(b"r")
_LETTER_I = words_of(b"i")
_LETTER_L = words_of(b"l")
_LETTER_Z = words_of(b"z")
_UPPER_L = words_of(b"L")
_LETTER_N = words_of(b"n")
_UPPER_N = words_of(b"N")
_UPPER_T = words_of(b"T")
_LETTER_T = words_of(b"t")
_LETTER_M = words_of(b"m")
_EXECUTION_REPORT = words_of(b"executionReport")
_POSITION = words_of(b"outboundAccountPosition")
_BALANCE_UPDATE = words_of(b"balanceUpdate")
_LOCK_UPDATE = words_of(b"externalLockUpdate")
_STREAM_ENDED = words_of(b"eventStreamTerminated")
_SHUTDOWN = words_of(b"serverShutdown")
_NEW = words_of(b"NEW")
_CANCELED = words_of(b"CANCELED")
_REJECTED = words_of(b"REJECTED")
_EXPIRED = words_of(b"EXPIRED")
_TRADE = words_of(b"TRADE")
_REPLACED = words_of(b"REPLACED")
_PREVENTED = words_of(b"TRADE_PREVENTION")
_NO_REASON = words_of(b"NONE")
_WOULD_MATCH = words_of(b"WOULD_MATCH_IMMEDIATELY")
_BALANCES = words_of(b"INSUFFICIENT_BALANCES")


class Report(NamedTuple):
    """Where the members of an execution report begin; 0 for those that it has not."""

    symbol: int
    client_id: int
    old_client_id: int
    side: int
    qty: int
    price: int
    execution: int
    state: int
    reason: int
    order_id: int
    fill_qty: int
    filled: int
    fill_price: int
    fee: int
    fee_asset: int
    time: int
    trade_id: int
    maker: int


@compiled
def _read_report(address: int, end_address: int) -> Report:
    """Return the members of the execution report at ``address``."""
    symbol, client_id, old_client_id, side, qty, price = 0, 0, 0, 0, 0, 0
    execution, state, reason, order_id, fill_qty, filled = 0, 0, 0, 0, 0, 0
    fill_price, fee, fee_asset, time, trade_id, maker = 0, 0, 0, 0, 0, 0
    address = open_object(address, end_address)
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
        name = text_words(key, key_bytes)
        if name == _LETTER_S:
            symbol = value
        elif name == _LETTER_C:
            client_id = value
        elif name == _UPPER_C:
            old_client_id = value
        elif name == _UPPER_S:
            side = value
        elif name == _LETTER_Q:
            qty = value
        elif name == _LETTER_P:
            price = value
        elif name == _LETTER_X:
            execution = value
        elif name == _UPPER_X:
            state = value
        elif name == _LETTER_R:
            reason = value
        elif name == _LETTER_I:
            order_id = value
        elif name == _LETTER_L:
            fill_qty = value
        elif name == _LETTER_Z:
            filled = value
        elif name == _UPPER_L:
            fill_price = value
        elif name == _LETTER_N:
            fee = value
        elif name == _UPPER_N:
            fee_asset = value
        elif name == _UPPER_T:
            time = value
        elif name == _LETTER_T:
            trade_id = value
        elif name == _LETTER_M:
            maker = value
    # fmt: off
    return Report(
        symbol, client_id, old_client_id, side, qty, price, execution, state, reason, order_id,
        fill_qty, filled, fill_price, fee, fee_asset, time, trade_id, maker,
    )


@compiled
def _event_name(address: int, end_address: int) -> tuple[int, int, int]:
    """Return the event type of the object at ``address`` as words."""
    event = 0
    address = open_object(address, end_address)
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
        if text_words(key, key_bytes) == _LETTER_E:
            event = value
    return words_at(event, end_address)


@compiled
def decode_event(
    address: int, end_address: int, catalog_address: int, session_address: int, answer: Record
) -> int:
    """Fill the ANSWER from an event of the user data stream."""
    name = _event_name(address, end_address)
    if name == _EXECUTION_REPORT:
        report = _read_report(address, end_address)
        return _decode_report(report, end_address, catalog_address, session_address, answer)
    if name == _POSITION or name == _BALANCE_UPDATE or name == _LOCK_UPDATE:
        answer.kind = Answer.BALANCE
    elif name == _STREAM_ENDED:
        answer.kind = Answer.STREAM_ENDED
    elif name == _SHUTDOWN:
        answer.kind = Answer.SHUTDOWN
    elif name != (0, 0, 0):
        answer.kind = Answer.OTHER
    else:
        return NOT_KNOWN
    return 1


@compiled
def _execution_at(address: int, end_address: int) -> int:
    """Return codes.Execution of the string at ``address``, 0 when it is none that we know."""
    name = words_at(address, end_address)
    if name == _NEW:
        return Execution.NEW
    if name == _TRADE:
        return Execution.TRADE
    if name == _CANCELED:
        return Execution.CANCELED
    if name == _REPLACED:
        return Execution.REPLACED
    if name == _REJECTED:
        return Execution.REJECTED
    if name == _EXPIRED:
        return Execution.EXPIRED
    return Execution.PREVENTED if name == _PREVENTED else 0


@compiled
def _reason_at(address: int, end_address: int) -> int:
    """Return codes.Reject of the reject reason at ``address``."""
    name = words_at(address, end_address)
    if name == _NO_REASON or name == (0, 0, 0):
        return Reject.NONE
    if name == _WOULD_MATCH:
        return Reject.VENUE_WOULD_TAKE
    return Reject.VENUE_BALANCE if name == _BALANCES else Reject.VENUE_OTHER


@compiled
def _fee_asset_at(address: int, end_address: int, catalog_address: int, index: int) -> int:
    """Return codes.FeeAsset of the asset name at ``address``."""
    first, second, third = words_at(address, end_address)
    if first == 0:
        return FeeAsset.NONE
    row = instrument_at(catalog_address, index)
    if third == 0 and _asset_is(row + BASE_OFFSET_BYTES, first, second):
        return FeeAsset.BASE
    if third == 0 and _asset_is(row + QUOTE_OFFSET_BYTES, first, second):
        return FeeAsset.QUOTE
    return FeeAsset.OTHER


@compiled
def _asset_is(address: int, first: int, second: int) -> bool:
    return load_word(address) == first and load_word(address + 8) == second


@compiled
def _decode_report(
    report: Report, end_address: int, catalog_address: int, session_address: int, answer: Record
) -> int:
    """Fill the ANSWER from an execution report; return 1, or a Refusal."""
    answer.kind = Answer.EXECUTION
    index = instrument_of(report.symbol, end_address, catalog_address)
    if index < 0:
        return index
    if min(report.client_id, report.execution, report.state, report.order_id, report.filled) == 0:
        return MISSING_KEY
    execution = _execution_at(report.execution, end_address)
    state = state_at(report.state, end_address)
    if execution == 0 or state == 0:
        return NOT_KNOWN
    answer.instrument_id = index
    answer.execution = execution
    answer.state = state
    answer.reject = _reason_at(report.reason, end_address)
    answer.side = side_at(report.side, end_address)
    answer.venue_order_id = integer_at(report.order_id, end_address, 0)
    answer.venue_ns = nanoseconds_at(report.time, end_address)
    # A cancel has an id of its own, in ``c``; the order's is then in ``C``, which is empty else.
    named = report.client_id
    if words_at(report.old_client_id, end_address) != (0, 0, 0):
        named = report.old_client_id
    answer.order_id = client_order_at(named, end_address, session_address)
    if execution == Execution.CANCELED:
        answer.canceled_order_id = answer.order_id
    return _fill_fill(report, end_address, catalog_address, index, answer)


@compiled
def _fill_fill(
    report: Report, end_address: int, catalog_address: int, index: int, answer: Record
) -> int:
    """Write the report's prices, quantities and fee; return 1, or a Refusal."""
    steps = steps_of_row(catalog_address, index)
    price_ticks = optional_ticks(report.price, end_address, steps)
    qty_lots = optional_lots(report.qty, end_address, steps)
    filled_lots = optional_lots(report.filled, end_address, steps)
    fill_ticks = optional_ticks(report.fill_price, end_address, steps)
    fill_lots = optional_lots(report.fill_qty, end_address, steps)
    worst = min(price_ticks, qty_lots, filled_lots, fill_ticks, fill_lots)
    if worst < 0:
        return worst
    answer.price_ticks = price_ticks
    answer.qty_lots = qty_lots
    answer.filled_lots = filled_lots
    answer.fill_ticks = fill_ticks
    answer.fill_lots = fill_lots
    answer.trade_id = integer_at(report.trade_id, end_address, -1)
    if report.fee:
        fee_e8, refusal = read_e8(report.fee, end_address)
        if refusal < 0:
            return refusal
        answer.fee_e8 = fee_e8
    answer.fee_asset = _fee_asset_at(report.fee_asset, end_address, catalog_address, index)
    if report.maker and low_bytes(load_word(report.maker), 4) == TRUE:
        answer.is_maker = 1
    return 1
