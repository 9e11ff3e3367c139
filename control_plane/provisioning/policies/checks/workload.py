"""Policies of workloads: secrets in clear, and rights on the node."""

from collections.abc import Iterator, Mapping
from typing import Any

from control_plane.provisioning.graph import is_secret
from control_plane.provisioning.policies.checks.settings import none
from control_plane.provisioning.policies.model import Issue, Policy, Settings, Subject
from foundation.kernel.text import Text

_RIGHTS = ("privileged", "hostNetwork", "hostPID", "hostIPC")


def plain_secrets(subject: Subject, settings: Settings) -> Iterator[Issue]:
    """What goes into a Kubernetes Secret is a secret to the platform as well."""
    del settings
    for node in subject.graph.resources:
        if node.type != "kubernetes:core/v1:Secret":
            continue
        for part in ("data", "stringData"):
            values = node.inputs.get(part)
            if _holds_plain(values):
                yield Issue(
                    node.logical_name,
                    Text(
                        "Holds a value that the program does not mark as secret.",
                        "包含程序未标记为机密的值。",
                    ),
                )


def node_access(subject: Subject, settings: Settings) -> Iterator[Issue]:
    """Containers get no rights on their node."""
    del settings
    for node in subject.graph.resources:
        if node.kind == "kubernetes" and _asks_for_node(node.inputs):
            yield Issue(
                node.logical_name,
                Text(
                    "Asks for rights on the node (privileged, host network, process or path).",
                    "要求节点权限（特权、主机网络、进程或路径）。",
                ),
            )


def _holds_plain(values: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether a value is in clear; where one of them is a secret, the SDK marks all as one."""
    if not isinstance(values, Mapping) or is_secret(values):
        return False
    return any(_is_plain(value) for value in values.values())


def _is_plain(value: Any) -> bool:  # noqa: ANN401 - JSON
    return isinstance(value, str) and bool(value) and not is_secret(value)


def _asks_for_node(value: Any) -> bool:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        if any(value.get(name) is True for name in _RIGHTS):
            return True
        if isinstance(value.get("hostPath"), Mapping):
            return True
        return any(_asks_for_node(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_asks_for_node(item) for item in value)
    return False


POLICIES = (
    Policy(
        "secrets.plain",
        Text("Secrets in clear", "明文机密"),
        Text(
            "What goes into a Kubernetes Secret is marked as secret by the program, so that no "
            "plan and no log shows it.",
            "写入 Kubernetes Secret 的值须由程序标记为机密，使方案与日志均不显示。",
        ),
        none(),
        graph=plain_secrets,
    ),
    Policy(
        "workload.node_access",
        Text("Rights on the node", "节点权限"),
        Text(
            "Containers ask for no rights on the node that they share with others.",
            "容器不得要求与他人共用节点的权限。",
        ),
        none(),
        graph=node_access,
    ),
)
