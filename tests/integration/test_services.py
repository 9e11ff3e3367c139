"""The services that live on Kubernetes, used as their users use them, on a real cluster."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes
import pytest

from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.provisioning.graph import ApplyResult
from control_plane.provisioning.ports import RegionAccess
from tests.integration import services
from tests.integration.conftest import Devcloud
from tests.integration.lives import eventually, make_run, ops, succeeded, yes
from tests.integration.services import Service


@dataclass(frozen=True)
class Place:
    engine: PulumiEngine
    kube: kubernetes.client.ApiClient
    where: RegionAccess
    tenancy: ApplyResult
    namespace: str
    kubectl: Path

    def service(self, blueprint: str) -> Service:
        return Service(
            self.engine, self.kube, self.where, self.tenancy,
            blueprint=blueprint, name=f"{self.namespace}-it", namespace=self.namespace,
            kubectl=self.kubectl,
        )  # fmt: skip


@pytest.fixture
def place(
    devcloud: Devcloud, kube: kubernetes.client.ApiClient, engine: PulumiEngine
) -> Iterator[Place]:
    """A namespace of its own; it goes afterwards, with all that is in it."""
    services.build_images()
    namespace = f"svc-{uuid.uuid4().hex[:6]}"
    where = services.region(devcloud.kubeconfig)
    kubectl = devcloud.home / "kubernetes" / "bin" / "kubectl"
    run = make_run("tenancy", namespace, where, services.TENANCY)
    try:
        made = succeeded(engine.apply(run, confirm=yes))
        yield Place(engine, kube, where, made, namespace, kubectl)
    finally:
        engine.recover(run)
        succeeded(engine.destroy(run))


def timed(what: str, do: Callable[[], Any]) -> Any:
    begin = time.monotonic()
    found = do()
    print(f"{what}: {time.monotonic() - begin:.1f} s")
    return found


# --- postgresql

PORTAL: dict[str, Any] = {"name": "portal", "database": "app", "access": "owner"}
SMALL: dict[str, Any] = {"size": "s", "volume_gb": 5, "backup_volume_gb": 5}


class Client:
    """Signs in to the database over the network, from inside the primary's pod."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def ask(self, login: str, password: str, sql: str, *, host: str = "", tls: bool = True) -> str:
        assert self._service.made is not None
        server = host or str(self._service.made.outputs["host"])
        mode = "sslmode=verify-full sslrootcert=/credentials/authority.crt"
        conninfo = (
            f"host={server} dbname=app user={login} password={password} connect_timeout=5 "
            + (mode if tls else "sslmode=disable")
        )
        for _ in range(5):
            try:
                return self._service.execute("primary", ["psql", conninfo, "-XAtc", sql]).strip()
            except AssertionError as error:
                # The devcloud's only name server loses questions while the machine is busy.
                if "could not translate host name" not in str(error):
                    raise
                print(f"{server}: not resolved, asked again")
                time.sleep(2)
        raise AssertionError(f"{server} is not resolved")

    def refuses(self, login: str, password: str, why: str, *, tls: bool = True) -> None:
        with pytest.raises(AssertionError, match=why):
            self.ask(login, password, "SELECT 1", tls=tls)


def passwords(service: Service) -> dict[str, str]:
    assert service.made is not None
    found = json.loads(str(service.made.secret_outputs["user_credentials"]))
    return {each["login"]: each["password"] for user in found.values() for each in user["logins"]}


def test_postgresql_is_used_renewed_copied_and_backed_up(  # noqa: PLR0915 - one story
    place: Place,
) -> None:
    it = place.service("postgresql")
    try:
        first = {**SMALL, "users": [{**PORTAL, "credentials": [1]}]}
        timed("postgresql: create", lambda: it.apply(**first))
        assert place.engine.preview(it.run(**first)).effective == ()
        client = Client(it)
        old = passwords(it)["portal_1"]
        made = "CREATE TABLE letters (text text); INSERT INTO letters VALUES ('first')"
        client.ask("portal_1", old, made)
        assert client.ask("portal_1", old, "SELECT text FROM letters") == "first"
        owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'letters'"
        assert client.ask("portal_1", old, owner) == "portal"
        assert client.ask("portal_1", old, "SHOW ssl") == "on"
        client.refuses("portal_1", old, "no encryption", tls=False)
        client.refuses("portal_1", "wrong", "password authentication failed")

        # A new credential beside the old one; then without it. The server is not restarted.
        begun = it.pods("primary")[0].metadata.uid
        second = {**SMALL, "users": [{**PORTAL, "credentials": [1, 2]}]}
        assert ops(place.engine.preview(it.run(**second))) == {
            "users": "replace", "users-sql": "update",
        }  # fmt: skip
        timed("postgresql: second credential", lambda: it.apply(**second))
        new = passwords(it)["portal_2"]
        assert passwords(it)["portal_1"] == old
        assert new != old
        assert client.ask("portal_1", old, "SELECT text FROM letters") == "first"
        client.ask("portal_2", new, "INSERT INTO letters VALUES ('second')")
        third = {**SMALL, "users": [{**PORTAL, "credentials": [2]}]}
        timed("postgresql: first credential taken away", lambda: it.apply(**third))
        client.refuses("portal_1", old, "password authentication failed")
        assert client.ask("portal_2", new, "SELECT count(*) FROM letters") == "2"
        assert it.pods("primary")[0].metadata.uid == begun

        # A dump; and a replica, which follows and refuses to be written.
        it.start_now("backup")
        assert eventually(lambda: it.job("backup-now").succeeded == 1, 120)
        (run,) = [p for p in it.pods("backup") if p.status.phase == "Succeeded"]
        assert "there are 1" in it.log(run)
        copied = {**third, "replica": True}
        timed("postgresql: replica", lambda: it.apply(**copied))
        assert it.made is not None
        read = str(it.made.outputs["read_host"])
        count = "SELECT count(*) FROM letters"
        client.ask("portal_2", new, "INSERT INTO letters VALUES ('third')")
        assert eventually(lambda: client.ask("portal_2", new, count, host=read) == "3", 20)
        with pytest.raises(AssertionError, match="read-only transaction"):
            client.ask("portal_2", new, "INSERT INTO letters VALUES ('x')", host=read)

        # Its pod is lost: it comes back with what it had.
        core = kubernetes.client.CoreV1Api(place.kube)
        core.delete_namespaced_pod(it.pods("primary")[0].metadata.name, place.namespace)
        assert eventually(lambda: _ready(it.pods("primary"), other_than=begun), 120)
        assert client.ask("portal_2", new, count) == "3"

        # The user is taken away, and what it made is kept.
        timed("postgresql: user taken away", lambda: it.apply(**{**copied, "users": []}))
        client.refuses("portal_2", new, "password authentication failed")
        kept = it.execute("primary", ["psql", "-XAt", "-d", "app", "-c", owner]).strip()
        assert kept == "postgres"
    finally:
        timed("postgresql: destroy", it.destroy)
    core = kubernetes.client.CoreV1Api(place.kube)
    assert not core.list_namespaced_persistent_volume_claim(place.namespace).items
    assert not core.list_namespaced_secret(place.namespace).items


def _ready(pods: list[Any], *, other_than: str) -> bool:
    return any(
        pod.metadata.uid != other_than and any(c.ready for c in pod.status.container_statuses or ())
        for pod in pods
    )


# --- cache-and-queue

_ASK = "REDISCLI_AUTH=$(cat /credentials/password) redis-cli --tls --cacert /credentials/tls.crt "

#: Speaks NATS: what it publishes, and what the answer to a request of JetStream says.
_NATS = """
import json, socket, ssl, sys
host, user, subject, body = sys.argv[1:5]
raw = socket.create_connection((host, 4222), 10)
info = json.loads(raw.recv(4096).split(b" ", 1)[1].split(b"\\r\\n")[0])
assert info["tls_required"], info
trust = ssl.create_default_context(cafile="/credentials/tls.crt")
line = trust.wrap_socket(raw, server_hostname=host)
text = open("/credentials/users.conf").read()
password = text.split('password: "')[1].split('"')[0] if user == "application" else "wrong"
hello = {"user": user, "pass": password, "tls_required": True, "verbose": False}
answers = line.makefile("rb")
ask = [f"CONNECT {json.dumps(hello)}", "SUB inbox 1", f"PUB {subject} inbox {len(body)}", body, ""]
line.sendall("\\r\\n".join(ask).encode())
while True:
    got = answers.readline().decode()
    if got.startswith("-ERR"):
        sys.exit(got)
    if got.startswith("MSG"):
        print(answers.read(int(got.split()[-1])).decode())
        break
"""


def nats(it: Service, subject: str, body: str, user: str = "application") -> dict[str, Any]:
    host = f"{it.name}-queue.{it.namespace}.svc"
    said = it.execute("queue", ["python3", "-c", _NATS, host, user, subject, body])
    found: dict[str, Any] = json.loads(said)
    return found


def test_a_cache_and_a_queue_answer_over_tls_and_keep_what_they_promise(place: Place) -> None:
    it = place.service("cache-and-queue")
    wish: dict[str, Any] = {
        "services": ["cache", "queue"], "cache_kept": True, "queue_volume_gb": 1,
    }  # fmt: skip
    try:
        timed("cache-and-queue: create", lambda: it.apply(**wish))
        assert place.engine.preview(it.run(**wish)).effective == ()
        host = f"-h {it.name}-cache.{it.namespace}.svc "
        shell = ["/bin/sh", "-c"]
        assert "OK" in it.execute("cache", [*shell, f"{_ASK}{host}set letter first"])
        plain = [*shell, f"redis-cli {host}ping"]
        with pytest.raises(AssertionError):
            it.execute("cache", plain)
        stranger = f"redis-cli --tls --cacert /credentials/tls.crt {host}get letter"
        assert "NOAUTH" in it.execute("cache", [*shell, stranger])

        stream = json.dumps({"name": "letters", "subjects": ["letters.*"]})
        made = nats(it, "$JS.API.STREAM.CREATE.letters", stream)
        assert made["config"]["name"] == "letters", made
        assert nats(it, "letters.new", "hello")["seq"] == 1
        with pytest.raises(AssertionError, match="Authorization Violation"):
            nats(it, "letters.new", "hello", user="stranger")

        # Both servers are lost, and come back with what they kept.
        core = kubernetes.client.CoreV1Api(place.kube)
        time.sleep(1.5)  # what was written is on the disk within a second
        for component in ("cache", "queue"):
            (pod,) = it.pods(component)
            core.delete_namespaced_pod(pod.metadata.name, place.namespace)
            gone = pod.metadata.uid
            assert eventually(lambda c=component, g=gone: _ready(it.pods(c), other_than=g), 120)
        assert "first" in it.execute("cache", [*shell, f"{_ASK}{host}get letter"])
        assert nats(it, "$JS.API.STREAM.INFO.letters", "")["state"]["messages"] == 1

        # The cache is taken away; the queue is left alone.
        alone = {**wish, "services": ["queue"]}
        assert set(ops(place.engine.preview(it.run(**alone))).values()) <= {"delete", "update"}
    finally:
        timed("cache-and-queue: destroy", it.destroy)


# --- big-data


def test_a_notebook_answers_and_a_job_runs_sql(place: Place) -> None:
    it = place.service("big-data")
    wish: dict[str, Any] = {
        "volume_gb": 5, "notebook_vcpus": 1,
        "jobs": [{"name": "answer", "program": "answer.sql", "vcpus": 1}],
    }  # fmt: skip
    try:
        made = timed("big-data: create", lambda: it.apply(**wish))
        assert place.engine.preview(it.run(**wish)).effective == ()
        url, token = str(made.outputs["url"]), str(made.secret_outputs["token"])
        ask = (
            "import ssl, sys, urllib.request as r\n"
            "trust = ssl.create_default_context(cafile='/credentials/tls.crt')\n"
            "asked = r.Request(sys.argv[1] + 'api/kernels', headers={'Authorization': 'token '"
            " + sys.argv[2]})\n"
            "print(r.urlopen(asked, context=trust).status)"
        )
        assert it.execute("notebook", ["python3", "-c", ask, url, token]).strip() == "200"
        with pytest.raises(AssertionError, match="403"):
            it.execute("notebook", ["python3", "-c", ask, url, "wrong"])
        sql = "SELECT sum(n) FROM range(9) AS t(n); SELECT 40 + 2;"
        it.execute("notebook", ["/bin/sh", "-c", f"echo '{sql}' > /data/answer.sql"])
        it.start_now("job-answer")
        assert eventually(lambda: it.job("job-answer-now").succeeded == 1, 120)
        (run,) = it.pods("job")
        assert it.log(run).split() == ["36", "42"]
    finally:
        timed("big-data: destroy", it.destroy)
