"""A cache of the Redis protocol, a message queue of the NATS protocol, or both."""

import pulumi
from cache import Cache
from certificate import pair
from kube import Cluster
from platform_context import Context
from queue_server import Queue

context = Context()
cluster = Cluster(context)
wanted = [kind for kind in (Cache, Queue) if kind.NAME in context.inputs["services"]]
names = [cluster.named(kind.NAME) for kind in wanted]
inside = cluster.namespace
hosts = [form for n in names for form in (f"{n}.{inside}.svc", f"{n}.{inside}", n)]
certificate, key = pair(context, hosts)
account = cluster.account()
for kind in wanted:
    kind(cluster, account, certificate, key).declare()
pulumi.export("namespace", cluster.namespace)
pulumi.export("ca_certificate", pulumi.Output.unsecret(certificate))
