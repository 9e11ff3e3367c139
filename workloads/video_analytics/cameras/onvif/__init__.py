"""ONVIF: finding devices, and asking them for what a camera of the registry needs."""
