"""How a product that was ordered from a platform tells it what was used."""
