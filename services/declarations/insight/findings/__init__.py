"""Trade checks: they find unusual declarations and parties of an enterprise."""
