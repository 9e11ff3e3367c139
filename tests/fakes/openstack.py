"""An OpenStack that answers what a real one (2026.1) answered, at any time of its story."""

from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

Record = dict[str, Any]

FLAVORS = {"s": "ed991433-0a03-4a0d-b83f-efd584fda7e6", "m": "9768dadf-9269-4b24-8eac-77f173b7e5b6"}


def stamp(at: datetime) -> str:
    """As Nova writes times: UTC, and not saying so."""
    return at.replace(tzinfo=None).isoformat(timespec="microseconds")


class FakeOpenStack:
    """A cloud whose story is told by its methods; ``now`` decides what of it is visible."""

    def __init__(self) -> None:
        self.now = datetime.max.replace(tzinfo=UTC)
        self.calls: list[str] = []
        self.closed = 0
        self._servers: dict[str, list[tuple[datetime, Record]]] = {}
        self._actions: dict[str, list[tuple[datetime, Record]]] = {}
        self._lists: dict[str, list[tuple[datetime, datetime | None, Record]]] = {
            "volumes": [],
            "floatingips": [],
            "loadbalancers": [],
        }

    # The story --------------------------------------------------------------------------------

    def boot(
        self,
        server: str,
        asked: datetime,
        active: datetime,
        flavor: str = "s",
        marks: tuple[str, str] = ("", ""),
    ) -> None:
        metadata = {"borough.deployment": marks[0], "borough.resource": marks[1]}
        self._set(server, asked, status="BUILD", flavor=flavor, metadata=metadata)
        self._act(server, "create", asked, active, "compute__do_build_and_run_instance")
        self._set(server, active, status="ACTIVE", launched=active)

    def fail(self, server: str, asked: datetime, failed: datetime) -> None:
        self._set(server, asked, status="BUILD", flavor="s")
        self._act(server, "create", asked, failed, "compute__do_build_and_run_instance", ok=False)
        self._set(server, failed, status="ERROR")

    def delete(self, server: str, asked: datetime, gone: datetime) -> None:
        self._act(server, "delete", asked, gone, "compute_terminate_instance")
        self._set(server, gone, status="DELETED", terminated=gone, metadata={})

    def stop(self, server: str, asked: datetime, done: datetime) -> None:
        self._act(server, "stop", asked, done, "compute_stop_instance")
        self._set(server, done, status="SHUTOFF")

    def shelve(self, server: str, asked: datetime, offloaded: datetime) -> None:
        self._act(server, "shelve", asked, offloaded, "compute_shelve_offload_instance")
        self._set(server, offloaded, status="SHELVED_OFFLOADED")

    def unshelve(self, server: str, asked: datetime, active: datetime, *, ok: bool = True) -> None:
        self._act(server, "unshelve", asked, active, "compute_unshelve_instance", ok=ok)
        if ok:
            self._set(server, active, status="ACTIVE", launched=active)

    def resize(self, server: str, asked: datetime, done: datetime, flavor: str) -> None:
        self._set(server, asked, status="RESIZE")
        self._act(server, "resize", asked, done, "compute_finish_resize")
        self._set(server, done, status="VERIFY_RESIZE", flavor=flavor, launched=done)

    def confirm(self, server: str, at: datetime) -> None:
        self._act(server, "confirmResize", at, at, "compute_confirm_resize")
        self._set(server, at, status="ACTIVE")

    def revert(self, server: str, at: datetime, flavor: str) -> None:
        self._act(server, "revertResize", at, at, "compute_finish_revert_resize")
        self._set(server, at, status="ACTIVE", flavor=flavor)

    def purge(self, server: str) -> None:
        """What `nova-manage db archive_deleted_rows` does."""
        del self._servers[server]
        del self._actions[server]

    def keep(
        self,
        kind: str,
        thing: str,
        created: datetime,
        deleted: datetime | None = None,
        tags: Sequence[str] = (),
    ) -> None:
        record = {"id": thing, "created_at": stamp(created), "tags": list(tags)}
        self._lists[kind].append((created, deleted, record))

    def _set(self, server: str, at: datetime, **changes: Any) -> None:
        states = self._servers.setdefault(server, [])
        record: Record = deepcopy(states[-1][1]) if states else {"id": server}
        names = {
            "launched": "OS-SRV-USG:launched_at",
            "terminated": "OS-SRV-USG:terminated_at",
        }
        for name, value in changes.items():
            if name == "flavor":
                record["flavor"] = {"id": FLAVORS[value], "links": []}
            else:
                shown = stamp(value) if isinstance(value, datetime) else value
                record[names.get(name, name)] = shown
        record.setdefault("OS-SRV-USG:launched_at", None)
        record.setdefault("OS-SRV-USG:terminated_at", None)
        states.append((at, record))

    def _act(
        self, server: str, action: str, at: datetime, end: datetime, event: str, *, ok: bool = True
    ) -> None:
        actions = self._actions.setdefault(server, [])
        actions.append(
            (
                at,
                {
                    "action": action,
                    "instance_uuid": server,
                    "request_id": f"req-{server}-{len(actions)}",
                    "start_time": stamp(at),
                    "updated_at": stamp(end),
                    "message": None if ok else "Error",
                    "events": [
                        {
                            "event": event,
                            "start_time": stamp(at),
                            "finish_time": stamp(end),
                            "result": "Success" if ok else "Error",
                        }
                    ],
                },
            )
        )

    # What it answers --------------------------------------------------------------------------

    def servers(self, changed_since: datetime | None = None) -> Sequence[Record]:
        self.calls.append("servers")
        found = []
        for states in self._servers.values():
            seen = [(at, record) for at, record in states if at <= self.now]
            if not seen:
                continue
            at, record = seen[-1]
            alive = record["status"] != "DELETED"
            if alive if changed_since is None else at >= changed_since:
                found.append(record)
        return found

    def actions(self, server: str) -> Sequence[Record]:
        self.calls.append("actions")
        seen = [a for at, a in self._actions.get(server, []) if at <= self.now]
        short = [{k: v for k, v in a.items() if k != "events"} for a in seen]
        return list(reversed(short))

    def action(self, server: str, request: str) -> Record:
        self.calls.append("action")
        return next(a for _, a in self._actions[server] if a["request_id"] == request)

    def volumes(self) -> Sequence[Record]:
        return self._listed("volumes")

    def floating_ips(self) -> Sequence[Record]:
        return self._listed("floatingips")

    def load_balancers(self) -> Sequence[Record]:
        return self._listed("loadbalancers")

    def _listed(self, kind: str) -> Sequence[Record]:
        self.calls.append(kind)
        return [
            record
            for created, deleted, record in self._lists[kind]
            if created <= self.now and (deleted is None or self.now < deleted)
        ]

    def close(self) -> None:
        self.closed += 1
