"""Policies: what the city holds its deployments to, packs of them, and waivers."""
