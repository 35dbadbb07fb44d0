"""One binary WebSocket frame: a JSON header, then raw little-endian arrays.

::

    | header bytes, u32 | JSON header, padded with spaces to a multiple of 8 | arrays ... |

The header's ``arrays`` gives for each array its name, kind (f8, f4, u4), rows, width and offset in
bytes from the end of the header, a multiple of 8, so that a browser can lay typed arrays over it.
"""

import struct
from typing import Any

import msgspec
import numpy as np

_SIZE = struct.Struct("<I")
ALIGN_BYTES = 8
KINDS = {"f8": "<f8", "f4": "<f4", "u4": "<u4"}


def padded(data: bytes, filler: bytes) -> bytes:
    """Return ``data`` filled up to a multiple of ``ALIGN_BYTES``."""
    return data + filler * (-len(data) % ALIGN_BYTES)


def encode(header: dict[str, Any], arrays: dict[str, "np.ndarray[Any, Any]"]) -> bytes:
    """Return one frame; each array has the shape (rows, width) and one of ``KINDS``."""
    blocks, entries, offset_bytes = [], [], 0
    for name, array in arrays.items():
        kind = array.dtype.str.lstrip("<>=|")
        block = padded(np.ascontiguousarray(array, KINDS[kind]).tobytes(), b"\0")
        rows, width = array.shape
        entries.append(
            {"name": name, "kind": kind, "rows": rows, "width": width, "offset": offset_bytes}
        )
        blocks.append(block)
        offset_bytes += len(block)
    text = msgspec.json.encode({**header, "arrays": entries})
    # The size comes before the header, so the header is padded to end on a multiple of 8.
    text += b" " * (-(len(text) + _SIZE.size) % ALIGN_BYTES)
    return b"".join([_SIZE.pack(len(text)), text, *blocks])


def decode(frame: bytes) -> tuple[dict[str, Any], dict[str, "np.ndarray[Any, Any]"]]:
    """Return header and arrays of one frame: what the browser does, for tests and programs.

    Raises
    ------
    ValueError
        When it is not such a frame.
    """
    if len(frame) < _SIZE.size:
        raise ValueError("a frame begins with the size of its header")
    (header_bytes,) = _SIZE.unpack_from(frame)
    body = memoryview(frame)[_SIZE.size + header_bytes :]
    try:
        header = msgspec.json.decode(frame[_SIZE.size : _SIZE.size + header_bytes])
        arrays = {
            each["name"]: np.frombuffer(
                body, KINDS[each["kind"]], each["rows"] * each["width"], each["offset"]
            ).reshape(each["rows"], each["width"])
            for each in header["arrays"]
        }
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise ValueError(f"not a frame: {error}") from error
    return header, arrays
