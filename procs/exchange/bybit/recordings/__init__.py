"""A market made from a recording of the venue's public topics.

recorded_messages  the messages of a recording on disk, and a first look at them
recorded_book      one recorded book, which can be sent whole to those who come later
recorded_feed      one recorded symbol: its topics, its book, its ticker
message_player     plays a recording: messages go out as they were, our orders rest beside them
"""
