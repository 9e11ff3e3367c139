"""The citizen ledger: who asked what about me, when, and on which basis."""
