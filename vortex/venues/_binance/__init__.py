"""What the two Binance Spot venues share: decoders, encoders, the account, reference data."""
