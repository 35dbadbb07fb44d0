"""Signs requests outside the hot path: HMAC, Ed25519 or RSA, by the kind of the key.

The secret of an HMAC key is a text.  The secret of the others is a private key in PEM, in which
line ends may be written as a backslash and an n, as in environment files.

*Source:* Binance Spot API documentation, "Request security": HMAC-SHA256 in hexadecimal; Ed25519
and RSA (PKCS #1 v1.5 over SHA-256) in base64.  ``cryptography`` does the mathematics.
"""

import base64
import hmac
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

PEM_HEAD = b"-----BEGIN "


class Signer(Protocol):
    """One key.  ``may_log_on``: it can log a connection on, which then needs no signatures.

    ``hot_secret`` is the secret with which compiled code signs orders; None when it cannot.
    """

    may_log_on: bool
    hot_secret: bytes | None

    def sign(self, text: bytes) -> str:
        """Return the signature of ``text`` in the venue's form."""


class HmacSigner:
    """HMAC-SHA256: the kind of signature that compiled code makes too."""

    may_log_on = False

    def __init__(self, secret: bytes) -> None:
        self.hot_secret: bytes | None = secret

    def sign(self, text: bytes) -> str:
        """Return 64 hexadecimal digits."""
        assert self.hot_secret is not None
        return hmac.new(self.hot_secret, text, "sha256").hexdigest()


class Ed25519Signer:
    """Ed25519: signs the logon of a connection."""

    may_log_on = True
    hot_secret: bytes | None = None

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, text: bytes) -> str:
        """Return base64."""
        return base64.b64encode(self._key.sign(text)).decode()


class RsaSigner:
    """RSA: signs requests one by one, too slowly for orders."""

    may_log_on = False
    hot_secret: bytes | None = None

    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key

    def sign(self, text: bytes) -> str:
        """Return base64."""
        return base64.b64encode(self._key.sign(text, PKCS1v15(), SHA256())).decode()


def signer_of(secret: bytes) -> Signer:
    """Return the signer for a secret.

    Raises
    ------
    ValueError
        When it is a PEM of another kind, or is unreadable.
    """
    if not secret.startswith(PEM_HEAD):
        return HmacSigner(secret)
    try:
        key = load_pem_private_key(secret.replace(b"\\n", b"\n"), password=None)
    except (ValueError, TypeError) as error:
        raise ValueError("the secret looks like a private key in PEM but is not one") from error
    if isinstance(key, Ed25519PrivateKey):
        return Ed25519Signer(key)
    if isinstance(key, RSAPrivateKey):
        return RsaSigner(key)
    raise ValueError("the private key is neither Ed25519 nor RSA: the venue accepts only these")
