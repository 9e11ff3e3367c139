"""Grants: short-lived, bound to a key, for a machine that calls under an agreement."""
