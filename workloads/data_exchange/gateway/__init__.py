"""The gateway: lets through what an agreement allows, and nothing without a receipt."""
