"""HMAC-SHA256 in compiled code: equal to hmac, to hashlib and to the venue's own examples."""

import hashlib
import hmac
import random
import re
from collections.abc import Iterator
from typing import Any

import cryptography_vectors
import numpy as np
import pytest
from scale import compiled_only, scaled

from ipc.memory import address_of
from tests.ipc.processes import Child
from vortex.records import SESSION
from vortex.wire import sha256
from vortex.wire.signing import SIGNING_BYTES, advance, fill_session, sign_hex

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


def vectors_of(name: str, *fields: str) -> list[list[str]]:
    """Return the named fields of each vector in a file of NIST's form, as they are written."""
    with cryptography_vectors.open_vector_file(name, "r") as lines:
        found = [re.match(r"(\w+) = (\w+)$", line.strip()) for line in lines]
    values = [match.groups() for match in found if match and match.group(1) in fields]
    rows = [dict(values[at : at + len(fields)]) for at in range(0, len(values), len(fields))]
    return [[row[field] for field in fields] for row in rows]


def rfc_4231() -> list[tuple[bytes, bytes, str]]:
    """Return key, text and HMAC-SHA256 of RFC 4231's cases, but for the one of cut digests."""
    rows = vectors_of("HMAC/rfc-4231-sha256.txt", "Key", "Msg", "MD")
    return [(bytes.fromhex(key), bytes.fromhex(text), digest) for key, text, digest in rows]


def digest(hash_blocks: Any, text: bytes) -> bytes:
    """Return the SHA-256 of ``text`` by one way to hash blocks."""
    scratch = np.zeros(sha256.SCRATCH_BYTES, dtype=np.uint8)
    size = len(text)
    padded = text + b"\x80" + bytes((55 - size) % 64) + (8 * size).to_bytes(8, "big")
    data = np.frombuffer(padded, dtype=np.uint8)
    state = np.zeros(1, dtype=sha256.STATE.dtype)
    state["words"] = np.array(sha256.INITIAL_STATE, dtype=np.uint32).view(np.int32)
    hash_blocks(address_of(state), address_of(data), len(data) // 64, address_of(scratch))
    result: bytes = state["words"][0].astype(">i4").tobytes()
    return result


both_ways = pytest.mark.parametrize(
    "hash_blocks",
    [
        pytest.param(
            advance,
            id="instructions",
            marks=pytest.mark.skipif(
                not sha256.HAS_SHA_INSTRUCTIONS, reason="this processor has no SHA instructions"
            ),
        ),
        pytest.param(sha256.hash_blocks_portable, id="portable"),
    ],
)


@both_ways
def test_both_ways_to_hash_equal_hashlib(hash_blocks: Any) -> None:
    source = random.Random(10)
    for size in range(0, 300, 7):
        text = source.randbytes(size)
        assert digest(hash_blocks, text) == hashlib.sha256(text).digest()


@both_ways
def test_nist_s_sha_256_vectors(hash_blocks: Any) -> None:
    count = 0
    for name in ("SHA256ShortMsg", "SHA256LongMsg"):
        rows = list(vectors_of(f"hashes/SHA2/{name}.rsp", "Len", "Msg", "MD"))
        assert len(rows) > 60
        for bits, text, expected in rows[:: scaled(1, 9)]:
            data = bytes.fromhex(text)[: int(bits) // 8]
            assert digest(hash_blocks, data).hex() == expected
            count += 1
    assert count == scaled(65 + 64, 8 + 8)


def monte_carlo(hash_blocks: Any, seed: bytes) -> Iterator[bytes]:
    """Yield each thousandth digest of a chain: SHAVS, 6.4."""
    while True:
        chain = [seed] * 3
        for _ in range(1000):
            chain = [*chain[1:], digest(hash_blocks, b"".join(chain))]
        seed = chain[-1]
        yield seed


@both_ways
def test_nist_s_monte_carlo_vectors(hash_blocks: Any) -> None:
    ((seed,),) = vectors_of("hashes/SHA2/SHA256Monte.rsp", "Seed")
    expected = [row[0] for row in vectors_of("hashes/SHA2/SHA256Monte.rsp", "MD")]
    assert len(expected) == 100
    chain = monte_carlo(hash_blocks, bytes.fromhex(seed))
    for number, wanted in enumerate(expected[: scaled(100, 1)]):
        assert next(chain).hex() == wanted, number


def test_rfc_4231_s_vectors() -> None:
    assert len(rfc_4231()) == 6
    for key, text, expected in rfc_4231():
        assert sign(make_session(key), text) == expected
        assert sign(make_session(key, text[:100]), text) == expected


@both_ways
def test_rfc_4231_s_vectors_by_each_way_to_hash(hash_blocks: Any) -> None:
    for key, text, expected in rfc_4231():
        block = (digest(hash_blocks, key) if len(key) > 64 else key).ljust(64, b"\0")
        inner = digest(hash_blocks, bytes(byte ^ 0x36 for byte in block) + text)
        outer = digest(hash_blocks, bytes(byte ^ 0x5C for byte in block) + inner)
        assert outer.hex() == expected


@compiled_only("it starts plain Python itself")
def test_rfc_4231_s_vectors_without_a_compiler() -> None:
    """Plain Python has no SHA instructions: the same signing on the portable hash."""
    program = """
from ipc.compiled import PLAIN_PYTHON
from tests.vortex.wire.test_signing import make_session, rfc_4231, sign

assert PLAIN_PYTHON
assert [sign(make_session(key), text) for key, text, _ in rfc_4231()] == [
    expected for _, _, expected in rfc_4231()
]
print("done", flush=True)
"""
    with Child("-c", program, NUMBA_DISABLE_JIT="1") as child:
        assert child.hear() == ["done"]
        assert child.wait() == 0


def test_what_does_not_fit_is_refused() -> None:
    session = np.zeros(1, dtype=SESSION.dtype)
    with pytest.raises(ValueError, match="API key"):
        fill_session(session[0], "", SECRET, 1, 1)
    with pytest.raises(ValueError, match="epoch"):
        fill_session(session[0], API_KEY, SECRET, 1, 2**16)
    with pytest.raises(ValueError, match="recv_window_ms"):
        fill_session(session[0], API_KEY, SECRET, 1, 1, 60_001)
