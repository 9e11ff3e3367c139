"""Rules as data with versions: what is looked for where, and the permits that allow it."""
