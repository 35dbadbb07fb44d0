"""The compiled loop of the benchmark ``frame``: bytes as they were received, to records read."""

from ipc import ring
from ipc.compiled import compiled
from ipc.memory import record_at
from tools.bench.parse_loops import read_records
from vortex.venues._binance.market_decoder import decode_market
from vortex.wire import websocket
from vortex.wire.websocket import FRAMER, Incoming

FRAMER_DTYPE = FRAMER.dtype


@compiled
def take_all(
    framer_address: int,
    buffer_address: int,
    byte_count: int,
    catalog_address: int,
    writer_address: int,
    reader_address: int,
    message_count_max: int,
    sums_address: int,
) -> int:
    """Find every frame in the buffer, decode it into the ring and read it; return how many."""
    framer = record_at(framer_address, FRAMER_DTYPE)
    websocket.begin_framing(framer_address, byte_count)
    taken_count = 0
    while websocket.next_message(framer_address, buffer_address, byte_count) == Incoming.TEXT:
        slot = ring.claim(writer_address)
        assert slot != 0, "the reader empties the ring after each message"
        count = decode_market(
            framer.payload_address, framer.payload_bytes, catalog_address, slot, message_count_max
        )
        if count < 0:
            return count
        ring.append(writer_address, count)
        ring.commit(writer_address, taken_count)
        read_records(reader_address, sums_address)
        taken_count += 1
    return taken_count
