"""Message formats: pure functions between bytes and protos or dataclasses."""
