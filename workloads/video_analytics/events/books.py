"""The registry of cameras and the rules as events and the timeline see them."""

from collections.abc import Collection, Mapping, Sequence

from foundation.kernel.actor import Actor
from foundation.kernel.paging import everything
from workloads.video_analytics.cameras.devices import Devices
from workloads.video_analytics.cameras.model import Camera
from workloads.video_analytics.cameras.ports import CameraQuery
from workloads.video_analytics.cameras.service import Cameras
from workloads.video_analytics.events.model import Severity
from workloads.video_analytics.events.ports import RuleAbout, Seen
from workloads.video_analytics.rules.service import Rules

_SYSTEM = Actor.system("events")


class RegistryCameras:
    """Implements ``CameraBook``."""

    def __init__(self, cameras: Cameras) -> None:
        self._cameras = cameras

    def seen(self, camera_ids: Collection[str]) -> Mapping[str, Seen]:
        return {key: _seen(one) for key, one in self._cameras.known(camera_ids).items()}

    def below(self, paths: Sequence[str]) -> Sequence[Seen]:
        found = {}
        for path in paths:
            query = CameraQuery(path=path)
            for one in everything(lambda page: self._cameras.cameras(_SYSTEM, query, page)):  # noqa: B023 - read at once
                found[one.id] = _seen(one)
        return sorted(found.values(), key=lambda seen: seen.name)


class RegistryRules:
    """Implements ``RuleBook``."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def about(self, rules: Collection[tuple[str, int]]) -> Mapping[tuple[str, int], RuleAbout]:
        known = self._rules.known({rule for rule, _ in rules})
        found = {}
        for rule, version in rules:
            one = known.get(rule)
            if one is not None and version <= one.version:
                severity = one.parameters.get("severity")
                found[rule, version] = RuleAbout(
                    one.kind, one.name.en, Severity(severity) if severity else None
                )
        return found


class DeviceActions:
    """Implements ``CameraActions`` by ONVIF."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    def go_to(self, camera_id: str, preset: str) -> None:
        self._devices.go_to(Actor.system("linkage"), camera_id, preset)


def _seen(camera: Camera) -> Seen:
    one = camera.settings
    return Seen(
        camera.id, one.name.en, camera.path, one.timezone, str(one.data_class), tuple(one.groups),
        one.place.latitude, one.place.longitude, one.masks,
        camera.health.clock_offset_seconds if camera.health else None,
    )  # fmt: skip
