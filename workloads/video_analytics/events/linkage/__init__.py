"""Linkage: an event starts actions elsewhere, by rules that are data; and incidents."""
