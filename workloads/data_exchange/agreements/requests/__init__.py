"""Requests for access, from the first word to an agreement or a refusal."""
