"""The key of the venue's account: where it comes from, and how it stays secret.

It imports nothing heavy: the first process to start must know which variables to hide.
"""

import os
import re
import resource
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from procs.plan.errors import ConfigError

if TYPE_CHECKING:
    from procs.plan.config import Config

KEY_VARIABLE = "VORTEX_API_KEY"
SECRET_VARIABLE = "VORTEX_API_SECRET"
#: For market streams that need a key, if it differs from the orders' key: it signs nothing.
STREAM_KEY_VARIABLE = "VORTEX_STREAM_KEY"
#: A line NAME=VALUE; a key in PEM continues to its last line.
_PAIR = re.compile(
    r"^[ \t]*(\w+)[ \t]*=[ \t]*((?s:-----BEGIN.*?-----END [^\n]*)|[^\n]*)", re.MULTILINE
)
VARIABLES = (KEY_VARIABLE, SECRET_VARIABLE, STREAM_KEY_VARIABLE)


class Credentials(msgspec.Struct, frozen=True):
    """A key and its secret, and the key for market streams; never written anywhere."""

    key: str
    secret: bytes
    stream_key: str = ""

    def __repr__(self) -> str:
        return "Credentials(...)"

    def variables(self, *, for_orders: bool, for_streams: bool) -> dict[str, str]:
        """Return the environment variables of a process: the secret only for the gateway."""
        found: dict[str, str] = {}
        if for_orders:
            found |= {KEY_VARIABLE: self.key, SECRET_VARIABLE: self.secret.decode()}
        if for_streams:
            found[STREAM_KEY_VARIABLE] = self.stream_key or self.key
        return found


def leave_no_core() -> None:
    """Disable core dumps of this process: it holds a secret."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def forget_credentials() -> None:
    """Remove the keys from this process's environment."""
    for name in VARIABLES:
        os.environ.pop(name, None)


def stream_key() -> str:
    """Return the key for market streams, from the environment.

    Raises
    ------
    ConfigError
        When there is none.
    """
    key = os.environ.get(STREAM_KEY_VARIABLE)
    if not key:
        raise ConfigError(f"the venue's streams need a key: set {STREAM_KEY_VARIABLE}")
    return key


def credentials(config: "Config") -> Credentials:
    """Return the key and secret from the environment or the secrets file.

    Raises
    ------
    ConfigError
        When there is none, or when other users may read the file.
    """
    key, secret = os.environ.get(KEY_VARIABLE), os.environ.get(SECRET_VARIABLE)
    if key and secret:
        return Credentials(key, secret.encode(), os.environ.get(STREAM_KEY_VARIABLE, ""))
    if config.secrets is None:
        raise ConfigError(
            f"no key: set {KEY_VARIABLE} and {SECRET_VARIABLE}, or name a file in `$.secrets.file`"
        )
    path = Path(config.secrets.file)
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"`$.secrets.file`: cannot read {path}: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"`$.secrets.file`: other users may read {path}; chmod 600 {path}")
    pairs = dict(_PAIR.findall(text))
    if not pairs.get(KEY_VARIABLE) or not pairs.get(SECRET_VARIABLE):
        raise ConfigError(f"{path} must hold {KEY_VARIABLE}=... and {SECRET_VARIABLE}=...")
    return Credentials(
        pairs[KEY_VARIABLE].strip(),
        pairs[SECRET_VARIABLE].strip().encode(),
        pairs.get(STREAM_KEY_VARIABLE, "").strip(),
    )
