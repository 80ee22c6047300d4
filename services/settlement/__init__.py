"""Settlement: payments, their messages and the rates they use."""
