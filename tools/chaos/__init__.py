"""Kills and stops parts of a trading engine, and audits what the exchange saw of it."""
