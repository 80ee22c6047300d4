"""Loans on declared value: applications to several banks, their offers, loans and what repays them."""
