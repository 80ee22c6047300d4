"""The end of policies and buyer limits: with the end of the last day of their period."""
