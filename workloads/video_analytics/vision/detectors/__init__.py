"""What judges the rules of a camera: one class a kind, found by ``make``."""
