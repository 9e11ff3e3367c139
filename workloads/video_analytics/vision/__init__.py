"""Seeing: frames in, what was noticed out. No database, no network, no clock of its own."""
