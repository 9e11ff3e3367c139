"""Agreements: versions, signatures of both sides, revocation, and what gateways read of them."""
