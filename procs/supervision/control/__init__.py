"""Commands to a supervisor, and its progress reports.

control_socket  commands to a running supervisor: one request and one answer over a Unix socket
progress        progress reports to ``vortexctl start`` and to systemd
"""
