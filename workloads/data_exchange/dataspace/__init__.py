"""The Dataspace Protocol 2025-1: catalogue, contract negotiation and transfer process."""
