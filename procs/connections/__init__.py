"""One connection to a venue: its handshake, its bytes, its upkeep.

connection     one WebSocket connection for compiled code: buffers in, buffers out
http           cold requests over HTTP: reference data, snapshots, the start of the gateway
tls_handshake  TLS handshakes over memory BIOs, which compiled code then takes over
handshake      opening handshakes: websocket-client connects, then compiled code owns the socket
probe          round-trip times to the addresses of a venue: the nearest one first
upkeep         keeps a connection alive: pings on silence, and a successor before it expires
"""
