"""A web application: servers or containers, storage, and one address in front of them."""

import cloud
import cluster
from platform_context import Context

context = Context()
platform = context.inputs["platform"]
if platform not in context.region["kinds"]:
    raise ValueError(f"the region has {', '.join(context.region['kinds'])}, and not {platform}")
if platform == "openstack":
    cloud.declare(context)
else:
    cluster.declare(context)
