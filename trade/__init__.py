"""Rules and dated data of the trade that all services share: pure, without methods or rows."""
