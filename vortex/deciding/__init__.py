"""What a strategy file is held to, and what it may call.

contract  what a strategy file must hold, and what it is handed
signals   what strategies like to know of a touch: small functions, and the only floats on the way
"""
