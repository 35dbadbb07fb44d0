"""Binance Spot's order requests: from REQUEST records to signed JSON, in compiled code.

A request is written twice: as the sorted ``key=value&...`` text that is signed, behind the end of
the payload's room, and as the JSON that is sent.  On a connection that was logged on the JSON holds
neither key nor signature, and the text is not looked at.

*Source:* Binance Spot API documentation, "WebSocket API": request security, trading requests.
"""

from ipc.compiled import compiled
from ipc.memory import record_at
from ipc.types import ByteArray
from vortex.codes import Kind, OrderForce, Side
from vortex.records import INSTRUMENT, REQUEST, SESSION
from vortex.venues._binance.request_ids import REQUEST_ID_DIGITS, write_client_order_id
from vortex.venues._binance.signed_text import (
    copy_key,
    copy_symbol,
    is_signed,
    text_amended,
    text_old_id,
    text_order,
    text_replaced,
    text_start,
    text_tail,
)
from vortex.wire.signing import sign_hex
from vortex.wire.text import literal, write_e8, write_hexadecimal, write_integer, write_literal

INSTRUMENT_DTYPE = INSTRUMENT.dtype
REQUEST_DTYPE = REQUEST.dtype
SESSION_DTYPE = SESSION.dtype

#: Where in the out buffer the text to sign is built: behind the longest payload.
TEXT_OFFSET_BYTES = 2048

_JSON_ID = literal('{"id":"')
_JSON_PLACE = literal('","method":"order.place","params":{')
_JSON_CANCEL = literal('","method":"order.cancel","params":{')
_JSON_REPLACE = literal('","method":"order.cancelReplace","params":{')
_JSON_AMEND = literal('","method":"order.amend.keepPriority","params":{')
_JSON_CANCEL_ALL = literal('","method":"openOrders.cancelAll","params":{')
_JSON_STATUS = literal('","method":"order.status","params":{')
_JSON_KEY, _JSON_FIRST_SYMBOL = literal('"apiKey":"'), literal('"symbol":"')
_JSON_NEW_ID, _JSON_OLD_ID = literal('","newClientOrderId":"'), literal('","origClientOrderId":"')
_JSON_NEW_QTY = literal('","newQty":"')
_JSON_CANCEL_ID = literal('","cancelOrigClientOrderId":"')
_JSON_MODE = literal('","cancelReplaceMode":"STOP_ON_FAILURE')
_JSON_PRICE = literal('","newOrderRespType":"ACK","type":"LIMIT_MAKER","price":"')
_JSON_IOC_PRICE = literal('","newOrderRespType":"ACK","type":"LIMIT","timeInForce":"IOC","price":"')
_JSON_GTC_PRICE = literal('","newOrderRespType":"ACK","type":"LIMIT","timeInForce":"GTC","price":"')
_JSON_QTY = literal('","quantity":"')
_JSON_BUY, _JSON_SELL = literal('","side":"BUY'), literal('","side":"SELL')
_JSON_SYMBOL, _JSON_SIGNATURE = literal('","symbol":"'), literal('","signature":"')
_JSON_WINDOW, _JSON_TIME = literal('","recvWindow":'), literal(',"timestamp":')
_JSON_END = literal("}}")


@compiled
def _json_start(
    out_address: int,
    request_id: int,
    method: ByteArray,
    session_address: int,
    instrument_address: int,
) -> int:
    """Write id, method and the first member but for its last quote: the key, or the symbol."""
    address = write_literal(out_address, _JSON_ID)
    address = write_literal(write_hexadecimal(address, request_id, REQUEST_ID_DIGITS), method)
    session = record_at(session_address, SESSION_DTYPE)
    if session.is_logged_on:
        return copy_symbol(write_literal(address, _JSON_FIRST_SYMBOL), instrument_address)
    return copy_key(write_literal(address, _JSON_KEY), session_address)


@compiled
def _json_order(
    address: int,
    request_address: int,
    instrument_address: int,
    session_address: int,
    new_order_id: int,
) -> int:
    """Write the members of a new order that other requests have not."""
    request = record_at(request_address, REQUEST_DTYPE)
    instrument = record_at(instrument_address, INSTRUMENT_DTYPE)
    session = record_at(session_address, SESSION_DTYPE)
    address = write_literal(address, _JSON_NEW_ID)
    address = write_client_order_id(address, session.run_id, session.epoch, new_order_id)
    if request.time_in_force == OrderForce.POST_ONLY:
        address = write_literal(address, _JSON_PRICE)
    elif request.time_in_force == OrderForce.IOC:
        address = write_literal(address, _JSON_IOC_PRICE)
    else:
        address = write_literal(address, _JSON_GTC_PRICE)
    address = write_e8(address, request.price_ticks * instrument.tick_e8)
    address = write_literal(address, _JSON_QTY)
    address = write_e8(address, request.qty_lots * instrument.lot_e8)
    if request.side == Side.BUY:
        return write_literal(address, _JSON_BUY)
    return write_literal(address, _JSON_SELL)


@compiled
def _json_end(
    address: int,
    instrument_address: int,
    session_address: int,
    wall_ms: int,
    text_end_address: int,
    out_address: int,
) -> int:
    """Write the members that all requests have, the signature of the text among them.

    Return the bytes of the payload at ``out_address``.
    """
    session = record_at(session_address, SESSION_DTYPE)
    if not session.is_logged_on:
        text_address = out_address + TEXT_OFFSET_BYTES
        text_bytes = text_end_address - text_address
        address = copy_symbol(write_literal(address, _JSON_SYMBOL), instrument_address)
        address = write_literal(address, _JSON_SIGNATURE)
        address += sign_hex(session_address, text_address, text_bytes, address)
    address = write_literal(address, _JSON_WINDOW)
    address = write_integer(address, session.recv_window_ms)
    address = write_integer(write_literal(address, _JSON_TIME), wall_ms)
    return write_literal(address, _JSON_END) - out_address


@compiled
def encode_request(
    request_address: int,
    instrument_address: int,
    session_address: int,
    wall_ms: int,
    request_id: int,
    new_order_id: int,
    old_order_id: int,
    old_epoch: int,
    out_address: int,
) -> int:
    """Write the payload for the REQUEST (PLACE, CANCEL, REPLACE or AMEND); return its bytes.

    An AMEND says the order's new quantity; its price stays.
    ``wall_ms`` is the time of day in ms since 1970, order numbers are below 2**48.  ``old_epoch``
    is the life of the gateway that placed the old order: it is part of the id at the venue.
    ``out_address`` has ``REQUEST_BUFFER_BYTES``.
    """
    kind = record_at(request_address, REQUEST_DTYPE).kind
    if kind == Kind.PLACE:
        return _encode_place(
            request_address,
            instrument_address,
            session_address,
            wall_ms,
            request_id,
            new_order_id,
            out_address,
        )
    if kind == Kind.CANCEL:
        return _encode_cancel(
            instrument_address,
            session_address,
            wall_ms,
            request_id,
            old_order_id,
            old_epoch,
            out_address,
        )
    if kind == Kind.AMEND:
        return _encode_amend(
            request_address,
            instrument_address,
            session_address,
            wall_ms,
            request_id,
            old_order_id,
            old_epoch,
            out_address,
        )
    return _encode_replace(
        request_address,
        instrument_address,
        session_address,
        wall_ms,
        request_id,
        new_order_id,
        old_order_id,
        old_epoch,
        out_address,
    )


@compiled
def _encode_place(
    request_address: int,
    instrument_address: int,
    session_address: int,
    wall_ms: int,
    request_id: int,
    new_order_id: int,
    out_address: int,
) -> int:
    text_end = out_address + TEXT_OFFSET_BYTES
    if is_signed(session_address):
        text_end = text_order(
            text_start(text_end, session_address),
            request_address,
            instrument_address,
            session_address,
            wall_ms,
            new_order_id,
        )
    address = _json_order(
        _json_start(out_address, request_id, _JSON_PLACE, session_address, instrument_address),
        request_address,
        instrument_address,
        session_address,
        new_order_id,
    )
    return _json_end(address, instrument_address, session_address, wall_ms, text_end, out_address)


@compiled
def _encode_replace(
    request_address: int,
    instrument_address: int,
    session_address: int,
    wall_ms: int,
    request_id: int,
    new_order_id: int,
    old_order_id: int,
    old_epoch: int,
    out_address: int,
) -> int:
    run_id = record_at(session_address, SESSION_DTYPE).run_id
    text_end = out_address + TEXT_OFFSET_BYTES
    if is_signed(session_address):
        text_end = text_order(
            text_replaced(text_end, session_address, old_order_id, old_epoch),
            request_address,
            instrument_address,
            session_address,
            wall_ms,
            new_order_id,
        )
    address = _json_start(
        out_address, request_id, _JSON_REPLACE, session_address, instrument_address
    )
    address = write_literal(address, _JSON_CANCEL_ID)
    address = write_client_order_id(address, run_id, old_epoch, old_order_id)
    address = _json_order(
        write_literal(address, _JSON_MODE),
        request_address,
        instrument_address,
        session_address,
        new_order_id,
    )
    return _json_end(address, instrument_address, session_address, wall_ms, text_end, out_address)


@compiled
def _encode_amend(
    request_address: int,
    instrument_address: int,
    session_address: int,
    wall_ms: int,
    request_id: int,
    order_id: int,
    epoch: int,
    out_address: int,
) -> int:
    """Write the amendment of an order's quantity; the order keeps its id."""
    run_id = record_at(session_address, SESSION_DTYPE).run_id
    qty_lots = record_at(request_address, REQUEST_DTYPE).qty_lots
    qty_e8 = qty_lots * record_at(instrument_address, INSTRUMENT_DTYPE).lot_e8
    text_end = out_address + TEXT_OFFSET_BYTES
    if is_signed(session_address):
        text_end = text_amended(text_end, session_address, order_id, epoch, qty_e8)
        text_end = text_tail(text_end, instrument_address, session_address, wall_ms)
    address = _json_start(out_address, request_id, _JSON_AMEND, session_address, instrument_address)
    address = write_client_order_id(write_literal(address, _JSON_NEW_ID), run_id, epoch, order_id)
    address = write_e8(write_literal(address, _JSON_NEW_QTY), qty_e8)
    address = write_client_order_id(write_literal(address, _JSON_OLD_ID), run_id, epoch, order_id)
    return _json_end(address, instrument_address, session_address, wall_ms, text_end, out_address)


@compiled
def _finish_by_id(
    address: int,
    instrument_address: int,
    session_address: int,
    wall_ms: int,
    order_id: int,
    epoch: int,
    out_address: int,
) -> int:
    """Sign and write the rest of a request about one standing order; return the payload's bytes."""
    run_id = record_at(session_address, SESSION_DTYPE).run_id
    text_end = out_address + TEXT_OFFSET_BYTES
    if is_signed(session_address):
        text_end = text_start(text_end, session_address)
        text_end = text_old_id(text_end, session_address, order_id, epoch)
        text_end = text_tail(text_end, instrument_address, session_address, wall_ms)
    address = write_literal(address, _JSON_OLD_ID)
    address = write_client_order_id(address, run_id, epoch, order_id)
    return _json_end(address, instrument_address, session_address, wall_ms, text_end, out_address)


@compiled
def _encode_cancel(
    instrument_address: int,
    session_address: int,
    wall_ms: int,
    request_id: int,
    order_id: int,
    epoch: int,
    out_address: int,
) -> int:
    address = _json_start(
        out_address, request_id, _JSON_CANCEL, session_address, instrument_address
    )
    return _finish_by_id(
        address, instrument_address, session_address, wall_ms, order_id, epoch, out_address
    )


@compiled
def encode_order_status(
    order_id: int,
    epoch: int,
    instrument_address: int,
    session_address: int,
    wall_ms: int,
    request_id: int,
    out_address: int,
) -> int:
    """Write the request for the state of the order that ``epoch`` placed; return its bytes.

    ``out_address`` has ``REQUEST_BUFFER_BYTES``.
    """
    address = _json_start(
        out_address, request_id, _JSON_STATUS, session_address, instrument_address
    )
    return _finish_by_id(
        address, instrument_address, session_address, wall_ms, order_id, epoch, out_address
    )


@compiled
def encode_cancel_all(
    instrument_address: int, session_address: int, wall_ms: int, request_id: int, out_address: int
) -> int:
    """Write the request that cancels every open order of the instrument; return its bytes.

    ``out_address`` has ``REQUEST_BUFFER_BYTES``.
    """
    text_end = text_start(out_address + TEXT_OFFSET_BYTES, session_address)
    text_end = text_tail(text_end, instrument_address, session_address, wall_ms)
    address = _json_start(
        out_address, request_id, _JSON_CANCEL_ALL, session_address, instrument_address
    )
    return _json_end(address, instrument_address, session_address, wall_ms, text_end, out_address)
