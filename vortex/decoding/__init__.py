"""The parts that every decoder shares.

market_writers  writes market records from values that are already checked
tick_division   divides decimals in 1e-8 into ticks and lots, exactly or not at all
instruments     reads a venue's reference data into rows that fit 63 bits; finds them by symbol
levels          reads JSON levels, ``[["price","quantity"],...]``, into LEVELS records
"""
