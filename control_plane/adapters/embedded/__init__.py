"""The embedded engine: blueprint programs in a region that is simulated in PostgreSQL."""
