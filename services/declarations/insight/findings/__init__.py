"""Trade checks: what looks unusual in a declaration or among an enterprise's parties."""
