"""What all services share of the trade: pure rules and dated data, without methods or rows."""
