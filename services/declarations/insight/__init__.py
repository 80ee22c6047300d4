"""Derives totals, price norms, findings and portraits from declarations, and answers questions about them."""
