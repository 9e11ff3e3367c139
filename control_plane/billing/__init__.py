"""Billing: prices, charges and statements, walked back line by line to the approval."""
