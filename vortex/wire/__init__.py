"""Bytes as compiled code reads and writes them.

signers    signs requests outside the hot path: HMAC, Ed25519 or RSA, by the kind of the key
words      eight bytes at once: arithmetic on words that holds several characters
scan       compiled readers of JSON bytes: exact, in any key order, without a tree
sha256     SHA-256 of whole blocks, with the processor's SHA instructions if it has them
text       compiled writers of ASCII bytes at an address
signing    HMAC-SHA256 of a request's text, in compiled code
utf8       whether bytes are UTF-8; nearly free for ASCII
websocket  webSocket frames of a client as pure bytes: no socket, no needless copy
wide       sixty-four characters at once: the places of the quotes, and two decimals
"""
