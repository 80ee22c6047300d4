"""Declarations as flat rows and as files."""
