"""Compiled readers beside memory that may not be touched; run as a process, which a fault kills.

``python -m tests.vortex.wire.guarded WHAT`` lays each text so that the readable bytes which its
reader may ask for end where an unmapped page begins, and again so that the text begins right
behind one.
"""

import ctypes
import itertools
import json
import mmap
import sys
from collections.abc import Callable, Iterator

import numpy as np
from scale import scaled

from ipc.bounds import KNOWN
from ipc.memory import address_of, copy_bytes, load_byte, load_word
from tests.vortex.venues import test_bybit_answers
from tests.vortex.wire.test_signing import make_session
from tools.fuzz import bybit_market, market, scanner
from tools.fuzz.framing import server_frame
from tools.fuzz.market import BENCH, FRAMES, SLOTS
from vortex.records import INSTRUMENT
from vortex.venues._binance.market_decoder import decode_market, decode_snapshot
from vortex.wire import utf8
from vortex.wire.scan import (
    CLOSE_OBJECT,
    check_text,
    open_object,
    read_e8,
    read_integer,
    read_member,
    read_string,
    text_words,
)
from vortex.wire.signing import SIGNING_BYTES, sign_hex
from vortex.wire.websocket import FRAMER, Incoming, begin_framing, next_message, write_frame

PAD_BYTES = 64
PAGES = 64
PROT_NONE = 0
#: How far apart the places are where a text is cut or changed.
STEP_BYTES = scaled(1, 17)
FILLINGS = (b"\0", b"9", b'"', b"\\", b"[", b"}", b" ", b"\xff")
LIBC = ctypes.CDLL(None, use_errno=True)


class Guarded:
    """Some pages between two that may not be touched."""

    def __init__(self) -> None:
        size = (PAGES + 2) * mmap.PAGESIZE
        self.memory = mmap.mmap(-1, size)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.first = start + mmap.PAGESIZE
        self.end = self.first + PAGES * mmap.PAGESIZE
        for page in (start, self.end):
            if LIBC.mprotect(ctypes.c_void_p(page), mmap.PAGESIZE, PROT_NONE) != 0:
                raise OSError(ctypes.get_errno(), "mprotect")
        KNOWN.add(self.first, self.end - self.first)

    def places(self, text: bytes, behind: bytes, pad_bytes: int = PAD_BYTES) -> Iterator[int]:
        """Yield where ``text`` lies, ``behind`` repeated after it: at the end, at the beginning."""
        padding = (behind * pad_bytes)[:pad_bytes]
        for address in (self.end - pad_bytes - len(text), self.first):
            source = np.frombuffer(text + padding + b"\0", np.uint8)
            copy_bytes(address, address_of(source), len(text) + pad_bytes)
            yield address


def with_cuts(texts: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield each text, whole and cut anywhere, before all that may follow it."""
    for text in texts:
        for size in {*range(0, len(text) + 1, STEP_BYTES), len(text)}:
            fillings = FILLINGS if size % 7 == 0 or size > len(text) - 2 else FILLINGS[:2]
            for behind in (*fillings, text[size:] or text):
                yield text[:size], behind


def read_frames(memory: Guarded) -> None:
    """Read server frames, whole and cut anywhere."""
    framer = np.zeros(1, FRAMER.dtype)
    streams = [
        server_frame(1, b"a" * size, final) + server_frame(0, "é€".encode() * 3)
        for size, final in itertools.product((0, 1, 7, 8, 9, 125, 126, 200), (True, False))
    ]
    streams += [server_frame(8, b"\x03\xe8" + "grüße".encode()), server_frame(9, b"12345678")]
    for stream, behind in with_cuts(streams):
        for address in memory.places(stream, behind):
            begin_framing(address_of(framer), 1 << 16)
            ended = (Incoming.NEED_MORE, Incoming.ENDED, Incoming.FAILED)
            while next_message(address_of(framer), address, len(stream)) not in ended:
                pass


def read_json(memory: Guarded) -> None:
    """Read texts with every reader that fits them."""
    texts = [*scanner.seeds(), *FRAMES, b'"abcdefg"', b'"\\u00e9"', b"true", b"false", b"null"]
    texts += [b"1" * size for size in range(1, 26)] + [b"[" * 70, b'{"a":' * 70, b'"' + b"a" * 40]
    for text, behind in with_cuts(texts):
        for address in memory.places(text, behind):
            end = address + len(text)
            is_json = check_text(address, end) > 0
            read_e8(address, end)
            read_integer(address, end)
            read_string(address, end)
            text_words(address, min(len(text), 30))
            if is_json and text[:1] == b"{":
                position = open_object(address, end)
                while load_byte(position) != CLOSE_OBJECT:
                    *_, position = read_member(position, end)


def read_market(memory: Guarded) -> None:
    """Decode messages and snapshots, whole, cut and with a byte changed."""
    snapshot = b'{"lastUpdateId":27,"bids":[["0.01","3.42"]],"asks":[["4.0","5.9"],["5","6"]]}'
    out, catalog = address_of(BENCH.out), address_of(BENCH.catalog)
    row = address_of(BENCH.instruments)
    assert BENCH.instruments.dtype == INSTRUMENT.dtype
    changed = [
        text[:at] + byte + text[at + 1 :]
        for text in (*FRAMES, snapshot)
        for at in range(0, len(text), STEP_BYTES)
        for byte in (b'"', b"\\", b"9", b"}", b"]")
    ]
    whole = ((text, behind) for text in changed for behind in (b"9", b'"', text))
    for text, behind in itertools.chain(with_cuts([*market.seeds(), snapshot]), whole):
        for address in memory.places(text, behind):
            decode_market(address, len(text), catalog, out, SLOTS)
            decode_snapshot(address, len(text), row, out, SLOTS)


def read_bybit(memory: Guarded) -> None:
    """Decode Bybit's messages, whole, cut and with a byte changed."""
    bench = bybit_market.BENCH
    out, catalog = address_of(bench.out), address_of(bench.catalog)
    changed = [
        text[:at] + byte + text[at + 1 :]
        for text in bybit_market.FRAMES
        for at in range(0, len(text), STEP_BYTES)
        for byte in (b'"', b"9", b"}", b"]")
    ]
    whole = ((text, behind) for text in changed for behind in (b"9", b'"', text))
    for text, behind in itertools.chain(with_cuts(bybit_market.seeds()), whole):
        for address in memory.places(text, behind):
            bybit_market.decode_market(address, len(text), catalog, out, bybit_market.SLOTS)


def read_bybit_answers(memory: Guarded) -> None:
    """Decode what Bybit says on its order connections, whole and cut anywhere."""
    bench = test_bybit_answers.LINEAR
    texts = [
        (connection, json.dumps(root, separators=(",", ":")).encode())
        for connection, root in test_bybit_answers.MESSAGES
    ]
    for connection, one in texts:
        for text, behind in with_cuts([one]):
            for address in memory.places(text, behind):
                test_bybit_answers.decode_message(
                    connection, address, len(text), address_of(bench.catalog),
                    address_of(bench.session), address_of(bench.out), len(bench.out),
                    bench.category,
                )  # fmt: skip


def read_utf8(memory: Guarded) -> None:
    """Look at text with no more behind it than ``is_utf8`` says it reads."""
    for text in ("a" * 40).encode(), ("é€😀" * 4).encode(), b"\xf0\x9f\x98" * 5:
        for size in range(len(text) + 1):
            for behind in FILLINGS:
                for address in memory.places(text[:size], behind, utf8.READ_BEHIND_BYTES):
                    utf8.is_utf8(address, size)


def write_frames(memory: Guarded) -> None:
    """Mask payloads with no more behind source and frame than ``write_frame`` says it touches."""
    other = Guarded()
    for size in (*range(40), 125, 126, 127, 1000, 65535, 65536):
        for source in memory.places(bytes(size), b"\0", 7):
            for out in other.places(
                bytes(size + 6 + 2 * (size > 125) + 6 * (size > 65535)), b"\0", 7
            ):
                write_frame(out, 2, source, size, 0x12345678)


def sign_texts(memory: Guarded) -> None:
    """Sign texts with no more behind them than ``sign_hex`` says it overwrites."""
    session, out = make_session(b"secret"), np.zeros(64, np.uint8)
    for size in range(200):
        for address in memory.places(b"a" * size, b"\0", SIGNING_BYTES):
            sign_hex(address_of(session), address, size, address_of(out))


def touch(memory: Guarded) -> None:
    """Read one byte too many: shows that this is noticed."""
    load_word(memory.end - 7)


WORK: dict[str, Callable[[Guarded], None]] = {
    "frames": read_frames,
    "json": read_json,
    "market": read_market,
    "bybit": read_bybit,
    "bybit answers": read_bybit_answers,
    "utf8": read_utf8,
    "masking": write_frames,
    "signing": sign_texts,
    "nothing": touch,
}

if __name__ == "__main__":
    WORK[sys.argv[1]](Guarded())
    print("done", flush=True)
