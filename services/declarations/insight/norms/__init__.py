"""Price norms by commodity, unit and currency."""
