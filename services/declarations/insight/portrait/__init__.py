"""Risk portraits of enterprises, factor by factor."""
