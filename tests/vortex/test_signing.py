"""HMAC-SHA256 in compiled code: equal to hmac, to hashlib and to the venue's own examples."""

import hashlib
import hmac
import random
from typing import Any

import numpy as np
import pytest

from ipc.memory import address_of
from vortex import sha256
from vortex.records import SESSION
from vortex.signing import SIGNING_BYTES, advance, fill_session, sign_hex

SECRET = b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"


def make_session(secret: bytes, prefix: bytes = b"") -> Any:
    session = np.zeros(1, dtype=SESSION.dtype)
    fill_session(session[0], API_KEY, secret, run_id=1, epoch=1, prefix=prefix)
    return session


def sign(session: Any, text: bytes) -> str:
    buffer = np.full(len(text) + SIGNING_BYTES + 64, 0xEE, dtype=np.uint8)
    buffer[: len(text)] = np.frombuffer(text, dtype=np.uint8)
    out = np.zeros(96, dtype=np.uint8)
    assert sign_hex(address_of(session), address_of(buffer), len(text), address_of(out)) == 64
    assert bytes(buffer[: len(text)]) == text
    assert (buffer[len(text) + SIGNING_BYTES :] == 0xEE).all()
    return bytes(out[:64]).decode()


@pytest.mark.parametrize(
    ("symbol", "rest", "signature"),
    [
        (
            "BTCUSDT",
            "price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL",
            "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
        ),
        (
            "１２３４５６",
            "price=0.10000000&quantity=1.00000000&recvWindow=5000&side=BUY",
            "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
        ),
    ],
)
def test_the_venue_s_examples(symbol: str, rest: str, signature: str) -> None:
    text = f"apiKey={API_KEY}&{rest}&symbol={symbol}&timeInForce=GTC&timestamp=1645423376532"
    payload = f"{text}&type=LIMIT".encode()
    assert sign(make_session(SECRET), payload) == signature
    assert sign(make_session(SECRET, f"apiKey={API_KEY}&".encode()), payload) == signature


def test_every_length_of_text_equals_hmac() -> None:
    source = random.Random(7)
    session = make_session(SECRET)
    for size in range(301):
        text = source.randbytes(size)
        assert sign(session, text) == hmac.new(SECRET, text, "sha256").hexdigest()


@pytest.mark.parametrize("prefix_bytes", [0, 63, 64, 71, 128, 200])
def test_a_prefix_hashed_beforehand_changes_nothing(prefix_bytes: int) -> None:
    source = random.Random(8)
    prefix = source.randbytes(prefix_bytes)
    session = make_session(SECRET, prefix)
    for size in range(0, 130, 3):
        text = prefix + source.randbytes(size)
        assert sign(session, text) == hmac.new(SECRET, text, "sha256").hexdigest()


def test_every_length_of_key_equals_hmac() -> None:
    source = random.Random(9)
    for size in (0, 1, 63, 64, 65, 200):
        secret = source.randbytes(size)
        assert (
            sign(make_session(secret), b"text") == hmac.new(secret, b"text", "sha256").hexdigest()
        )


@pytest.mark.parametrize("hash_blocks", [advance, sha256.hash_blocks_portable])
def test_both_ways_to_hash_equal_hashlib(hash_blocks: Any) -> None:
    source = random.Random(10)
    scratch = np.zeros(sha256.SCRATCH_BYTES, dtype=np.uint8)
    for size in range(0, 300, 7):
        text = source.randbytes(size)
        padded = text + b"\x80" + bytes((55 - size) % 64) + (8 * size).to_bytes(8, "big")
        data = np.frombuffer(padded, dtype=np.uint8).copy()
        state = np.zeros(1, dtype=sha256.STATE.dtype)
        state["words"] = np.array(sha256.INITIAL_STATE, dtype=np.uint32).view(np.int32)
        hash_blocks(address_of(state), address_of(data), len(data) // 64, address_of(scratch))
        assert state["words"][0].astype(">i4").tobytes() == hashlib.sha256(text).digest()


def test_what_does_not_fit_is_refused() -> None:
    session = np.zeros(1, dtype=SESSION.dtype)
    with pytest.raises(ValueError, match="API key"):
        fill_session(session[0], "", SECRET, 1, 1)
    with pytest.raises(ValueError, match="epoch"):
        fill_session(session[0], API_KEY, SECRET, 1, 2**16)
    with pytest.raises(ValueError, match="recv_window_ms"):
        fill_session(session[0], API_KEY, SECRET, 1, 1, 60_001)
