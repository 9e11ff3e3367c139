"""Checks, not rows: several registries are asked about one applicant, and only a verdict stays."""
