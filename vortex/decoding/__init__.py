"""What every decoder needs.

market_writers  market records from values that are already checked: what all venues' decoders
                write
tick_division   from decimals in 1e-8 to an instrument's ticks and lots, exactly or not at all
instruments     instruments: what a venue says of them, as rows that fit 63 bits, and the catalog
                by symbol
levels          from JSON levels, ``[["price","quantity"],...]``, to LEVELS records
"""
