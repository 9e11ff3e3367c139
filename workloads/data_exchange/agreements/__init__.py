"""Requests for data, the agreements that they become, and the terms that are enforced."""
