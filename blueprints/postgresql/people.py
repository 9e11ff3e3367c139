# ruff: noqa: S608 - names are letters, digits and underscores: blueprint.yaml sees to it
"""Databases, their users and the users' credentials, as SQL that may be run again at any time.

A user is a role without login, which owns what it makes. Each of its credentials is a login that
acts as that role: ``portal`` with the credentials 3 and 4 has the logins ``portal_3`` and
``portal_4``. So an old credential works beside its successor until it is taken off the list.
Passwords are derived from the deployment's seed; the server gets only SCRAM verifiers of them.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

import pulumi
from platform_context import Context

_ITERATIONS = 4096
#: What a user may do, beside connecting: predefined roles that it gets.
_RIGHTS = {
    "owner": ("pg_read_all_data", "pg_write_all_data"),
    "readwrite": ("pg_read_all_data", "pg_write_all_data"),
    "readonly": ("pg_read_all_data",),
}
_ALL_RIGHTS = ("pg_read_all_data", "pg_write_all_data")


def login(user: str, number: int) -> str:
    """Return the name by which a credential signs in."""
    return f"{user}_{number}"


def verifier(password: str, salt: bytes) -> str:
    """Return what PostgreSQL stores of a password (RFC 5802, RFC 7677)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    b64 = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{b64[0]}${b64[1]}:{b64[2]}"


class People:
    """Who uses which database, and how.

    Attributes:
        wanted: databases and users as they were ordered: what the SQL depends on, without secrets.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._databases: list[str] = context.inputs["databases"]
        self._users: list[dict[str, Any]] = sorted(
            context.inputs["users"], key=lambda user: user["name"]
        )
        self.wanted = [self._databases, self._users]
        unknown = sorted(
            {u["database"] for u in self._users if u["database"] not in self._databases}
        )
        if unknown:
            raise ValueError(f"users have databases that there are not: {', '.join(unknown)}")
        names = [user["name"] for user in self._users]
        if len(names) != len(set(names)):
            raise ValueError("users need names of their own")

    def _password(self, user: str, number: int) -> pulumi.Output[str]:
        return self._context.derive(f"user:{login(user, number)}")

    def document(self, host: str, read_host: str) -> pulumi.Output[str]:
        """Return all credentials as JSON, by user and login."""
        pairs = [(u, n) for u in self._users for n in u["credentials"]]
        passwords = [self._password(u["name"], n) for u, n in pairs]

        def write(*clear: str) -> str:
            found: dict[str, Any] = {}
            for (user, number), password in zip(pairs, clear, strict=True):
                of = found.setdefault(user["name"], {"database": user["database"], "logins": []})
                of["logins"].append(
                    {
                        "credential": number,
                        "login": login(user["name"], number),
                        "password": password,
                        "host": read_host if user["access"] == "readonly" and read_host else host,
                    }
                )
            return json.dumps(found, sort_keys=True)

        return pulumi.Output.secret(pulumi.Output.all(*passwords).apply(lambda all_: write(*all_)))

    def sql(self, *, replication: bool | None) -> dict[str, pulumi.Output[str]]:
        """Return the SQL files: what is made, and the query of what is to be taken away.

        ``roles.sql`` comes first, then each ``database-NAME.sql`` in its database.

        Args:
            replication: whether a replica follows; None: somebody else keeps replication.
        """
        logins = {
            login(u["name"], n): self._password(u["name"], n)
            for u in self._users
            for n in u["credentials"]
        }
        names = [*logins, "replication"]
        secrets = [*logins.values(), self._context.derive("replication")]
        salts = self._context.derive("salts")

        def roles(values: list[str]) -> str:
            salt, *clear = values
            made = {
                name: verifier(password, hmac.digest(salt.encode(), name.encode(), "sha256")[:16])
                for name, password in zip(names, clear, strict=True)
            }
            return "\n".join(self._roles(made, replication=replication)) + "\n"

        files = {"roles.sql": pulumi.Output.all(salts, *secrets).apply(roles)}
        for database in self._databases:
            text = "\n".join(self._inside(database)) + "\n"
            files[f"database-{database}.sql"] = pulumi.Output.secret(text)
        files["stale.sql"] = pulumi.Output.secret(self._stale())
        return files

    def _roles(self, verifiers: dict[str, str], *, replication: bool | None) -> list[str]:
        lines = []
        for database in self._databases:
            lines += [
                (
                    f"SELECT 'CREATE DATABASE \"{database}\"' WHERE NOT EXISTS "
                    f"(SELECT FROM pg_database WHERE datname = '{database}') \\gexec"
                ),
                f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC;',
            ]
        if replication is not None:
            options = f"LOGIN REPLICATION PASSWORD '{verifiers['replication']}'"
            lines += [*_role("replication", options), *_slot(wanted=replication)]
        for user in self._users:
            lines += [*self._user(user), *self._logins(user, verifiers)]
        return lines

    def _user(self, user: dict[str, Any]) -> list[str]:
        group = user["name"]
        lines = _role(group, "NOLOGIN", "borough:group")
        for right in _ALL_RIGHTS:
            given = right in _RIGHTS[user["access"]]
            lines.append(
                f'GRANT {right} TO "{group}";' if given else f'REVOKE {right} FROM "{group}";'
            )
        for database in self._databases:
            of = f'ON DATABASE "{database}"'
            lines.append(f'REVOKE ALL {of} FROM "{group}";')
            if database == user["database"]:
                what = "ALL" if user["access"] == "owner" else "CONNECT"
                lines.append(f'GRANT {what} {of} TO "{group}";')
        return lines

    @staticmethod
    def _logins(user: dict[str, Any], verifiers: dict[str, str]) -> list[str]:
        lines = []
        for number in user["credentials"]:
            name = login(user["name"], number)
            lines += [
                *_role(name, f"LOGIN PASSWORD '{verifiers[name]}'", "borough:login"),
                f'GRANT "{user["name"]}" TO "{name}";',
                f'ALTER ROLE "{name}" SET role = "{user["name"]}";',
            ]
        return lines

    def _inside(self, database: str) -> list[str]:
        lines = ["REVOKE CREATE ON SCHEMA public FROM PUBLIC;"]
        for user in self._users:
            if user["database"] == database and user["access"] == "owner":
                lines.append(f'GRANT ALL ON SCHEMA public TO "{user["name"]}";')
            else:
                lines.append(f'REVOKE CREATE ON SCHEMA public FROM "{user["name"]}";')
        return lines

    def _stale(self) -> str:
        """Return the query of our roles that nobody wants any more, and their heirs.

        Logins come first, and their users get what they own.
        """
        kept = [u["name"] for u in self._users]
        kept += [login(u["name"], n) for u in self._users for n in u["credentials"]]
        names = ", ".join(f"'{name}'" for name in kept)
        unwanted = f"AND rolname NOT IN ({names})" if kept else ""
        return (
            "SELECT rolname, CASE shobj_description(oid, 'pg_authid') WHEN 'borough:login' "
            "THEN regexp_replace(rolname, '_[0-9]+$', '') ELSE 'postgres' END FROM pg_roles "
            "WHERE shobj_description(oid, 'pg_authid') IN ('borough:login', 'borough:group') "
            f"{unwanted} ORDER BY shobj_description(oid, 'pg_authid') DESC, rolname;\n"
        )


def _role(name: str, options: str, note: str = "") -> list[str]:
    lines = [
        (
            f"SELECT 'CREATE ROLE \"{name}\"' WHERE NOT EXISTS "
            f"(SELECT FROM pg_roles WHERE rolname = '{name}') \\gexec"
        ),
        f'ALTER ROLE "{name}" {options};',
    ]
    return [*lines, f"COMMENT ON ROLE \"{name}\" IS '{note}';"] if note else lines


def _slot(*, wanted: bool) -> list[str]:
    """Keep what the replica still needs, and nothing for a replica that is no more."""
    there = "(SELECT FROM pg_replication_slots WHERE slot_name = 'replica')"
    if wanted:
        return [f"SELECT pg_create_physical_replication_slot('replica') WHERE NOT EXISTS {there};"]
    return [
        (
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
            "WHERE slot_name = 'replica' AND NOT active;"
        )
    ]
