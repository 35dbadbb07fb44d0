"""Bytes as compiled code reads and writes them: JSON, numbers, WebSocket frames, signatures."""
