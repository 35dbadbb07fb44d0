"""Processes: what is started, wired, pinned and stopped.

exchange     a local exchange that speaks Binance Spot's protocol
"""
