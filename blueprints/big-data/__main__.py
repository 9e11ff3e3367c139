"""A place to work with large data: a notebook, a volume, batch jobs, and the way to objects."""

import jobs
import notebook
import pulumi
from certificate import pair
from kube import Cluster
from platform_context import Context
from workbench import Workbench

context = Context()
cluster = Cluster(context)
name = cluster.named("notebook")
hosts = [f"{name}.{cluster.namespace}.svc", f"{name}.{cluster.namespace}", name, "localhost"]
bench = Workbench(cluster, pair(context, hosts))
if context.inputs["notebook"]:
    notebook.declare(bench)
    pulumi.export("url", f"https://{hosts[0]}:{notebook.PORT}/")
    pulumi.export("token", context.derive("notebook"))
    pulumi.export("ca_certificate", pulumi.Output.unsecret(bench.certificate))
for job in context.inputs["jobs"]:
    jobs.declare(bench, job)
pulumi.export("namespace", cluster.namespace)
pulumi.export("volume", bench.claim_name)
pulumi.export("jobs", [cluster.named(f"job-{job['name']}") for job in context.inputs["jobs"]])
