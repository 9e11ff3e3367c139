"""Regions, blueprints, plans, deployments and inventory over HTTP."""

from control_plane.provisioning.api.blueprints import blueprints
from control_plane.provisioning.api.deployments import deployments
from control_plane.provisioning.api.regions import regions

apis = (regions, blueprints, deployments)
