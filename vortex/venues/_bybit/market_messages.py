"""Bybit's market messages: the form of today first, and whatever means the same."""

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word, record_at
from vortex.records import CATALOG
from vortex.venues._bybit.any_form import decode_any_form
from vortex.venues._bybit.usual_books import decode_usual_book
from vortex.venues._bybit.usual_trades import decode_usual_trades
from vortex.wire.scan import CLOSE_OBJECT
from vortex.wire.words import low_bytes, word_of

CATALOG_DTYPE = CATALOG.dtype

#: The shortest message that is looked at for today's form.
USUAL_BYTES_MIN = 96

_TOPIC, _ORDERBOOK, _ORDERBOOK_1 = word_of(b'{"topic"'), word_of(b':"orderb'), word_of(b"ook.")
_TRADES, _TRADES_1 = word_of(b':"public'), word_of(b"Trade.")


@compiled
def decode_market(
    payload_address: int,
    payload_bytes: int,
    catalog_address: int,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write the records of one market message; return how many, or a Refusal.

    ``out_address`` holds ``out_count_max`` slots of 128 bytes.  What is not in the form that the
    venue sends today is counted in the catalog: many of them mean that the venue changed its form.
    """
    end_address = payload_address + payload_bytes
    record_count = decode_usual(
        payload_address, end_address, catalog_address, out_address, out_count_max
    )
    if record_count > 0:
        return record_count
    record_at(catalog_address, CATALOG_DTYPE).general_count += 1
    return decode_any_form(
        payload_address, end_address, catalog_address, out_address, out_count_max
    )


@compiled
def decode_usual(
    address: int, end_address: int, catalog_address: int, out_address: int, out_count_max: int
) -> int:
    """Return what ``decode_market`` returns if the message is as usual, else 0."""
    if end_address - address < USUAL_BYTES_MIN or out_count_max < 1:
        return 0
    if load_word(address) != _TOPIC or load_byte(end_address - 1) != CLOSE_OBJECT:
        return 0
    word = load_word(address + 8)
    if word == _ORDERBOOK and low_bytes(load_word(address + 16), 4) == _ORDERBOOK_1:
        return decode_usual_book(
            address + 20, end_address, catalog_address, out_address, out_count_max
        )
    if word == _TRADES and low_bytes(load_word(address + 16), 6) == _TRADES_1:
        return decode_usual_trades(
            address + 22, end_address, catalog_address, out_address, out_count_max
        )
    return 0
