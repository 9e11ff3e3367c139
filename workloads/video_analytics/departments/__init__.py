"""The tree of departments that cameras, rules and people belong to."""
