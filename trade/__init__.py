"""Pure rules and dated data of the trade that all services share, without methods or rows."""
