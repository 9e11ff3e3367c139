"""The notebook: a Jupyter server over TLS with a token."""

import pulumi_kubernetes as k8s
from kube import container, labelled
from workbench import Workbench

PORT = 8888


def declare(bench: Workbench) -> None:
    """Declare the server, its Service, and who may reach it."""
    cluster, inputs = bench.cluster, bench.inputs
    ready = {"tcpSocket": {"port": "notebook"}}
    box = container(
        "notebook",
        bench.image,
        "notebook.sh",
        bench.size(inputs["notebook_vcpus"]),
        env=[
            *bench.environment,
            {"name": "IDLE_SECONDS", "value": str(inputs["idle_minutes"] * 60)},
        ],
        ports=[{"name": "notebook", "containerPort": PORT}],
        startupProbe={**ready, "periodSeconds": 3, "failureThreshold": 100},
        readinessProbe={**ready, "periodSeconds": 5},
        livenessProbe={**ready, "periodSeconds": 20},
        volumeMounts=[
            *bench.mounts,
            {"name": "credentials", "mountPath": "/credentials", "readOnly": True},
        ],
    )
    pod = cluster.pod(
        bench.account,
        bench.user,
        [box],
        [*bench.volumes, bench.credentials],
        affinity=bench.together(),
    )
    k8s.apps.v1.Deployment(
        "notebook",
        metadata=cluster.metadata("notebook", "notebook", "notebook", cluster.waiting()),
        spec={
            "replicas": 1,
            # The old one lets go of the volume first.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": cluster.selector("notebook")},
            "template": {
                "metadata": labelled(
                    cluster,
                    "notebook",
                    "notebook",
                    **{"borough.dev/started-with": bench.started_with},
                ),
                "spec": pod,
            },
        },
        opts=cluster.options,
    )
    k8s.core.v1.Service(
        "notebook-service",
        metadata=cluster.metadata("notebook-service", "notebook", "notebook", cluster.waiting()),
        spec={
            "type": "ClusterIP",
            "selector": cluster.selector("notebook"),
            "ports": [
                {"name": "notebook", "port": PORT, "targetPort": "notebook", "protocol": "TCP"}
            ],
        },
        opts=cluster.options,
    )
    cluster.opening("reach-notebook", "notebook", [PORT], everyone=inputs["reach"] == "city")
