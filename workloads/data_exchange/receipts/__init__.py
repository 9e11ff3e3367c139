"""Receipts: what was asked, what was handed out and on which terms, chained and provable."""
