"""Blobs: documents of an owner, sealed in parts, known by the SHA-256 of their content."""
