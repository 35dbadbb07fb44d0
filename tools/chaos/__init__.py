"""Kills and stops parts of a trading engine, and audits it by the exchange's books."""
