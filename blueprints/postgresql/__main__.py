"""PostgreSQL: a primary, a replica if wanted, users with credentials, and backups."""

import cloudnative
import pulumi
import server
from certificate import pair
from kube import Cluster
from people import People
from platform_context import Context

context = Context()
cluster = Cluster(context)
people = People(context)
if cluster.facts.get("cloudnativepg"):
    place = cloudnative.declare(cluster, people)
else:
    names = [cluster.named(), cluster.named("read")]
    inside = f"{cluster.namespace}.svc"
    hosts = [form for n in names for form in (f"{n}.{inside}", f"{n}.{cluster.namespace}", n)]
    place = server.declare(cluster, people, pair(context, hosts))

pulumi.export("host", place.host)
pulumi.export("port", server.PORT)
if place.read_host:
    pulumi.export("read_host", place.read_host)
pulumi.export("databases", context.inputs["databases"])
pulumi.export("namespace", cluster.namespace)
pulumi.export("kept_by", place.kept_by)
pulumi.export("admin_user", server.ADMINISTRATOR)
pulumi.export("admin_password", context.derive("superuser"))
if place.authority is not None:
    pulumi.export("ca_certificate", place.authority)
pulumi.export("user_credentials", people.document(place.host, place.read_host))
