"""Events under an agreement: published once, handed out in order, at least once."""
