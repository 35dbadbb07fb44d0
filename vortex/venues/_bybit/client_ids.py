"""Our ids at Bybit: of an order (``orderLinkId``) and of a request (``reqId``).

A letter, run, epoch and number in hexadecimal: at most 36 characters, never used twice.
"""

from ipc.compiled import compiled
from ipc.memory import load_byte, store_byte
from ipc.types import Record
from vortex.wire.text import write_hexadecimal
from vortex.wire.words import read_hexadecimal

ORDER_LETTER, REQUEST_LETTER = ord("v"), ord("r")
#: Letter, run of 8 digits, ``-``, epoch of 4, ``-``, number of 12.
CLIENT_ID_BYTES = 1 + 8 + 1 + 4 + 1 + 12
NUMBER_MAX = 2**48 - 1

_DASH = ord("-")


def client_order_id(run_id: int, epoch: int, order_id: int) -> str:
    """Return the id that an order of ours has at the venue."""
    return f"v{run_id:08x}-{epoch:04x}-{order_id:012x}"


@compiled
def _write_letter(address: int, character: int) -> int:
    store_byte(address, character)
    return address + 1


@compiled
def write_client_id(address: int, character: int, run_id: int, epoch: int, number: int) -> int:
    """Write an id of ours; return the address behind it."""
    address = _write_letter(address, character)
    address = _write_letter(write_hexadecimal(address, run_id, 8), _DASH)
    address = _write_letter(write_hexadecimal(address, epoch, 4), _DASH)
    return write_hexadecimal(address, number, 12)


@compiled
def parse_client_id(session: Record, character: int, text_address: int, text_bytes: int) -> int:
    """Return the number in an id of this run; 0 when the text is none.

    An id of an earlier epoch of the run is ours too.
    """
    if text_bytes != CLIENT_ID_BYTES or load_byte(text_address) != character:
        return 0
    if load_byte(text_address + 9) != _DASH or load_byte(text_address + 14) != _DASH:
        return 0
    if read_hexadecimal(text_address + 1, 8) != session.run_id:
        return 0
    if read_hexadecimal(text_address + 10, 4) < 0:
        return 0
    return max(0, read_hexadecimal(text_address + 15, 12))
