"""The sorted ``key=value&...`` text of a request that is signed, in compiled code.

*Source:* Binance Spot API documentation, "WebSocket API": request security.
"""

from ipc.compiled import compiled
from ipc.memory import copy_bytes, record_at
from vortex.codes import OrderForce, Side
from vortex.records import INSTRUMENT, REQUEST, SESSION
from vortex.venues._binance.request_ids import write_client_order_id
from vortex.wire.text import literal, write_e8, write_integer, write_literal

INSTRUMENT_DTYPE = INSTRUMENT.dtype
REQUEST_DTYPE = REQUEST.dtype
SESSION_DTYPE = SESSION.dtype
SYMBOL_OFFSET_BYTES = INSTRUMENT.offset_bytes("symbol")
API_KEY_OFFSET_BYTES = SESSION.offset_bytes("api_key")

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


def signing_prefix(api_key: str) -> bytes:
    """Return what the text of every request begins with: see ``signing.fill_session``."""
    return f"apiKey={api_key}&".encode()


@compiled
def copy_key(address: int, session_address: int) -> int:
    """Write the API key."""
    session = record_at(session_address, SESSION_DTYPE)
    copy_bytes(address, session_address + API_KEY_OFFSET_BYTES, session.api_key_bytes)
    return int(address + session.api_key_bytes)


@compiled
def copy_symbol(address: int, instrument_address: int) -> int:
    """Write the symbol."""
    instrument = record_at(instrument_address, INSTRUMENT_DTYPE)
    copy_bytes(address, instrument_address + SYMBOL_OFFSET_BYTES, instrument.symbol_bytes)
    return int(address + instrument.symbol_bytes)


@compiled
def text_start(address: int, session_address: int) -> int:
    """Write what every text to sign begins with."""
    return copy_key(write_literal(address, _API_KEY), session_address)


@compiled
def text_symbol(address: int, instrument_address: int) -> int:
    """Write the symbol's parameter."""
    return copy_symbol(write_literal(address, _SYMBOL), instrument_address)


@compiled
def text_window(address: int, session_address: int) -> int:
    """Write how late the request may arrive."""
    address = write_literal(address, _WINDOW)
    return write_integer(address, record_at(session_address, SESSION_DTYPE).recv_window_ms)


@compiled
def text_time(address: int, wall_ms: int) -> int:
    """Write the time of day."""
    return write_integer(write_literal(address, _TIME), wall_ms)


@compiled
def text_tail(address: int, instrument_address: int, session_address: int, wall_ms: int) -> int:
    """Write what a text ends with that names no new order."""
    address = text_window(address, session_address)
    return text_time(text_symbol(address, instrument_address), wall_ms)


@compiled
def text_old_id(address: int, session_address: int, order_id: int, epoch: int) -> int:
    """Write which order is meant."""
    run_id = record_at(session_address, SESSION_DTYPE).run_id
    return write_client_order_id(write_literal(address, _OLD_ID), run_id, epoch, order_id)


@compiled
def text_replaced(address: int, session_address: int, order_id: int, epoch: int) -> int:
    """Write the beginning of a text that puts a new order in the place of another."""
    run_id = record_at(session_address, SESSION_DTYPE).run_id
    address = write_literal(text_start(address, session_address), _CANCEL_ID)
    address = write_client_order_id(address, run_id, epoch, order_id)
    return write_literal(address, _STOP_ON_FAILURE)


@compiled
def text_amended(address: int, session_address: int, order_id: int, epoch: int, qty_e8: int) -> int:
    """Write the beginning of a text that lowers an order's quantity; the order keeps its id."""
    run_id = record_at(session_address, SESSION_DTYPE).run_id
    address = write_literal(text_start(address, session_address), _NEW_ID)
    address = write_client_order_id(address, run_id, epoch, order_id)
    address = write_e8(write_literal(address, _NEW_QTY), qty_e8)
    return text_old_id(address, session_address, order_id, epoch)


@compiled
def is_signed(session_address: int) -> bool:
    """Return whether requests are signed one by one."""
    return record_at(session_address, SESSION_DTYPE).is_logged_on == 0


@compiled
def text_order(
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
    address = text_window(address, session_address)
    if request.side == Side.BUY:
        address = write_literal(address, _BUY)
    else:
        address = write_literal(address, _SELL)
    address = text_symbol(address, instrument_address)
    if request.time_in_force == OrderForce.POST_ONLY:
        return write_literal(text_time(address, wall_ms), _POST_ONLY_TYPE)
    if request.time_in_force == OrderForce.IOC:
        address = write_literal(address, _IOC)
    else:
        address = write_literal(address, _GTC)
    return write_literal(text_time(address, wall_ms), _LIMIT_TYPE)
