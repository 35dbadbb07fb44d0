"""The compiled loop of the benchmark ``order``: fill a request, encode and sign it, frame it."""

from ipc.compiled import compiled
from ipc.memory import record_at, store_word
from vortex.codes import Kind, Side
from vortex.records import REQUEST
from vortex.venues._binance.order_encoder import encode_request
from vortex.wire.websocket import Opcode, write_frame
from vortex.wire.words import wrapping_product

REQUEST_DTYPE = REQUEST.dtype
FRAME_BYTES_MAX = 1_024
PRICE_COUNT = 1_000


@compiled
def mask_of(order_id: int) -> int:
    """Return a masking key; the engine's come from the system, drawn beforehand."""
    return wrapping_product(order_id, 0x9E3779B1) & 0xFFFFFFFF


@compiled
def fill_request(request_address: int, order_id: int, first_ticks: int) -> None:
    """Make the request one for another order: price, quantity and side change."""
    request = record_at(request_address, REQUEST_DTYPE)
    request.kind = Kind.PLACE
    request.side = Side.BUY if order_id & 1 else Side.SELL
    request.price_ticks = first_ticks + order_id % PRICE_COUNT
    request.qty_lots = 100 + order_id % 7


@compiled
def build_orders(
    request_address: int,
    instrument_address: int,
    session_address: int,
    wall_ms: int,
    first_id: int,
    count: int,
    first_ticks: int,
    text_address: int,
    frames_address: int,
    lengths_address: int,
) -> int:
    """Build ``count`` orders with numbers from ``first_id`` on; return their bytes.

    Frame ``index`` is at ``frames_address + index * FRAME_BYTES_MAX``, its length beside it.
    """
    total_bytes = 0
    for index in range(count):
        order_id = first_id + index
        fill_request(request_address, order_id, first_ticks)
        payload_bytes = encode_request(
            request_address, instrument_address, session_address, wall_ms + index,
            order_id, order_id, 0, 0, text_address,
        )  # fmt: skip
        frame_bytes = write_frame(
            frames_address + index * FRAME_BYTES_MAX,
            Opcode.TEXT,
            text_address,
            payload_bytes,
            mask_of(order_id),
        )
        store_word(lengths_address + 8 * index, frame_bytes)
        total_bytes += frame_bytes
    return total_bytes
