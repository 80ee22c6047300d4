"""Dated tables: calendars, rates, tariffs, code tables, in versions that each store holds; the newest is in force."""
