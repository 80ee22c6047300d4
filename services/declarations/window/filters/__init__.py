"""Filters of declarations, given or saved."""
