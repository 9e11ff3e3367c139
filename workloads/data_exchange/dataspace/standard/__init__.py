"""The JSON-LD contexts and JSON Schemas of the Dataspace Protocol 2025-1, as they are published."""
