"""The compiled peer of ``wire_to_wire``: sends frames when they are due, answers orders at once.

Also the two sides of the TCP echo that it is measured beside.
"""

from ipc.clock import monotonic_ns
from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import copy_bytes, load_byte, load_word, record_at, store_byte, store_word
from ipc.sockets import WOULD_BLOCK
from ipc.types import Record
from ipc.waiting import sleep_us
from tools.bench.bytes_moved import receive, send_all
from tools.bench.wire_texts import Field as Place
from vortex.wire.text import write_integer
from vortex.wire.words import low_bytes, read_hexadecimal, word_of, wrapping_product

TEXT_BYTES_MAX = 32
LEAD_NS = 1_000_000
QUIET_NS = 300_000_000

PEER = Layout(
    "peer",
    "What the peer works with; addresses in this process.",
    Field("feed_fd", "i8", "where frames go"),
    Field("order_fd", "i8", "where orders come from and answers go"),
    Field("feed_tls_address", "i8", "TLS of the feed; 0 without"),
    Field("order_tls_address", "i8", "TLS of the orders; 0 without"),
    Field("receiver_address", "i8", "RECEIVER"),
    Field("log_address", "i8", "received bytes, kept for checking"),
    Field("log_bytes", "i8", "room for them"),
    Field("filled_bytes", "i8", "how many are there"),
    Field("parsed_bytes", "i8", "how many were answered"),
    Field("requests_address", "i8", "per request: arrival ns, offset and bytes of its payload"),
    Field("request_count", "i8", "how many"),
    Field("request_count_max", "i8", "room for them"),
    Field("fields_address", "i8", "per wire_texts.Field: address and bytes"),
    Field("texts_address", "i8", "where numbers are written"),
    Field("standing_address", "i8", "per side: price, its bytes, quantity, its bytes"),
    Field("out_address", "i8", "answers"),
    Field("templates_address", "i8", "per Template: address and bytes"),
    Field("buy_count", "i8", "orders to buy accepted"),
    Field("sell_count", "i8", "orders to sell accepted"),
    Field("fill_every_count", "i8", "of each side every so many-th order is filled"),
    Field("fill_count", "i8", "orders filled"),
    Field("strange_count", "i8", "requests that nobody expected"),
    Field("start_ns", "i8", "when the batch began"),
    Field("late_ns_max", "i8", "how late a frame was sent at worst"),
    Field("pause_us", "i8", "how long to sleep when nothing is to be done; 0 to spin"),
    multiple_bytes=8,
)
PEER_DTYPE = PEER.dtype

STANDING_BYTES = 2 * (TEXT_BYTES_MAX + 8)
PLACED, REPLACED, NEW_REPORT, CANCELED_REPORT, FILL_REPORT = range(5)

NEW_ID_FIELD = int(Place.NEW_ID)
OLD_ID_FIELD = int(Place.OLD_ID)
OLD_NUMBER_FIELD = int(Place.OLD_NUMBER)
OLD_PRICE_FIELD = int(Place.OLD_PRICE)
ORDER_NUMBER_FIELD = int(Place.ORDER_NUMBER)
PRICE_FIELD = int(Place.PRICE)
QTY_FIELD = int(Place.QTY)
REQUEST_ID_FIELD = int(Place.REQUEST_ID)
SIDE_FIELD = int(Place.SIDE)
TIME_FIELD = int(Place.TIME)
TRADE_NUMBER_FIELD = int(Place.TRADE_NUMBER)

QUOTE, POINT_METHOD = ord('"'), len('","method":"order.')
ID_OFFSET = len('{"id":"')
NEW_ID_WORD, OLD_ID_WORD = word_of(b"newClien"), word_of(b"cancelOr")
PRICE_WORD, QTY_WORD = word_of(b'price":"'), word_of(b"quantity")
SIDE_WORD, TIME_WORD = word_of(b'side":"\0'), word_of(b"timestam")
PLACE_WORD, REPLACE_WORD = word_of(b'place","'), word_of(b"cancelRe")
LETTER_B = ord("B")
ORDER_DIGITS = 12


@compiled
def set_field(peer: Record, field_index: int, address: int, byte_count: int) -> None:
    """Say what is filled in for one wire_texts.Field."""
    store_word(peer.fields_address + 16 * field_index, address)
    store_word(peer.fields_address + 16 * field_index + 8, byte_count)


@compiled
def value_bytes(address: int) -> int:
    """Return how many bytes are before the next quotation mark."""
    end = address
    while load_byte(end) != QUOTE:
        end += 1
    return end - address


@compiled
def read_field(peer: Record, address: int) -> None:
    """Note the value of the member whose key begins at ``address``, if it is one of ours."""
    word = load_word(address)
    field, key_bytes = 0, 0
    if word == NEW_ID_WORD:
        field, key_bytes = NEW_ID_FIELD, 19
    elif word == OLD_ID_WORD:
        field, key_bytes = OLD_ID_FIELD, 26
    elif word == PRICE_WORD:
        field, key_bytes = PRICE_FIELD, 8
    elif word == QTY_WORD:
        field, key_bytes = QTY_FIELD, 11
    elif low_bytes(word, 7) == SIDE_WORD:
        field, key_bytes = SIDE_FIELD, 7
    elif word == TIME_WORD:
        set_field(peer, TIME_FIELD, address + 11, 13)
    if field != 0:
        value = address + key_bytes
        set_field(peer, field, value, value_bytes(value))


@compiled
def read_fields(peer: Record, payload_address: int, payload_bytes: int) -> int:
    """Note the fields of one request; return its template, -1 for a request of another kind."""
    set_field(peer, OLD_ID_FIELD, 0, 0)
    id_bytes = value_bytes(payload_address + ID_OFFSET)
    set_field(peer, REQUEST_ID_FIELD, payload_address + ID_OFFSET, id_bytes)
    method = load_word(payload_address + ID_OFFSET + id_bytes + POINT_METHOD)
    for offset in range(ID_OFFSET + id_bytes, payload_bytes):
        if load_byte(payload_address + offset) == QUOTE:
            read_field(peer, payload_address + offset + 1)
    write_number(peer, ORDER_NUMBER_FIELD, NEW_ID_FIELD)
    if method == PLACE_WORD:
        return PLACED
    if method == REPLACE_WORD and load_word(peer.fields_address + 16 * OLD_ID_FIELD) != 0:
        write_number(peer, OLD_NUMBER_FIELD, OLD_ID_FIELD)
        return REPLACED
    return -1


@compiled
def write_number(peer: Record, field_index: int, id_field_index: int) -> None:
    """Give an order the number that its client order id ends in."""
    text = load_word(peer.fields_address + 16 * id_field_index)
    text_bytes = load_word(peer.fields_address + 16 * id_field_index + 8)
    number = read_hexadecimal(text + text_bytes - ORDER_DIGITS, ORDER_DIGITS)
    write_text(peer, field_index, number)


@compiled
def write_text(peer: Record, field_index: int, number: int) -> None:
    """Fill in a number."""
    out = peer.texts_address + TEXT_BYTES_MAX * field_index
    set_field(peer, field_index, out, write_integer(out, number) - out)


@compiled
def swap_standing(peer: Record, is_buy: bool) -> None:
    """Fill in the open order of this side, and remember the new order in its place."""
    row = peer.standing_address + (0 if is_buy else STANDING_BYTES)
    for turn in range(2):
        kept = row + turn * (TEXT_BYTES_MAX + 8)
        old_field = OLD_PRICE_FIELD + turn
        new_field = PRICE_FIELD + turn
        out = peer.texts_address + TEXT_BYTES_MAX * old_field
        copy_bytes(out, kept, TEXT_BYTES_MAX)
        set_field(peer, old_field, out, load_word(kept + TEXT_BYTES_MAX))
        text = load_word(peer.fields_address + 16 * new_field)
        text_bytes = load_word(peer.fields_address + 16 * new_field + 8)
        copy_bytes(kept, text, TEXT_BYTES_MAX)
        store_word(kept + TEXT_BYTES_MAX, text_bytes)


@compiled
def expand(peer: Record, template_index: int, out_address: int) -> int:
    """Write one message as a server's frame; return where it ends."""
    text = load_word(peer.templates_address + 16 * template_index)
    text_bytes = load_word(peer.templates_address + 16 * template_index + 8)
    out = out_address + 4
    for index in range(text_bytes):
        byte = load_byte(text + index)
        if byte < 32:
            field_bytes = load_word(peer.fields_address + 16 * byte + 8)
            copy_bytes(out, load_word(peer.fields_address + 16 * byte), field_bytes)
            out += field_bytes
        else:
            store_byte(out, byte)
            out += 1
    payload_bytes = out - out_address - 4
    store_byte(out_address, 0x81)
    store_byte(out_address + 1, 126)
    store_byte(out_address + 2, payload_bytes >> 8)
    store_byte(out_address + 3, payload_bytes)
    return out


@compiled
def answer(peer: Record, payload_address: int, payload_bytes: int) -> bool:
    """Answer one request as the venue would; False when the answer could not be sent."""
    kind = read_fields(peer, payload_address, payload_bytes)
    if kind < 0:
        peer.strange_count += 1
        return True
    is_buy = load_byte(load_word(peer.fields_address + 16 * SIDE_FIELD)) == LETTER_B
    swap_standing(peer, is_buy)
    out = expand(peer, kind, peer.out_address)
    if kind == REPLACED:
        out = expand(peer, CANCELED_REPORT, out)
    out = expand(peer, NEW_REPORT, out)
    if is_buy:
        peer.buy_count += 1
        is_filled = peer.buy_count % peer.fill_every_count == 0
    else:
        peer.sell_count += 1
        is_filled = peer.sell_count % peer.fill_every_count == 0
    if is_filled:
        peer.fill_count += 1
        write_text(peer, TRADE_NUMBER_FIELD, peer.fill_count)
        out = expand(peer, FILL_REPORT, out)
    byte_count = out - peer.out_address
    sent = send_all(
        peer.order_tls_address, peer.receiver_address, peer.order_fd, peer.out_address, byte_count
    )
    return sent == byte_count


@compiled
def unmask(frame_address: int, key_address: int, payload_bytes: int) -> None:
    """Unmask a payload behind its key, in place, word by word; the bytes behind it are kept."""
    key = load_word(key_address) & 0xFFFFFFFF
    masks = wrapping_product(key, 0x100000001)
    whole_bytes = payload_bytes & ~7
    for offset in range(0, whole_bytes, 8):
        store_word(frame_address + offset, load_word(frame_address + offset) ^ masks)
    for offset in range(whole_bytes, payload_bytes):
        store_byte(
            frame_address + offset,
            load_byte(frame_address + offset) ^ ((masks >> (8 * (offset & 7))) & 255),
        )


@compiled
def take_requests(peer: Record) -> int:
    """Read what came and answer each whole request: how many bytes came, -1 when it failed."""
    room_bytes = peer.log_bytes - peer.filled_bytes
    target = peer.log_address + peer.filled_bytes
    count = receive(
        peer.order_tls_address, peer.receiver_address, peer.order_fd, target, room_bytes
    )
    if count == WOULD_BLOCK:
        return 0
    if count <= 0:
        return -1
    arrived_ns = monotonic_ns()
    peer.filled_bytes += count
    while True:
        frame = peer.log_address + peer.parsed_bytes
        available_bytes = peer.filled_bytes - peer.parsed_bytes
        if available_bytes < 8 or load_byte(frame + 1) != 0x80 | 126:
            return count if available_bytes < 8 else -1
        payload_bytes = load_byte(frame + 2) << 8 | load_byte(frame + 3)
        if available_bytes < 8 + payload_bytes:
            return count
        unmask(frame + 8, frame + 4, payload_bytes)
        if peer.request_count >= peer.request_count_max:
            return -1
        row = peer.requests_address + 24 * peer.request_count
        store_word(row, arrived_ns)
        store_word(row + 8, peer.parsed_bytes + 8)
        store_word(row + 16, payload_bytes)
        peer.request_count += 1
        peer.parsed_bytes += 8 + payload_bytes
        if not answer(peer, frame + 8, payload_bytes):
            return -1


@compiled
def send_due(peer_address: int, row_address: int, now_ns: int) -> int:
    """Send the frame of one row of the table if it is due: 1 sent, 0 not yet, -1 failed."""
    peer = record_at(peer_address, PEER_DTYPE)
    due_ns = peer.start_ns + load_word(row_address + 16)
    if now_ns < due_ns:
        return 0
    byte_count = load_word(row_address + 8)
    frame = load_word(row_address)
    sent = send_all(peer.feed_tls_address, peer.receiver_address, peer.feed_fd, frame, byte_count)
    peer.late_ns_max = max(peer.late_ns_max, now_ns - due_ns)
    return 1 if sent == byte_count else -1


@compiled
def drive(peer_address: int, table_address: int, frame_count: int) -> bool:
    """Send all frames on time and answer until all is quiet; False when a connection failed."""
    peer = record_at(peer_address, PEER_DTYPE)
    now = monotonic_ns()
    peer.start_ns = now + LEAD_NS
    peer.late_ns_max = 0
    active_ns = peer.start_ns
    index = 0
    while index < frame_count or now - active_ns < QUIET_NS:
        now = monotonic_ns()
        done = 0
        if index < frame_count:
            done = send_due(peer_address, table_address + 24 * index, now)
            index += max(done, 0)
        taken = take_requests(peer)
        if done < 0 or taken < 0:
            return False
        if done + taken > 0:
            active_ns = now
        elif peer.pause_us > 0:
            sleep_us(peer.pause_us)
    return True


@compiled
def drive_echo(
    peer_address: int, table_address: int, frame_count: int, reply_bytes: int, arrived_address: int
) -> bool:
    """Send all frames on time; note when the last byte of each reply came."""
    peer = record_at(peer_address, PEER_DTYPE)
    peer.start_ns = monotonic_ns() + LEAD_NS
    index, came_count, came_bytes = 0, 0, 0
    while came_count < frame_count:
        if index < frame_count:
            done = send_due(peer_address, table_address + 24 * index, monotonic_ns())
            if done < 0:
                return False
            index += done
        count = receive(
            peer.feed_tls_address, peer.receiver_address, peer.feed_fd, peer.log_address,
            peer.log_bytes,
        )  # fmt: skip
        if count == WOULD_BLOCK:
            continue
        if count <= 0:
            return False
        arrived_ns = monotonic_ns()
        came_bytes += count
        while came_count < came_bytes // reply_bytes:
            store_word(arrived_address + 8 * came_count, arrived_ns)
            came_count += 1
    return True


@compiled
def echo(
    tls_address: int, receiver_address: int, fd: int, buffer_address: int, frame_bytes: int,
    reply_bytes: int,
) -> bool:  # fmt: skip
    """Answer each frame with a reply of fixed length until the other side closes."""
    came_bytes, answered_count = 0, 0
    while True:
        count = receive(tls_address, receiver_address, fd, buffer_address, 4_096)
        if count == WOULD_BLOCK:
            continue
        if count <= 0:
            return count == 0
        came_bytes += count
        while answered_count < came_bytes // frame_bytes:
            sent = send_all(tls_address, receiver_address, fd, buffer_address, reply_bytes)
            if sent != reply_bytes:
                return False
            answered_count += 1
