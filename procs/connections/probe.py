"""Round-trip times to the addresses of a venue: the nearest one first.

A TCP connection opens when the answer to its first packet arrives: one round trip.  A TLS handshake
takes one more (TLS 1.3) and the work of both sides.  The tries alternate between the addresses, so
that a change of the network affects all of them alike.
"""

import math
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from OpenSSL import SSL

from ipc.histogram import SAMPLES_BEYOND_MIN
from procs.connections.tls_handshake import client_context, make_handshake

SCHEMA = 1
TLS_PORT = 443
TLS_SCHEMES = ("https", "wss")
PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}
PERCENTILES = {"p50": 0.50, "p90": 0.90}


class WrongTarget(ValueError):
    """The text does not name a host and a port; the message says why."""


@dataclass(frozen=True, order=True)
class Target:
    """A host and port to probe, with or without TLS."""

    host: str
    port: int
    uses_tls: bool

    @property
    def name(self) -> str:
        """Its name in the report."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass
class Address:
    """One address of a target, and the results of its tries."""

    target: Target
    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]
    connect_ns: list[int] = field(default_factory=list)
    tls_ns: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def ip(self) -> str:
        """The IP address."""
        return str(self.sockaddr[0])


def target_of(text: str) -> Target:
    """Return the target of ``HOST``, ``HOST:PORT``, ``[V6]:PORT`` or a URL; the default is 443.

    TLS is probed when the scheme demands it, or without a scheme on port 443.

    Raises
    ------
    WrongTarget
        When it names no host, or no port.
    """
    has_scheme = "://" in text
    try:
        parts = urlsplit(text if has_scheme else f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise WrongTarget(f"{text!r}: {error}") from error
    if has_scheme and parts.scheme not in PORTS:
        raise WrongTarget(f"{text!r}: the scheme must be one of {', '.join(sorted(PORTS))}")
    if not host:
        raise WrongTarget(f"{text!r} names no host")
    if port == 0:
        raise WrongTarget(f"{text!r}: 0 is no port")
    port = port or PORTS.get(parts.scheme, TLS_PORT)
    return Target(host, port, parts.scheme in TLS_SCHEMES if has_scheme else port == TLS_PORT)


def targets_of(texts: Iterable[str]) -> list[Target]:
    """Return each target once, in order.

    Raises
    ------
    WrongTarget
        When one of them is not a target.
    """
    return list(dict.fromkeys(map(target_of, texts)))


def resolve(target: Target) -> list[Address]:
    """Return every address of a target.

    Raises
    ------
    OSError
        When its name does not resolve.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{target.host!r} cannot be a host's name") from error
    unique = dict.fromkeys((family, sockaddr) for family, _, _, _, sockaddr in found)
    return [Address(target, family, sockaddr) for family, sockaddr in unique]


def try_once(address: Address, context: SSL.Context, timeout_s: float) -> None:
    """Connect once; note the duration, or the reason of the failure."""
    plain = socket.socket(address.family, socket.SOCK_STREAM)
    plain.settimeout(timeout_s)
    try:
        begin_ns = time.perf_counter_ns()
        plain.connect(address.sockaddr)
        connected_ns = time.perf_counter_ns()
        address.connect_ns.append(connected_ns - begin_ns)
        if address.target.uses_tls:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            make_handshake(plain, address.target.host, context)
            address.tls_ns.append(time.perf_counter_ns() - connected_ns)
    except OSError as error:
        address.errors.append(error.strerror or str(error))
    finally:
        plain.close()


def probe(
    addresses: Sequence[Address], count: int, timeout_s: float, pause_s: float, ca_file: str | None
) -> None:
    """Try every address ``count`` times, in rounds.

    Raises
    ------
    OSError
        When the file of authorities is unreadable.
    """
    context = client_context(ca_file)
    for turn in range(count):
        if turn:
            time.sleep(pause_s)
        for address in addresses:
            try_once(address, context, timeout_s)


def percentiles(values_ns: Sequence[int]) -> dict[str, int | None]:
    """Return count, minimum, percentiles and maximum; None where the sample is too small."""
    ordered = sorted(values_ns)
    result: dict[str, int | None] = {"count": len(ordered), "min": ordered[0] if ordered else None}
    for name, fraction in PERCENTILES.items():
        is_carried = len(ordered) * (1.0 - fraction) >= SAMPLES_BEYOND_MIN - 1e-9
        rank = max(1, math.ceil(len(ordered) * fraction - 1e-9))
        result[name] = ordered[rank - 1] if is_carried else None
    result["max"] = ordered[-1] if ordered else None
    return result


def distance_ns(address: Address) -> float:
    """Return the median time to connect, for ranking; infinite without a connection."""
    ordered = sorted(address.connect_ns)
    return ordered[(len(ordered) - 1) // 2] if ordered else math.inf


def report(addresses: Sequence[Address], unknown: dict[str, str]) -> dict[str, Any]:
    """Return the measurements, the nearest address first."""
    ordered = sorted(addresses, key=distance_ns)
    reached = [address for address in ordered if address.connect_ns]
    return {
        "schema": SCHEMA,
        "nearest": (
            {"target": reached[0].target.name, "address": reached[0].ip} if reached else None
        ),
        "addresses": [
            {
                "target": address.target.name,
                "address": address.ip,
                "connect_ns": percentiles(address.connect_ns),
                "tls_ns": percentiles(address.tls_ns) if address.target.uses_tls else None,
                "errors": len(address.errors),
                "last_error": address.errors[-1] if address.errors else None,
            }
            for address in ordered
        ],
        "unknown": unknown,
    }


def milliseconds(value_ns: int | None) -> str:
    """Return a duration for people."""
    return "-" if value_ns is None else f"{value_ns / 1e6:.2f}"


def lines(facts: dict[str, Any]) -> list[str]:
    """Return a report for people, 60 columns wide."""
    rows = []
    if facts["addresses"]:
        heads = "".join(f"{name:>9}" for name in ("least", "p50", "p90", "most"))
        rows.append(f"{'ms':<17}{'tries':>6}{heads}")
    for row in facts["addresses"]:
        rows.append(f"{row['target']}  {row['address']}")
        for name in ("connect", "tls"):
            values = row[f"{name}_ns"]
            if values is None:
                continue
            cells = "".join(
                f"{milliseconds(values[each]):>9}" for each in ("min", "p50", "p90", "max")
            )
            rows.append(f"  {name:<15}{values['count']:>6}{cells}")
        if row["errors"]:
            rows.append(f"  {row['errors']} failed: {row['last_error']}")
    rows += [f"{name}: {reason}" for name, reason in facts["unknown"].items()]
    nearest = facts["nearest"]
    if nearest is None:
        return [*rows, "none could be reached"]
    return [*rows, "nearest:", f"{nearest['target']}  {nearest['address']}"]
