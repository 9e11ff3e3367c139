"""Agreements as policies: ODRL 2.2, checked as a whole, written and read in one profile."""
