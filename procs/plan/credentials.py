"""The keys of the accounts: where they come from, and how they stay secret.

A single account's key is in ``VORTEX_API_KEY`` and ``VORTEX_API_SECRET``, that of the account NAME
of several in ``VORTEX_API_KEY_NAME`` and ``VORTEX_API_SECRET_NAME``: in the environment, or in the
file that the account's ``secrets`` names, where the plain names do as well.  A process that plays a
gateway finds the key of its own account alone, in the plain names.

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
    from procs.plan.config import AccountConfig, Config

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


def present_variables() -> list[str]:
    """Return the variables of this process's environment that hold a key, of any account."""
    return [name for name in os.environ if name.startswith(VARIABLES)]


def forget_credentials() -> None:
    """Remove the keys from this process's environment."""
    for name in present_variables():
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


def own_credentials() -> Credentials:
    """Return the key of the one account that this process sends orders for.

    Raises
    ------
    ConfigError
        When it was not given to this process.
    """
    key, secret = os.environ.get(KEY_VARIABLE), os.environ.get(SECRET_VARIABLE)
    if not key or not secret:
        raise ConfigError(f"no key: set {KEY_VARIABLE} and {SECRET_VARIABLE}")
    return Credentials(key, secret.encode())


def variables_of(config: "Config", account: "AccountConfig") -> tuple[str, str]:
    """Return the variables that hold an account's key and secret."""
    if len(config.accounts) == 1:
        return KEY_VARIABLE, SECRET_VARIABLE
    suffix = "_" + account.name.upper().replace("-", "_")
    return KEY_VARIABLE + suffix, SECRET_VARIABLE + suffix


def credentials(config: "Config") -> dict[str, Credentials]:
    """Return the key and secret of each account by its name.

    Raises
    ------
    ConfigError
        When one has none, or when other users may read its file.
    """
    return {account.name: credentials_of(config, account) for account in config.accounts}


def credentials_of(config: "Config", account: "AccountConfig") -> Credentials:
    """Return one account's key and secret, from the environment or from its file.

    Raises
    ------
    ConfigError
        When there is none, or when other users may read the file.
    """
    where = f"`$.accounts[{config.accounts.index(account)}].secrets`"
    names = variables_of(config, account)
    key, secret = (os.environ.get(name) for name in names)
    if key and secret:
        return Credentials(key, secret.encode(), os.environ.get(STREAM_KEY_VARIABLE, ""))
    if account.secrets is None:
        raise ConfigError(f"no key: set {names[0]} and {names[1]}, or name a file in {where}")
    path = Path(account.secrets)
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{where}: cannot read {path}: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"{where}: other users may read {path}; chmod 600 {path}")
    pairs = {name: value.strip() for name, value in _PAIR.findall(text)}
    key = pairs.get(names[0]) or pairs.get(KEY_VARIABLE)
    secret = pairs.get(names[1]) or pairs.get(SECRET_VARIABLE)
    if not key or not secret:
        raise ConfigError(f"{path} must hold {names[0]}=... and {names[1]}=...")
    return Credentials(key, secret.encode(), pairs.get(STREAM_KEY_VARIABLE, ""))
