"""Ids of our orders and requests at the venue, written and read in compiled code."""

from ipc.compiled import compiled
from ipc.memory import load_byte, record_at
from vortex.records import SESSION
from vortex.wire.text import literal, write_hexadecimal, write_literal
from vortex.wire.words import read_hexadecimal

SESSION_DTYPE = SESSION.dtype

#: ``v`` run ``-`` epoch ``-`` order.
CLIENT_ORDER_ID_BYTES = 1 + 8 + 1 + 4 + 1 + 12
REQUEST_ID_DIGITS = 16

_LETTER, _DASH = literal("v"), literal("-")


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
