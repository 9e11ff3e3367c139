"""Use cases of what there is to run, the servers, and the ways in to them."""

from control_plane.provisioning.playbooks import keys
from control_plane.provisioning.playbooks.inventory import is_user
from control_plane.provisioning.playbooks.model import Access, HostKey, Playbook, Server
from control_plane.provisioning.playbooks.service.core import Core, key_context
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Invalid, NotFound

_REACHES = ("inside", "public")
_HIGHEST_PORT = 65535


class Ways(Core):
    """What there is to run, on what, and how the platform gets there."""

    def playbooks(self, actor: Actor) -> list[Playbook]:
        """All playbooks, by name."""
        policy.require(actor, "playbook.view", policy.ROOT)
        return list(self._needs.playbooks.all().values())

    def playbook(self, actor: Actor, name: str) -> Playbook:
        """One playbook.

        Raises:
            NotFound: there is none.
        """
        policy.require(actor, "playbook.view", policy.ROOT)
        return self._playbook(name)

    def servers(self, actor: Actor, deployment: str) -> tuple[tuple[Server, ...], list[HostKey]]:
        """The servers on which a playbook would run, and the keys that they are known by.

        Raises:
            NotFound: no such deployment, or none that the actor may know of.
            Conflict: there are none; the message says why.
        """
        with self._db.transaction():
            there = self._deployment(actor, deployment, "playbook_run.view")
            found, _ = self._servers(there)
            return found, self._store.host_keys(there.id)

    def forget_host_key(self, actor: Actor, deployment: str, server: str) -> None:
        """Forget the key of a server, so that the next run learns the one that it shows then.

        Raises:
            NotFound: no such deployment, or no key of such a server is known.
        """
        with self._db.transaction():
            there = self._deployment(actor, deployment, "playbook_access.manage")
            known = {each.alias for each in self._store.host_keys(there.id)}
            found: tuple[Server, ...] = ()
            if server not in known:
                found, _ = self._servers(there)
            alias = next((s.alias for s in found if s.name == server), server)
            if not self._store.forget(there.id, alias):
                raise NotFound(f"no key of a server {server} is known")
            details = {"server": server}
            self._note(actor, "playbook_access.manage", there.id, there.path, details)

    def access(self, actor: Actor, tenancy: str) -> Access | None:
        """How the platform signs in to a tenancy's servers; None while it cannot.

        Raises:
            NotFound: no such tenancy, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._needs.tenancy.tenancy_in_transaction(tenancy)
            policy.require(actor, "playbook_run.view", there.path, "tenancy")
            return self._store.access(there.id)

    def set_access(
        self,
        actor: Actor,
        tenancy: str,
        *,
        user: str,
        port: int = 22,
        become: bool = True,
        reach: str = "inside",
        private_key: str = "",
        renew: bool = False,
    ) -> Access:
        """Say how the platform signs in; without a key of one's own it makes one, once.

        Args:
            actor: who says it.
            tenancy: id or slug.
            user: of the servers.
            port: of SSH.
            become: whether the user becomes root by sudo.
            reach: which addresses are used, ``inside`` or ``public``.
            private_key: one's own, in OpenSSH's format without a passphrase.
            renew: make another key; the servers must trust it before the next run.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such tenancy, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._needs.tenancy.tenancy_in_transaction(tenancy)
            policy.require(actor, "playbook_access.manage", there.path, "tenancy")
            found = Collector()
            found.check(is_user(user), "user", "is not the name of a user")
            found.check(0 < port <= _HIGHEST_PORT, "port", f"must be 1 to {_HIGHEST_PORT}")
            found.check(reach in _REACHES, "reach", "must be inside or public")
            both = bool(private_key.strip()) and renew
            found.check(not both, "renew", "cannot be asked with a key of one's own")
            pair = None
            if private_key.strip():
                try:
                    pair = keys.read(private_key)
                except Invalid as error:
                    found.include(error)
            found.finish()
            before = self._store.access(there.id)
            sealed = self._store.sealed_key(there.id)
            if pair is None and (renew or before is None or sealed is None):
                pair = keys.make()
            public = before.public_key if before else ""
            if pair is not None:
                public = pair[1]
                sealed = self._needs.secrets.seal(pair[0].encode(), key_context(there.id))
            made = Access(
                there.id, there.path, user, port, become, reach, public, actor.id,
                self._clock.now(),
            )  # fmt: skip
            self._store.put_access(made, sealed or "")
            details = {
                "user": user, "port": port, "become": become, "reach": reach,
                "public_key": public, "new_key": pair is not None,
            }  # fmt: skip
            self._note(actor, "playbook_access.manage", there.id, there.path, details)
            return made
