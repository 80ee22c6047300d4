"""Totals by month, direction, trade mode, country and HS chapter, and what has changed of them."""
