"""ISO 20022 messages, each a pure pair of parse and build."""
