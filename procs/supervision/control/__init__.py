"""How commands reach a supervisor, and how it reports progress.

control_socket  how commands reach a running supervisor: one request and one answer over a Unix
                socket
progress        who hears how the supervisor fares: the command that started it, and the service
                manager
"""
