"""Binance Spot's order requests: from REQUEST records to signed JSON, in compiled code.

A request is written twice: as the sorted ``key=value&...`` text that is signed, behind the end of
the payload's room, and as the JSON that is sent.  On a connection that was logged on the JSON holds
neither key nor signature, and the text is not looked at.

*Source:* Binance Spot API documentation, "WebSocket API": request security, trading requests.
"""

from ipc.compiled import compiled
from ipc.memory import copy_bytes, load_byte, record_at
from vortex.codes import Kind, OrderForce, Side
from vortex.records import INSTRUMENT, REQUEST, SESSION
from vortex.wire.signing import sign_hex
from vortex.wire.text import literal, write_e8, write_hexadecimal, write_integer, write_literal
from vortex.wire.words import read_hexadecimal

INSTRUMENT_DTYPE = INSTRUMENT.dtype
REQUEST_DTYPE = REQUEST.dtype
SESSION_DTYPE = SESSION.dtype
SYMBOL_OFFSET_BYTES = INSTRUMENT.offset_bytes("symbol")
API_KEY_OFFSET_BYTES = SESSION.offset_bytes("api_key")

#: Where in the out buffer the text to sign is built: behind the longest payload.
TEXT_OFFSET_BYTES = 2048

#: ``v`` run ``-`` epoch ``-`` order.
CLIENT_ORDER_ID_BYTES = 1 + 8 + 1 + 4 + 1 + 12
REQUEST_ID_DIGITS = 16
ORDER_ID_MAX = 2**48 - 1

_LETTER, _DASH = literal("v"), literal("-")
_API_KEY = literal("apiKey=")
_CANCEL_ID, _NEW_ID = literal("&cancelOrigClientOrderId="), literal("&newClientOrderId=")
_OLD_ID = literal("&origClientOrderId=")
_NEW_QTY = literal("&newQty=")
_STOP_ON_FAILURE = literal("&cancelReplaceMode=STOP_ON_FAILURE")
_PRICE, _QTY = literal("&newOrderRespType=ACK&price="), literal("&quantity=")
_WINDOW = literal("&recvWindow=")
_BUY, _SELL = literal("&side=BUY"), literal("&side=SELL")
_SYMBOL, _TIME = literal("&symbol="), literal("&timestamp=")
_POST_ONLY_TYPE, _LIMIT_TYPE = literal("&type=LIMIT_MAKER"), literal("&type=LIMIT")
_IOC, _GTC = literal("&timeInForce=IOC"), literal("&timeInForce=GTC")

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


def signing_prefix(api_key: str) -> bytes:
    """Return what the text of every request begins with: see ``signing.fill_session``."""
    return f"apiKey={api_key}&".encode()


@compiled
def write_client_order_id(address: int, run_id: int, epoch: int, order_id: int) -> int:
    """Write the id that an order has at the venue: ``v`` run, epoch, order, in hexadecimal."""
    address = write_literal(address, _LETTER)
    address = write_hexadecimal(address, run_id, 8)
    address = write_literal(address, _DASH)
    address = write_hexadecimal(address, epoch, 4)
    address = write_literal(address, _DASH)
    return write_hexadecimal(address, order_id, 12)


@compiled
def parse_client_order_id(session_address: int, text_address: int, text_bytes: int) -> int:
    """Return our number of the order with that id at the venue; 0 when it is not of this run.

    An order of an earlier epoch of the run is ours too.
    """
    if text_bytes != CLIENT_ORDER_ID_BYTES or load_byte(text_address) != 118:
        return 0
    if load_byte(text_address + 9) != 45 or load_byte(text_address + 14) != 45:
        return 0
    session = record_at(session_address, SESSION_DTYPE)
    if read_hexadecimal(text_address + 1, 8) != session.run_id:
        return 0
    if read_hexadecimal(text_address + 10, 4) < 0:
        return 0
    return max(0, read_hexadecimal(text_address + 15, 12))


@compiled
def parse_request_id(text_address: int, text_bytes: int) -> int:
    """Return the number of the request with that id; 0 when it is none of the compiled ones."""
    if text_bytes != REQUEST_ID_DIGITS or load_byte(text_address) != 48:
        return 0
    return max(0, read_hexadecimal(text_address + 1, REQUEST_ID_DIGITS - 1))


@compiled
def _copy(address: int, source_address: int, byte_count: int) -> int:
    copy_bytes(address, source_address, byte_count)
    return address + byte_count


@compiled
def _text_start(address: int, session_address: int) -> int:
    """Write what every text to sign begins with."""
    session = record_at(session_address, SESSION_DTYPE)
    address = write_literal(address, _API_KEY)
    return _copy(address, session_address + API_KEY_OFFSET_BYTES, session.api_key_bytes)


@compiled
def _text_symbol(address: int, instrument_address: int) -> int:
    return _copy_symbol(write_literal(address, _SYMBOL), instrument_address)


@compiled
def _text_window(address: int, session_address: int) -> int:
    address = write_literal(address, _WINDOW)
    return write_integer(address, record_at(session_address, SESSION_DTYPE).recv_window_ms)


@compiled
def _text_time(address: int, wall_ms: int) -> int:
    return write_integer(write_literal(address, _TIME), wall_ms)


@compiled
def _text_order(
    address: int,
    request_address: int,
    instrument_address: int,
    session_address: int,
    wall_ms: int,
    new_order_id: int,
) -> int:
    """Write the sorted parameters of a new order, from newClientOrderId on."""
    request = record_at(request_address, REQUEST_DTYPE)
    instrument = record_at(instrument_address, INSTRUMENT_DTYPE)
    session = record_at(session_address, SESSION_DTYPE)
    address = write_literal(address, _NEW_ID)
    address = write_client_order_id(address, session.run_id, session.epoch, new_order_id)
    address = write_literal(address, _PRICE)
    address = write_e8(address, request.price_ticks * instrument.tick_e8)
    address = write_literal(address, _QTY)
    address = write_e8(address, request.qty_lots * instrument.lot_e8)
    address = _text_window(address, session_address)
    if request.side == Side.BUY:
        address = write_literal(address, _BUY)
    else:
        address = write_literal(address, _SELL)
    address = _text_symbol(address, instrument_address)
    if request.time_in_force == OrderForce.POST_ONLY:
        return write_literal(_text_time(address, wall_ms), _POST_ONLY_TYPE)
    if request.time_in_force == OrderForce.IOC:
        address = write_literal(address, _IOC)
    else:
        address = write_literal(address, _GTC)
    return write_literal(_text_time(address, wall_ms), _LIMIT_TYPE)


@compiled
def _is_signed(session_address: int) -> bool:
    """Return whether requests are signed one by one."""
    return record_at(session_address, SESSION_DTYPE).is_logged_on == 0


@compiled
def _json_id(address: int, request_id: int) -> int:
    return write_hexadecimal(write_literal(address, _JSON_ID), request_id, REQUEST_ID_DIGITS)


@compiled
def _json_start(address: int, session_address: int, instrument_address: int) -> int:
    """Write the first member but for its last quote: the key, or the symbol where none is shown."""
    session = record_at(session_address, SESSION_DTYPE)
    if session.is_logged_on:
        address = write_literal(address, _JSON_FIRST_SYMBOL)
        return _copy_symbol(address, instrument_address)
    address = write_literal(address, _JSON_KEY)
    return _copy(address, session_address + API_KEY_OFFSET_BYTES, session.api_key_bytes)


@compiled
def _copy_symbol(address: int, instrument_address: int) -> int:
    instrument = record_at(instrument_address, INSTRUMENT_DTYPE)
    return _copy(address, instrument_address + SYMBOL_OFFSET_BYTES, instrument.symbol_bytes)


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
    text_address: int,
    text_bytes: int,
) -> int:
    """Write the members that all requests have, the signature of the text among them."""
    session = record_at(session_address, SESSION_DTYPE)
    if not session.is_logged_on:
        address = _copy_symbol(write_literal(address, _JSON_SYMBOL), instrument_address)
        address = write_literal(address, _JSON_SIGNATURE)
        address += sign_hex(session_address, text_address, text_bytes, address)
    address = write_literal(address, _JSON_WINDOW)
    address = write_integer(address, session.recv_window_ms)
    address = write_integer(write_literal(address, _JSON_TIME), wall_ms)
    return write_literal(address, _JSON_END)


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
    text = text_end = out_address + TEXT_OFFSET_BYTES
    if _is_signed(session_address):
        text_end = _text_order(
            _text_start(text, session_address),
            request_address,
            instrument_address,
            session_address,
            wall_ms,
            new_order_id,
        )
    address = write_literal(_json_id(out_address, request_id), _JSON_PLACE)
    address = _json_order(
        _json_start(address, session_address, instrument_address),
        request_address,
        instrument_address,
        session_address,
        new_order_id,
    )
    address = _json_end(
        address, instrument_address, session_address, wall_ms, text, text_end - text
    )
    return address - out_address


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
    text = text_end = out_address + TEXT_OFFSET_BYTES
    if _is_signed(session_address):
        text_end = write_literal(_text_start(text, session_address), _CANCEL_ID)
        text_end = write_client_order_id(text_end, run_id, old_epoch, old_order_id)
        text_end = _text_order(
            write_literal(text_end, _STOP_ON_FAILURE),
            request_address,
            instrument_address,
            session_address,
            wall_ms,
            new_order_id,
        )
    address = write_literal(_json_id(out_address, request_id), _JSON_REPLACE)
    address = write_literal(
        _json_start(address, session_address, instrument_address), _JSON_CANCEL_ID
    )
    address = write_client_order_id(address, run_id, old_epoch, old_order_id)
    address = _json_order(
        write_literal(address, _JSON_MODE),
        request_address,
        instrument_address,
        session_address,
        new_order_id,
    )
    address = _json_end(
        address, instrument_address, session_address, wall_ms, text, text_end - text
    )
    return address - out_address


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
    text = text_end = out_address + TEXT_OFFSET_BYTES
    if _is_signed(session_address):
        text_end = write_literal(_text_start(text, session_address), _NEW_ID)
        text_end = write_client_order_id(text_end, run_id, epoch, order_id)
        text_end = write_e8(write_literal(text_end, _NEW_QTY), qty_e8)
        text_end = write_literal(text_end, _OLD_ID)
        text_end = write_client_order_id(text_end, run_id, epoch, order_id)
        text_end = _text_window(text_end, session_address)
        text_end = _text_time(_text_symbol(text_end, instrument_address), wall_ms)
    address = write_literal(_json_id(out_address, request_id), _JSON_AMEND)
    address = _json_start(address, session_address, instrument_address)
    address = write_client_order_id(write_literal(address, _JSON_NEW_ID), run_id, epoch, order_id)
    address = write_e8(write_literal(address, _JSON_NEW_QTY), qty_e8)
    address = write_client_order_id(write_literal(address, _JSON_OLD_ID), run_id, epoch, order_id)
    address = _json_end(
        address, instrument_address, session_address, wall_ms, text, text_end - text
    )
    return address - out_address


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
    text = text_end = out_address + TEXT_OFFSET_BYTES
    if _is_signed(session_address):
        text_end = write_literal(_text_start(text, session_address), _OLD_ID)
        text_end = write_client_order_id(text_end, run_id, epoch, order_id)
        text_end = _text_window(text_end, session_address)
        text_end = _text_time(_text_symbol(text_end, instrument_address), wall_ms)
    address = write_literal(_json_start(address, session_address, instrument_address), _JSON_OLD_ID)
    address = write_client_order_id(address, run_id, epoch, order_id)
    address = _json_end(
        address, instrument_address, session_address, wall_ms, text, text_end - text
    )
    return address - out_address


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
    address = write_literal(_json_id(out_address, request_id), _JSON_CANCEL)
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
    address = write_literal(_json_id(out_address, request_id), _JSON_STATUS)
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
    text = out_address + TEXT_OFFSET_BYTES
    text_end = _text_window(_text_start(text, session_address), session_address)
    text_end = _text_time(_text_symbol(text_end, instrument_address), wall_ms)
    address = write_literal(_json_id(out_address, request_id), _JSON_CANCEL_ALL)
    address = _json_start(address, session_address, instrument_address)
    address = _json_end(
        address, instrument_address, session_address, wall_ms, text, text_end - text
    )
    return address - out_address
