"""The tree of agencies that publish and use data, each on a level of government."""
