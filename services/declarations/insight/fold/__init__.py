"""Follows the service's own log: every declaration is counted exactly once, as it is now."""
