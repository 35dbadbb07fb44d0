"""One venue a file, found by its name; what such a file must offer.

Bytes in, records out: no socket, no clock.  The compiled functions take int64 only, so that the
stages hold any venue's as one plug (``FunctionType``) of the types below.

compiled, market data (ingest)

``decode_market(payload_address, payload_bytes, catalog_address, out_address, out_count_max)``
    Write the records of one message into slots of 128 bytes; return how many, or a ``Refusal``.
    Kind, instrument and the venue's fields are set, all other fields are zero.  After a refusal
    what stands in the slots means nothing.
``decode_snapshot(payload_address, payload_bytes, instrument_address, out_address, out_count_max)``
    The same for a snapshot asked for by REST or by request.

compiled, orders (gateway)

``encode_request(request_address, instrument_address, session_address, wall_ms, request_id,
new_order_id, old_order_id, old_epoch, out_address)``
    Write the payload for one REQUEST, signed; return its bytes.  ``old_epoch`` is the life of the
    gateway that placed the old order.  ``new_order_id`` is unused for CANCEL, the old ones for
    PLACE.  The out buffer has ``REQUEST_BUFFER_BYTES``.
``encode_cancel_all(instrument_address, session_address, wall_ms, request_id, out_address)``
    Write the request that cancels all open orders of one instrument.
``encode_order_status(order_id, epoch, instrument_address, session_address, wall_ms, request_id,
out_address)``
    Write the request that asks what became of one order.
``decode_answer(payload_address, payload_bytes, catalog_address, session_address, out_address)``
    Fill one ANSWER; return 1, or a ``Refusal``.

All payloads have 64 readable bytes behind their end.

cold

``stream_path(symbols)``, ``subscribe_message(symbols, request_id)``, ``snapshot_path(symbol)``,
``exchange_info_path(symbols)``
    Where to connect, and what to ask for.
``stream_key_headers()``
    The headers of the streams' handshake in which the venue wants to see an API key; mostly none.
``read_instruments(body, symbols, source_id)``
    Return rows of the INSTRUMENT table.
``request(method, request_id, params)``, ``signed_params``, ``signed_query``, ``signing_prefix``
    Return requests that are not worth compiling, signed where they must be.
``read_account``, ``read_open_orders``, ``read_trades``, ``read_subscription``
    Return what the replies to them say.
``LIMITS``
    What the venue allows.
"""

import importlib
import pkgutil
from types import ModuleType

from numba import types

#: What a buffer for one encoded request must hold: the payload, and behind it room to sign in.
REQUEST_BUFFER_BYTES = 4096

_INT = types.int64
DECODE_MARKET = _INT(_INT, _INT, _INT, _INT, _INT)
DECODE_SNAPSHOT = _INT(_INT, _INT, _INT, _INT, _INT)
ENCODE_REQUEST = _INT(_INT, _INT, _INT, _INT, _INT, _INT, _INT, _INT, _INT)
ENCODE_CANCEL_ALL = _INT(_INT, _INT, _INT, _INT, _INT)
ENCODE_ORDER_STATUS = _INT(_INT, _INT, _INT, _INT, _INT, _INT, _INT)
DECODE_ANSWER = _INT(_INT, _INT, _INT, _INT, _INT)


def available() -> list[str]:
    """Return the names of all venues, in order: the files here that begin with a letter."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def load(name: str) -> ModuleType:
    """Return the venue's module.

    Raises
    ------
    ValueError
        When there is no such venue.
    """
    if name not in available():
        raise ValueError(f"no venue {name!r}: write one of {', '.join(available())}")
    return importlib.import_module(f"{__name__}.{name}")
