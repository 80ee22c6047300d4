"""Totals by month, direction, trade mode, country and HS chapter, and their changes."""
