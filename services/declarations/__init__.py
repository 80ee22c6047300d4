"""The single window's declarations: intake, receipts, eligibility, encumbrances on declared value."""
