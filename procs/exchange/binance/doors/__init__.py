"""How requests come in and answers go out.

client       what the user data stream and a session ask of a connection
user_stream  the user data streams: who listens to which account, and the sending of what happens
             there
api_session  what a WebSocket API connection remembers: who is logged on, and which accounts it
             hears of
rest         the REST side: the same methods under their HTTP names, and a status page of our own
ws_api       webSocket API connections: requests in, replies and the accounts' events out
"""
