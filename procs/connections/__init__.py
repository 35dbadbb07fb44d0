"""One connection to a venue: its handshake, its bytes, its upkeep.

connection     one WebSocket connection as compiled code sees it: buffers in, buffers out
http           requests over HTTP from the cold side: reference data, snapshots, the start of the
               gateway
tls_handshake  TLS handshakes over memory BIOs: what is behind them compiled code can take over
handshake      opening handshakes: websocket-client connects, compiled code then owns the
               descriptor
probe          round-trip times to the addresses of a venue: which is nearest to this machine
upkeep         what a connection needs while it lives: pings when it is silent, and a successor in
               time
"""
