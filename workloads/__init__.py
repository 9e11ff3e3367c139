"""Bundled workloads: products of their own, clients of the control plane by HTTP alone."""
