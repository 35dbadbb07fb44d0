"""What every decoder needs: divisions by tick and lot, levels, market records, instruments."""
