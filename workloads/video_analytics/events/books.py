"""The registry and the rules as events know them."""

from collections.abc import Collection, Mapping, Sequence

from foundation.kernel.actor import Actor
from foundation.kernel.paging import everything
from workloads.video_analytics.cameras.model import Camera
from workloads.video_analytics.cameras.ports import CameraQuery
from workloads.video_analytics.cameras.service import Cameras
from workloads.video_analytics.events.ports import RuleAbout, Seen
from workloads.video_analytics.rules.ports import RuleStore

_SYSTEM = Actor.system("events")


class RegistryBook:
    """Implements ``CameraBook``.

    Args:
        cameras: the registry.
    """

    def __init__(self, cameras: Cameras) -> None:
        self._cameras = cameras

    def seen(self, camera_ids: Collection[str]) -> Mapping[str, Seen]:
        return {name: _seen(one) for name, one in self._cameras.known(camera_ids).items()}

    def below(self, paths: Sequence[str]) -> Sequence[Seen]:
        found = everything(lambda page: self._cameras.cameras(_SYSTEM, CameraQuery(), page))
        mine = [_seen(one) for one in found if one.path.startswith(tuple(paths))]
        return sorted(mine, key=lambda one: one.name)


class RulesBook:
    """Implements ``RuleBook``.

    Args:
        rules: the rules' store.
    """

    def __init__(self, rules: RuleStore) -> None:
        self._rules = rules

    def about(self, rules: Collection[tuple[str, int]]) -> Mapping[tuple[str, int], RuleAbout]:
        found = {}
        for rule_id in {rule_id for rule_id, _ in rules}:
            for one in self._rules.versions(rule_id):
                if (rule_id, one.version) in rules:
                    found[rule_id, one.version] = RuleAbout(one.kind, one.name.en)
        return found


def _seen(camera: Camera) -> Seen:
    one, health = camera.settings, camera.health
    return Seen(
        camera.id, one.name.en, one.path, one.timezone, one.data_class.value, one.groups,
        one.place.latitude, one.place.longitude, one.masks,
        None if health is None else health.clock_offset_seconds,
    )  # fmt: skip
