"""Workload identity: a pipeline's own OIDC token becomes a short-lived token of the platform."""
