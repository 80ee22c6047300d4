"""Cross-border e-commerce: orders, waybills, payments and how they agree; lists, summaries, sales."""
