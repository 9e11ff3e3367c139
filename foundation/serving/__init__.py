"""Processes that serve a product: the WSGI application, its server, logs, health and metrics."""
