"""Repositories of all kinds, read by the real program ``git``."""

import http.server
import ipaddress
import os
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.adapters.git.addresses import Reach
from control_plane.adapters.git.confined import Bounds
from control_plane.adapters.git.repositories import GitRepositories
from control_plane.provisioning.registry.model import ReferenceKind
from control_plane.provisioning.registry.ports import SourceAccess, SourceError
from foundation.kernel.errors import Unavailable
from tests.harness.repository import Repository

FILES = {"blueprint.yaml": b"name: a\n", "__main__.py": b"import pulumi\n", "lib/x.py": b"x = 1\n"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repositories" / "one")


@pytest.fixture
def git(tmp_path: Path) -> GitRepositories:
    return GitRepositories(Reach(folders=(tmp_path / "repositories",)), Bounds(seconds=30))


def access(repository: Repository, **changed: object) -> SourceAccess:
    made = SourceAccess(repository.url, ReferenceKind.BRANCH, "main", "", "", "", False)
    return replace(made, **changed)  # type: ignore[arg-type]


def test_the_blueprints_of_a_branch_are_read(repository: Repository, git: GitRepositories) -> None:
    repository.commit(FILES, "web")
    commit = repository.commit(FILES, "data/base")
    repository.write({"scratch.txt": b"not committed"}, "web")
    found = git.read(access(repository))
    assert found.commit == commit
    assert (found.signer, found.signed) == ("", "")
    assert [folder.path for folder in found.folders] == ["data/base", "web"]
    assert found.folders[1].content == FILES
    assert abs(found.committed_at.timestamp() - time.time()) < 60


def test_a_folder_a_tag_and_a_pinned_commit(repository: Repository, git: GitRepositories) -> None:
    old = repository.commit(FILES, "web")
    repository.git("tag", "v1")
    repository.git("tag", "-m", "two", "v2")
    new = repository.commit({**FILES, "blueprint.yaml": b"name: b\n"}, "web")
    repository.commit(FILES, "other")
    assert [f.path for f in git.read(access(repository, folder="web")).folders] == ["web"]
    for tag in ("v1", "v2"):
        found = git.read(access(repository, kind=ReferenceKind.TAG, reference=tag))
        assert found.commit == old
    pinned = git.read(access(repository, kind=ReferenceKind.COMMIT, reference=new))
    assert pinned.commit == new
    assert pinned.folders[0].content["blueprint.yaml"] == b"name: b\n"
    for kind, name in ((ReferenceKind.BRANCH, "v1"), (ReferenceKind.TAG, "main"),
                       (ReferenceKind.COMMIT, "0" * 40)):  # fmt: skip
        with pytest.raises(SourceError):
            git.read(access(repository, kind=kind, reference=name))


def test_a_blueprint_at_the_root_is_all_of_the_repository(
    repository: Repository, git: GitRepositories
) -> None:
    repository.commit({**FILES, "tests/blueprint.yaml": b"name: inner\n"})
    repository.commit({"__pycache__/x.pyc": b"cache"})
    [folder] = git.read(access(repository)).folders
    assert folder.path == "."
    assert set(folder.content) == {*FILES, "tests/blueprint.yaml"}


def test_a_repository_without_a_blueprint_is_none(
    repository: Repository, git: GitRepositories
) -> None:
    repository.commit({"README.md": b"hello"})
    with pytest.raises(SourceError, match=r"no blueprint\.yaml in the repository"):
        git.read(access(repository))
    repository.commit(FILES, "web")
    with pytest.raises(SourceError, match=r"no blueprint\.yaml in moon"):
        git.read(access(repository, folder="moon"))


# Signatures --------------------------------------------------------------------------------------


def test_a_signed_commit_says_who_signed_it(repository: Repository, git: GitRepositories) -> None:
    key, signer = repository.key("alice")
    repository.signing(key)
    repository.commit(FILES, "web", "-S")
    found = git.read(access(repository, allowed_signers=signer, signed=True))
    assert found.signed == "commit"
    assert found.signer.startswith("alice@city.example (ED25519 SHA256:")


def test_a_signed_tag_vouches_for_its_commit(repository: Repository, git: GitRepositories) -> None:
    key, signer = repository.key("alice")
    repository.commit(FILES, "web")
    repository.signing(key)
    repository.git("tag", "-s", "-m", "one", "v1")
    wanted = {"kind": ReferenceKind.TAG, "reference": "v1", "signed": True}
    found = git.read(access(repository, allowed_signers=signer, **wanted))
    assert found.signed == "tag"
    with pytest.raises(SourceError, match="not signed"):
        git.read(access(repository, allowed_signers=signer, signed=True))


def test_what_is_not_signed_by_the_right_one_is_refused(
    repository: Repository, git: GitRepositories
) -> None:
    _, alice = repository.key("alice")
    mallory, _ = repository.key("mallory")
    demanded = access(repository, allowed_signers=alice, signed=True)
    repository.commit(FILES, "web")
    with pytest.raises(SourceError, match="is not signed by an allowed signer"):
        git.read(demanded)
    repository.signing(mallory)
    repository.commit(FILES, "web", "-S")
    with pytest.raises(SourceError, match="is not signed by an allowed signer"):
        git.read(demanded)
    # Where no signature is demanded, it is not claimed either.
    lenient = git.read(access(repository, allowed_signers=alice))
    assert (lenient.signer, lenient.signed) == ("", "")


def test_a_signature_of_other_content_is_refused(
    repository: Repository, git: GitRepositories
) -> None:
    key, alice = repository.key("alice")
    repository.signing(key)
    good = repository.commit(FILES, "web", "-S")
    raw = repository.git("cat-file", "commit", good)
    other = repository.commit({**FILES, "x.py": b"evil"}, "web")
    tree = repository.git("rev-parse", f"{other}^{{tree}}")
    forged = "\n".join([f"tree {tree}", *raw.splitlines()[1:], ""])
    name = repository.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=forged.encode())
    repository.git("update-ref", "refs/heads/main", name)
    with pytest.raises(SourceError, match="is not signed by an allowed signer"):
        git.read(access(repository, allowed_signers=alice, signed=True))


# Hostile repositories ----------------------------------------------------------------------------


def test_a_link_out_of_the_repository_is_not_followed(
    repository: Repository, git: GitRepositories
) -> None:
    repository.write(FILES, "web")
    (repository.folder / "web" / "passwd").symlink_to("/etc/passwd")
    repository.commit()
    [folder] = git.read(access(repository)).folders
    assert folder.content == {}
    assert folder.problem == "passwd: is a link; a blueprint holds its own files"


def test_a_submodule_is_not_followed(
    repository: Repository, git: GitRepositories, tmp_path: Path
) -> None:
    secret = Repository(tmp_path / "secret")
    secret.commit({"secret.txt": b"the platform's own"})
    repository.write(FILES, "web")
    repository.git("submodule", "add", "-q", secret.url, "web/inner")
    repository.commit()
    [folder] = git.read(access(repository)).folders
    assert folder.problem == "inner: is a submodule; a blueprint holds its own files"


@pytest.mark.parametrize("path", ["..", ".git", "a/../../b"])
def test_a_path_out_of_the_repository_is_refused(
    repository: Repository, git: GitRepositories, path: str
) -> None:
    blob = repository.blob(b"x")
    yaml = repository.blob(b"name: a\n")
    # A tree as no git would write it: object by object.
    entries = sorted([(b"100644", path.encode(), blob), (b"100644", b"blueprint.yaml", yaml)],
                     key=lambda e: e[1])  # fmt: skip
    raw = b"".join(m + b" " + n + b"\0" + bytes.fromhex(b) for m, n, b in entries)
    tree = repository.git("hash-object", "--literally", "-t", "tree", "-w", "--stdin", stdin=raw)
    commit = repository.git("commit-tree", tree, "-m", "odd")
    repository.git("update-ref", "refs/heads/main", commit)
    with pytest.raises(SourceError, match="git cannot read the repository"):
        git.read(access(repository))


def test_hooks_filters_and_configuration_are_not_run(
    repository: Repository, git: GitRepositories, tmp_path: Path
) -> None:
    trace = tmp_path / "ran"
    script = f"#!/bin/sh\ntouch {trace}\n"
    for hook in ("post-checkout", "pre-receive", "reference-transaction", "post-index-change"):
        path = repository.folder / ".git" / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)
    repository.write({".gitattributes": b"* filter=evil\n"}, "web")
    repository.commit(FILES, "web")
    trace.unlink(missing_ok=True)
    repository.git("config", "filter.evil.smudge", f"touch {trace}; cat")
    repository.git("config", "uploadpack.packObjectsHook", f"touch {trace}; exec")
    repository.git("config", "core.fsmonitor", f"touch {trace}")
    [folder] = git.read(access(repository)).folders
    assert folder.content["lib/x.py"] == FILES["lib/x.py"]
    assert not trace.exists()


def test_a_huge_file_is_not_fetched(repository: Repository, tmp_path: Path) -> None:
    repository.commit({**FILES, "noise.bin": os.urandom(3 << 20)}, "web")
    small = GitRepositories(Reach(folders=(tmp_path,)), Bounds(seconds=30, file=1 << 20))
    with pytest.raises(SourceError, match="larger than may be fetched"):
        small.read(access(repository))


def test_what_unfolds_to_more_than_a_blueprint_may_have_is_not_read(
    repository: Repository, git: GitRepositories
) -> None:
    repository.commit({**FILES, "zeros.bin": bytes(40 << 20)}, "web")
    repository.commit({f"f{n}.txt": b"" for n in range(600)} | FILES, "many")
    many, web = git.read(access(repository)).folders
    assert "holds more than" in web.problem
    assert "holds more than" in many.problem


def test_a_source_leads_nowhere_else(repository: Repository, tmp_path: Path) -> None:
    repository.commit(FILES, "web")
    elsewhere = GitRepositories(Reach(folders=(tmp_path / "other",)))
    with pytest.raises(SourceError, match="source_folders"):
        elsewhere.read(access(repository))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "link").symlink_to(repository.folder)
    with pytest.raises(SourceError, match="source_folders"):
        elsewhere.read(access(repository, url=(tmp_path / "other" / "link").as_uri()))


# Over http ---------------------------------------------------------------------------------------


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Answers by ``git http-backend`` those who know the password."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body: bytes) -> None:
        server: _Server = self.server  # type: ignore[assignment]
        server.asked.append(self.path)
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", self.path.replace("/moved", "", 1))
            self.end_headers()
            return
        if self.path.startswith("/slow"):
            server.release.wait(20)
        known = b64encode(b"user:swordfish").decode()
        if self.headers.get("Authorization") != f"Basic {known}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        done = subprocess.run(
            ["git", "http-backend"], input=body, capture_output=True, check=False,
            env={
                "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(server.root),
                "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
                "REQUEST_METHOD": self.command, "GIT_PROTOCOL": "version=2",
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            },
        )  # fmt: skip
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        self.send_response(200)
        for line in head.decode().splitlines():
            name, _, value = line.partition(": ")
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(rest)

    def log_message(self, *_: object) -> None: ...


class _Server(http.server.ThreadingHTTPServer):
    root: Path
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.release = threading.Event()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[_Server]:
    server = _Server()
    server.root = tmp_path / "repositories"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


def http_access(server: _Server, path: str = "/one/.git", **changed: object) -> SourceAccess:
    url = f"http://git.city.example:{server.server_port}{path}"
    made = SourceAccess(url, ReferenceKind.BRANCH, "main", "", "user", "", False, "swordfish")
    return replace(made, **changed)  # type: ignore[arg-type]


def reaching(*networks: str, seconds: float = 30.0) -> GitRepositories:
    nets = tuple(ipaddress.ip_network(n) for n in networks)
    return GitRepositories(
        Reach(nets), Bounds(seconds=seconds), resolve=lambda _host, _port: ["127.0.0.1"]
    )


def test_a_password_is_given_and_the_checked_address_is_asked(
    repository: Repository, server: _Server
) -> None:
    """The name exists nowhere: only the pinned address can have been asked."""
    commit = repository.commit(FILES, "web")
    found = reaching("127.0.0.0/8").read(http_access(server))
    assert found.commit == commit
    with pytest.raises(SourceError) as refused:
        reaching("127.0.0.0/8").read(http_access(server, password="wrong-guess"))
    assert "wrong-guess" not in refused.value.message
    with pytest.raises(SourceError):
        reaching("127.0.0.0/8").read(http_access(server, user="", password=""))


def test_the_platforms_own_network_is_not_asked(repository: Repository, server: _Server) -> None:
    repository.commit(FILES, "web")
    with pytest.raises(SourceError, match="not a public address"):
        reaching().read(http_access(server))
    assert server.asked == []


def test_a_redirection_is_not_followed(repository: Repository, server: _Server) -> None:
    repository.commit(FILES, "web")
    with pytest.raises(SourceError):
        reaching("127.0.0.0/8").read(http_access(server, "/moved/one/.git"))
    assert all(path.startswith("/moved") for path in server.asked)


def test_a_repository_that_never_answers_is_given_up(
    repository: Repository, server: _Server
) -> None:
    repository.commit(FILES, "web")
    began = time.monotonic()
    with pytest.raises(Unavailable, match="did not end within"):
        reaching("127.0.0.0/8", seconds=1.0).read(http_access(server, "/slow/one/.git"))
    assert time.monotonic() - began < 10
