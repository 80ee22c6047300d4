"""Message formats, each a pure function between bytes and protos or dataclasses."""
