"""Bybit's spot pairs.

*Source:* Bybit v5 API documentation: WebSocket streams, "Websocket Trade", REST endpoints.
"""

from ipc.compiled import compiled
from vortex.venues._bybit.answer_messages import decode_message
from vortex.venues._bybit.category_parts import account_part, market_part, orders_part
from vortex.venues._bybit.listings import read_spot
from vortex.venues._bybit.order_messages import write_request
from vortex.wire.text import literal
from vortex.wire.words import words_of

_CATEGORY, _CATEGORY_WORDS = literal("spot"), words_of(b"spot")


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
    """Write the payload for one REQUEST; return its bytes."""
    return write_request(
        request_address,
        instrument_address,
        session_address,
        wall_ms,
        request_id,
        new_order_id,
        old_order_id,
        old_epoch,
        out_address,
        _CATEGORY,
    )


@compiled
def decode_answer(
    connection_index: int,
    payload_address: int,
    payload_bytes: int,
    catalog_address: int,
    session_address: int,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write the ANSWERs that a message says; return how many, or a Refusal."""
    return decode_message(
        connection_index,
        payload_address,
        payload_bytes,
        catalog_address,
        session_address,
        out_address,
        out_count_max,
        _CATEGORY_WORDS,
    )


MARKET = market_part("spot", read_spot)
#: Of an account of the lowest class; the venue's replies say what fits.
ORDERS = orders_part("spot", encode_request, decode_answer, orders_per_s=20)
ACCOUNT = account_part("spot")
