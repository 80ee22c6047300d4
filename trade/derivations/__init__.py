"""Derivations: how amounts, dates, rates and counts came about, as trees of rules that anybody can compute again."""
