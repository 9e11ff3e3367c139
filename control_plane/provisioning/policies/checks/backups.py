"""The policy of backups."""

from collections.abc import Iterator

from control_plane.provisioning.policies.checks.settings import (
    PATTERN,
    data_classes,
    settings,
)
from control_plane.provisioning.policies.checks.storage import disks
from control_plane.provisioning.policies.model import Issue, Policy, Settings, Subject
from foundation.kernel.text import Text


def declared(subject: Subject, settings_: Settings) -> Iterator[Issue]:
    """Disks say how they are backed up; ``none`` is an answer that does not do here."""
    if subject.data_class not in settings_["data_classes"]:
        return
    tag = settings_["tag"]
    for disk in disks(subject.graph):
        if disk.marks.get(tag, "") in {"", "none"}:
            yield Issue(
                disk.resource,
                Text(
                    f"Does not say by the tag {tag} how it is backed up.",
                    f"未通过标签 {tag} 声明备份方式。",
                ),
            )


POLICIES = (
    Policy(
        "backups.declared",
        Text("Backups", "备份"),
        Text(
            "Disks with such data say by a tag how they are backed up, such as daily; what is "
            "backed up nowhere is lost with its disk.",
            "承载此类数据的磁盘须以标签声明备份方式（如每日），未备份的数据将随磁盘一并丢失。",
        ),
        settings(
            {
                "data_classes": data_classes(["sensitive"]),
                "tag": {
                    "type": "string",
                    "pattern": PATTERN,
                    "title": "Tag",
                    "x-zh": {"title": "标签"},
                    "default": "borough.backup",
                },
            }
        ),
        graph=declared,
    ),
)
