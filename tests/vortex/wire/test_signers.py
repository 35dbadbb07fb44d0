"""Signatures of cold requests, verified by the public half or by hmac."""

import base64
import hmac
from urllib.parse import parse_qsl

import numpy as np
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from vortex.venues._binance import account
from vortex.wire.signers import signer_of

TEXT = b"apiKey=k&symbol=BTCUSDT&timestamp=1"


def pem_of(key: object) -> bytes:
    """Return a private key as a file has it."""
    text: bytes = key.private_bytes(  # type: ignore[attr-defined]
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return text


def test_any_other_text_is_the_secret_of_an_hmac_key() -> None:
    signer = signer_of(b"a secret")
    assert signer.sign(TEXT) == hmac.new(b"a secret", TEXT, "sha256").hexdigest()
    assert signer.hot_secret == b"a secret"
    assert not signer.may_log_on


@pytest.mark.parametrize("written_out", [False, True])
def test_an_ed25519_key_signs_and_may_log_on(written_out: bool) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    pem = pem_of(key)
    signer = signer_of(pem.replace(b"\n", b"\\n") if written_out else pem)
    key.public_key().verify(base64.b64decode(signer.sign(TEXT)), TEXT)
    with pytest.raises(InvalidSignature):
        key.public_key().verify(base64.b64decode(signer.sign(TEXT)), TEXT + b"0")
    assert signer.may_log_on
    assert signer.hot_secret is None
    session = account.new_session("k", signer, 1, 1, 5000)
    assert session["is_logged_on"].tolist() == [1]
    assert not np.frombuffer(session.tobytes(), np.uint8)[: len(pem)].tobytes().count(pem[:40])


def test_an_rsa_key_signs_rest_queries_and_is_refused_for_orders() -> None:
    key = rsa.generate_private_key(65537, 2048)
    signer = signer_of(pem_of(key))
    query = account.signed_query({"symbol": "BTCUSDT", "timestamp": 1}, signer)
    signed, _, _ = query.rpartition("&signature=")
    signature = dict(parse_qsl(query))["signature"]
    key.public_key().verify(
        base64.b64decode(signature, validate=True), signed.encode(), padding.PKCS1v15(), SHA256()
    )
    with pytest.raises(ValueError, match="HMAC or Ed25519"):
        account.new_session("k", signer, 1, 1, 5000)


def test_keys_that_the_venue_does_not_take_are_refused() -> None:
    with pytest.raises(ValueError, match="neither Ed25519 nor RSA"):
        signer_of(pem_of(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(ValueError, match="is not one"):
        signer_of(b"-----BEGIN " + b"PRIVATE KEY-----\nnothing\n")
