"""Borough's control plane: what the city runs."""
