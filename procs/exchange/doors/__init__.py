"""What every dialect's doors have in common: connections, the log, the side door.

request_log        a log of the requests that reached the exchange: one JSON line each, as they came
json_answers       answers with a JSON body over HTTP
web_frames         frames of the WebSocket as a server sends them, and how many of them
client_connection  one WebSocket client: pings, pongs, message assembly, and what gets it
                   disconnected
side_door          the exchange's own side door: faults on demand, and the books for an audit
"""
