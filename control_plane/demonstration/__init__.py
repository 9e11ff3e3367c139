"""The demonstration city: synthetic data files, their values, and cities as large as real ones."""

from control_plane.demonstration.files import load_city
from control_plane.demonstration.model import City

__all__ = ["City", "load_city"]
