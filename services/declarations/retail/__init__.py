"""Cross-border e-commerce: orders, waybills, payments, lists, summaries, sales."""
