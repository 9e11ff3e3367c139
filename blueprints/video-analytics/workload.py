"""A bundled workload: pods of one image that share a database, and the way to them.

Every blueprint of a bundled workload has this same file, so that each is complete by itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from database import Database
from kube import Cluster, Object, container, digest, labelled

_MIGRATION = {"cpu": "100m", "memory": "256Mi"}
_TMP: Object = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - of the container


class Workload:
    """What its parts have in common.

    Args:
        cluster: where it runs.
        account: of its pods.
        database: its own.
        command: the image's program; its variables begin with ``prefix``.
        image: of all parts.
        user: numeric id that its processes run as.
        environment: what every part is told, by names without the prefix.
    """

    def __init__(
        self,
        cluster: Cluster,
        account: Any,  # noqa: ANN401
        database: Database,
        *,
        command: str,
        prefix: str,
        image: str,
        user: int,
        environment: Mapping[str, Object],
    ) -> None:
        self.cluster, self._account, self._database = cluster, account, database
        self._command, self._prefix, self._image, self._user = command, prefix, image, user
        own = {
            "DATABASE_URL": self._secret("database-url"),
            "SECRET_KEYS": self._secret("secret-keys"),
            "ADMINISTRATOR_PASSWORD": self._secret("administrator-password"),
            "PLATFORM_URL": {"value": str(cluster.facts.get("platform_url", ""))},
            "PLATFORM_TOKEN": self._secret("platform-token"),
            "PLATFORM_RESOURCE": {"value": cluster.context.deployment["id"]},
        }
        self._environment = {**own, **environment}
        self._migrated = self._migration()

    def _secret(self, key: str) -> Object:
        name = self._database.credentials.metadata.name
        return {"valueFrom": {"secretKeyRef": {"name": name, "key": key}}}

    def _variables(self, environment: Mapping[str, Object]) -> list[Object]:
        return [{"name": f"{self._prefix}{name}", **told} for name, told in environment.items()]

    def box(
        self,
        verb: Sequence[str],
        size: Mapping[str, str],
        mounts: Sequence[Object] = (),
        **more: Any,  # noqa: ANN401
    ) -> Object:
        """Return the container of a part: the image's own program, not a script."""
        fields: Object = {
            "command": [self._command],
            "args": list(verb),
            "env": self._variables(self._environment),
            "volumeMounts": [*mounts, _TMP],
        }
        return container(verb[0], self._image, "", size, **{**fields, **more})

    def pod(
        self,
        box: Object,
        volumes: Sequence[Object] = (),
        tmp: str = "256Mi",
        **more: Any,  # noqa: ANN401
    ) -> Object:
        """Return the pod of a part, with a folder for temporary files."""
        rest: Object = {"name": "tmp", "emptyDir": {"sizeLimit": tmp}}
        return self.cluster.pod(self._account, self._user, [box], [*volumes, rest], **more)

    def _migration(self) -> Any:  # noqa: ANN401
        """Declare the job that brings the schema to that of the image, before the image runs."""
        cluster = self.cluster
        # A Job cannot change: it is told nothing that may, and its name is that of its image.
        told = {name: self._environment[name] for name in ("DATABASE_URL", "SECRET_KEYS")}
        told["HOME"] = {"value": "/tmp/home"}  # noqa: S108 - of the container
        box = self.box(["db", "upgrade"], _MIGRATION, env=self._variables(told))
        pod = self.pod(box, tmp="64Mi", restartPolicy="OnFailure")
        name = f"migration-{digest(self._image)[:8]}"
        return k8s.batch.v1.Job(
            "migration",
            metadata=cluster.metadata("migration", name, "migration", cluster.waiting()),
            spec={
                "backoffLimit": 20,
                "template": {
                    "metadata": labelled(cluster, "migration", "migration"),
                    "spec": pod,
                },
            },
            opts=cluster.after(self._database.server),
        )

    def deployment(self, part: str, replicas: int | None, pod: Object) -> Any:  # noqa: ANN401
        """Declare a part whose pods are renewed one by one; None: the autoscaler's number."""
        cluster = self.cluster
        made = k8s.apps.v1.Deployment(
            part,
            metadata=cluster.metadata(part, part, part, cluster.waiting()),
            spec={
                **({} if replicas is None else {"replicas": replicas}),
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
                },
                "selector": {"matchLabels": cluster.selector(part)},
                "template": {"metadata": labelled(cluster, part, part), "spec": pod},
            },
            opts=cluster.after(self._migrated),
        )
        k8s.policy.v1.PodDisruptionBudget(
            f"{part}-budget",
            metadata=cluster.metadata(f"{part}-budget", part, part),
            spec={"selector": {"matchLabels": cluster.selector(part)}, "maxUnavailable": 1},
            opts=cluster.options,
        )
        return made

    def serving(self, part: str, box: Object, replicas: int | None, pod: Object) -> Any:  # noqa: ANN401
        """Declare a part that answers HTTP on the container's first port."""
        alive = {"httpGet": {"path": "/healthz", "port": "http"}}
        ready = {"httpGet": {"path": "/readyz", "port": "http"}}
        box |= {
            "startupProbe": {**alive, "periodSeconds": 3, "failureThreshold": 100},
            "readinessProbe": {**ready, "periodSeconds": 5, "timeoutSeconds": 5},
            "livenessProbe": {**alive, "periodSeconds": 20, "timeoutSeconds": 10},
        }
        return self.deployment(part, replicas, pod)

    def scaling(self, part: str, made: Any, least: int, most: int, seconds: int) -> None:  # noqa: ANN401
        """Declare that a part has as many pods as its processors' load needs.

        Args:
            part: whose pods.
            made: its Deployment.
            least: that always run.
            most: at most.
            seconds: for which a lower load is waited for until a pod ends.
        """
        cluster = self.cluster
        k8s.autoscaling.v2.HorizontalPodAutoscaler(
            f"{part}-scaling",
            metadata=cluster.metadata(f"{part}-scaling", part, part),
            spec={
                "scaleTargetRef": {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": made.metadata.name,
                },
                "minReplicas": least,
                "maxReplicas": most,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {"type": "Utilization", "averageUtilization": 70},
                        },
                    }
                ],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": seconds}},
            },
            opts=cluster.options,
        )

    def closed(self, part: str) -> None:
        """Declare that nobody reaches a part."""
        cluster = self.cluster
        k8s.networking.v1.NetworkPolicy(
            f"reach-{part}",
            metadata=cluster.metadata(f"reach-{part}", f"reach-{part}", part),
            spec={
                "podSelector": {"matchLabels": cluster.selector(part)},
                "policyTypes": ["Ingress"],
                "ingress": [],
            },
            opts=cluster.options,
        )

    def service(
        self, resource: str, part: str, port: int, *, outside: bool, suffix: str = ""
    ) -> pulumi.Output[str] | str:
        """Declare where a part answers, and return its address.

        A region with ``node_address`` is reached through its nodes' ports, one with
        ``ingress_domain`` through its Ingress, any other from inside the cluster.

        Args:
            resource: logical name.
            part: that answers.
            port: of its pods and its service.
            outside: whether the city's network reaches it.
            suffix: of the service's name.
        """
        cluster = self.cluster
        node, domain = cluster.facts.get("node_address"), cluster.facts.get("ingress_domain")
        made = k8s.core.v1.Service(
            resource,
            metadata=cluster.metadata(resource, suffix, part, cluster.waiting()),
            spec={
                "type": "NodePort" if node and outside else "ClusterIP",
                "selector": cluster.selector(part),
                "ports": [{"name": "http", "port": port, "targetPort": "http", "protocol": "TCP"}],
            },
            opts=cluster.options,
        )
        if node and outside:
            number = made.spec.ports[0].node_port
            return number.apply(lambda found: f"http://{node}:{found}/")
        if domain and outside:
            host = f"{cluster.named(suffix)}-{cluster.namespace}.{domain}"
            self._ingress(resource.replace("service", "ingress"), part, suffix, host)
            return f"https://{host}/"
        return f"http://{cluster.named(suffix)}.{cluster.namespace}.svc:{port}/"

    def _ingress(self, resource: str, part: str, suffix: str, host: str) -> None:
        cluster = self.cluster
        kind = cluster.facts.get("ingress_class")
        backend: Object = {"service": {"name": cluster.named(suffix), "port": {"name": "http"}}}
        k8s.networking.v1.Ingress(
            resource,
            metadata=cluster.metadata(resource, suffix, part, cluster.waiting()),
            spec={
                **({"ingressClassName": kind} if kind else {}),
                "tls": [{"hosts": [host]}],
                "rules": [
                    {
                        "host": host,
                        "http": {
                            "paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]
                        },
                    }
                ],
            },
            opts=cluster.options,
        )
