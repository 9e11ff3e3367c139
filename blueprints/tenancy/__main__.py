"""A tenancy: a department's own, bounded place in a region."""

import cloud
import cluster
from platform_context import Context

context = Context()
wanted = [k for k in context.inputs["platforms"] if k in context.region["kinds"]]
if not wanted:
    raise ValueError(
        f"the region has {', '.join(context.region['kinds'])}, "
        f"and the tenancy is wanted on {', '.join(context.inputs['platforms'])}"
    )
if "openstack" in wanted:
    cloud.declare(context)
if "kubernetes" in wanted:
    cluster.declare(context)
