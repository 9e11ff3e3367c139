"""Batch jobs: a program of the volume, at its time or when somebody starts it."""

from typing import Any

import pulumi_kubernetes as k8s
from kube import container, labelled
from workbench import Workbench

#: A schedule that never comes: the job is a template, and is started by hand.
_NEVER = "0 0 30 2 *"


def declare(bench: Workbench, job: dict[str, Any]) -> None:
    """Declare one job."""
    cluster = bench.cluster
    name = f"job-{job['name']}"
    box = container(
        "job",
        bench.image,
        "job.sh",
        bench.size(job["vcpus"]),
        env=[*bench.environment, {"name": "PROGRAM", "value": job["program"]}],
        volumeMounts=bench.mounts,
    )
    pod = cluster.pod(
        bench.account,
        bench.user,
        [box],
        bench.volumes,
        restartPolicy="Never",
        affinity=bench.together(),
    )
    schedule = job.get("schedule")
    k8s.batch.v1.CronJob(
        name,
        metadata=cluster.metadata(name, name, "job"),
        spec={
            "schedule": schedule or _NEVER,
            "suspend": not schedule,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": job.get("retries", 1),
                    "activeDeadlineSeconds": job.get("hours", 6) * 3600,
                    "template": {
                        "metadata": labelled(cluster, "job", name),
                        "spec": pod,
                    },
                }
            },
        },
        opts=cluster.options,
    )
