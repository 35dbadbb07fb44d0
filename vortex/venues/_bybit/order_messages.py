"""Bybit's order requests: from REQUEST records to JSON, in compiled code.

The connection was authenticated when it was opened: a request has a time, but no signature.

*Source:* Bybit v5 API documentation, "Websocket Trade Guideline"; place, amend and cancel order.
"""

from ipc.compiled import compiled
from ipc.memory import copy_bytes, load_byte, record_at
from ipc.types import ByteArray, Record
from vortex.codes import Kind, OrderForce, Side
from vortex.records import INSTRUMENT, REQUEST, SESSION
from vortex.venues._bybit.client_ids import ORDER_LETTER, REQUEST_LETTER, write_client_id
from vortex.wire.scan import POINT, ZERO
from vortex.wire.text import literal, write_e8, write_integer, write_literal

INSTRUMENT_DTYPE = INSTRUMENT.dtype
REQUEST_DTYPE = REQUEST.dtype
SESSION_DTYPE = SESSION.dtype
SYMBOL_OFFSET_BYTES = INSTRUMENT.offset_bytes("symbol")

_ID, _TIME = literal('{"reqId":"'), literal('","header":{"X-BAPI-TIMESTAMP":"')
_WINDOW = literal('","X-BAPI-RECV-WINDOW":"')
_CREATE = literal('"},"op":"order.create","args":[{"category":"')
_AMEND = literal('"},"op":"order.amend","args":[{"category":"')
_CANCEL = literal('"},"op":"order.cancel","args":[{"category":"')
_SYMBOL = literal('","symbol":"')
_BUY = literal('","side":"Buy","orderType":"Limit')
_SELL = literal('","side":"Sell","orderType":"Limit')
_QTY, _PRICE = literal('","qty":"'), literal('","price":"')
_POST_ONLY, _IOC = literal('","timeInForce":"PostOnly'), literal('","timeInForce":"IOC')
_GTC = literal('","timeInForce":"GTC')
_LINK, _END = literal('","orderLinkId":"'), literal('"}]}')


@compiled
def write_short_e8(address: int, value_e8: int) -> int:
    """Write ``value_e8`` (not negative) as a decimal without needless zeros."""
    address = write_e8(address, value_e8)
    while load_byte(address - 1) == ZERO:
        address -= 1
    return address - 1 if load_byte(address - 1) == POINT else address


@compiled
def _write_start(address: int, kind: int, request_id: int, wall_ms: int, session: Record) -> int:
    """Write a request up to its category: its id, its time and what it is for."""
    address = write_literal(address, _ID)
    address = write_client_id(address, REQUEST_LETTER, session.run_id, session.epoch, request_id)
    address = write_integer(write_literal(address, _TIME), wall_ms)
    address = write_integer(write_literal(address, _WINDOW), session.recv_window_ms)
    if kind == Kind.PLACE:
        return write_literal(address, _CREATE)
    return write_literal(address, _CANCEL if kind == Kind.CANCEL else _AMEND)


@compiled
def _write_symbol(address: int, instrument_address: int) -> int:
    """Write the symbol behind the category."""
    symbol_bytes = record_at(instrument_address, INSTRUMENT_DTYPE).symbol_bytes
    address = write_literal(address, _SYMBOL)
    copy_bytes(address, instrument_address + SYMBOL_OFFSET_BYTES, symbol_bytes)
    return int(address + symbol_bytes)


@compiled
def _write_amounts(address: int, request: Record, instrument: Record) -> int:
    """Write quantity and price."""
    address = write_literal(address, _QTY)
    address = write_short_e8(address, request.qty_lots * instrument.lot_e8)
    address = write_literal(address, _PRICE)
    return write_short_e8(address, request.price_ticks * instrument.tick_e8)


@compiled
def _write_new_order(address: int, request: Record, instrument: Record) -> int:
    """Write what only a new order says."""
    address = write_literal(address, _BUY if request.side == Side.BUY else _SELL)
    address = _write_amounts(address, request, instrument)
    if request.time_in_force == OrderForce.POST_ONLY:
        return write_literal(address, _POST_ONLY)
    return write_literal(address, _IOC if request.time_in_force == OrderForce.IOC else _GTC)


@compiled
def write_request(
    request_address: int,
    instrument_address: int,
    session_address: int,
    wall_ms: int,
    request_id: int,
    new_order_id: int,
    old_order_id: int,
    old_epoch: int,
    out_address: int,
    category: ByteArray,
) -> int:
    """Write the payload for the REQUEST (PLACE, CANCEL, REPLACE or AMEND); return its bytes.

    ``wall_ms`` is the venue's time of day in ms since 1970; numbers of orders and requests are
    below 2**48.  ``old_epoch`` is the life of the gateway that placed the old order: it is part of
    the id at the venue.  REPLACE and AMEND are one: the order keeps its id.  ``category`` is a
    ``literal``.  ``out_address`` has ``REQUEST_BUFFER_BYTES``.
    """
    request = record_at(request_address, REQUEST_DTYPE)
    instrument = record_at(instrument_address, INSTRUMENT_DTYPE)
    session = record_at(session_address, SESSION_DTYPE)
    epoch, order_id = old_epoch, old_order_id
    address = _write_start(out_address, request.kind, request_id, wall_ms, session)
    address = _write_symbol(write_literal(address, category), instrument_address)
    if request.kind == Kind.PLACE:
        epoch, order_id = session.epoch, new_order_id
        address = _write_new_order(address, request, instrument)
    elif request.kind != Kind.CANCEL:
        address = _write_amounts(address, request, instrument)
    address = write_literal(address, _LINK)
    address = write_client_id(address, ORDER_LETTER, session.run_id, epoch, order_id)
    return write_literal(address, _END) - out_address
