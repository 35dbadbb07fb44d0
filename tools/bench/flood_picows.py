"""picows, receiving what ``flood`` sends and doing nothing with it: the rate of a bare WebSocket.

The client runs in a process of its own on the engine's CPU, on asyncio; it counts frames and bytes.
"""

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from picows import WSFrame, WSListener, WSTransport, ws_connect

from ipc.memory import address_of
from ipc.sockets import new_receiver
from tools.bench import flood_loops as loops
from tools.bench.engine_run import engine_cpu, house_cpu, pinned
from tools.bench.flood_market import Flood
from tools.bench.frames import ROOT
from tools.bench.wire_venue import Side, server_context

WAIT_S = 30.0


class Counting(WSListener):
    """Counts what comes."""

    def __init__(self) -> None:
        self.frame_count = self.byte_count = 0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count one frame."""
        self.frame_count += 1
        self.byte_count += frame.payload_size


async def receive(url: str, ca_path: str | None) -> Counting:
    """Count frames until the peer hangs up."""
    context = ssl.create_default_context(cafile=ca_path) if ca_path else None
    transport, listener = await ws_connect(Counting, url, ssl_context=context)
    assert isinstance(listener, Counting)
    await transport.wait_disconnected()
    return listener


def measure(flood: Flood, seconds: float, *, has_tls: bool) -> dict[str, Any]:
    """Flood a client in a process of its own; return its rates."""
    sender, receiver = np.zeros(1, loops.SENDER_DTYPE), new_receiver()
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WAIT_S)
        ca_path = Path(folder) / "authority.pem"
        context = server_context(ca_path) if has_tls else None
        url = f"ws{'s' if has_tls else ''}://127.0.0.1:{server.getsockname()[1]}/stream"
        command = [sys.executable, "-m", "tools.bench.flood_picows", url, str(ca_path)]
        client = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8")
        try:
            os.sched_setaffinity(client.pid, {engine_cpu()})
            side = Side(server.accept()[0], context)
            side.accept()
            side.socket.setblocking(False)
            record = sender[0]
            record["fd"], record["tls_address"] = side.socket.fileno(), side.tls_address
            record["receiver_address"] = address_of(receiver)
            record["sites_address"] = address_of(flood.sites)
            record["chunks_address"] = address_of(flood.chunks)
            record["chunk_count"] = len(flood.chunks)
            pass_count = 0
            with pinned(house_cpu()):
                begun = time.monotonic()
                while pass_count < 2 or time.monotonic() - begun < seconds:
                    assert loops.send_pass(address_of(sender), pass_count * flood.ids_a_pass)
                    pass_count += 1
                side.socket.close()
                output, _ = client.communicate(timeout=WAIT_S)
                took_s = time.monotonic() - begun
        finally:
            client.kill()
            client.wait()
    counted = json.loads(output)
    assert counted["frame_count"] == pass_count * flood.frame_count, "picows lost frames"
    return {
        "seconds": took_s,
        "mb_per_s": pass_count * flood.bytes / took_s / 1e6,
        "m_messages_per_s": counted["frame_count"] / took_s / 1e6,
    }


def main() -> None:
    """Receive what the address in the arguments sends, and print how much it was."""
    url, ca_path = sys.argv[1:]
    counted = asyncio.run(receive(url, ca_path if url.startswith("wss") else None))
    print(json.dumps({"frame_count": counted.frame_count, "bytes": counted.byte_count}))


if __name__ == "__main__":
    main()
