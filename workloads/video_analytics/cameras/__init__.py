"""The registry of cameras: sources, credentials, groups, ONVIF, health; who may see which."""
