"""What is derived from declarations: totals, price norms, findings, portraits; and what is asked of them."""
