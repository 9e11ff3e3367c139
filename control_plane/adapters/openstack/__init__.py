"""OpenStack, asked by the platform itself. See README.md."""
