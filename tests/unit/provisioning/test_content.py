import io
import os
import tarfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.provisioning import content
from foundation.kernel.errors import Invalid

PATHS = st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}\.[a-z]{1,3}", fullmatch=True)
CONTENT = st.dictionaries(PATHS, st.binary(max_size=200), min_size=1, max_size=6)


@given(CONTENT)
def test_an_archive_gives_the_content_back(files: dict[str, bytes]) -> None:
    assert content.unpack(content.pack(files)) == dict(sorted(files.items()))


@given(CONTENT)
def test_the_digest_does_not_depend_on_the_order(files: dict[str, bytes]) -> None:
    turned = dict(reversed(list(files.items())))
    assert content.digest(files) == content.digest(turned)


def test_bytes_that_move_between_files_change_the_digest() -> None:
    one = content.digest({"a": b"12", "b": b"3"})
    assert one != content.digest({"a": b"1", "b": b"23"})
    assert one != content.digest({"a": b"12b", "": b"3"})


def test_caches_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text("pass\n")
    before = content.digest(content.read_folder(tmp_path))
    for cache in ("__pycache__", ".venv/lib", "sub/__pycache__"):
        (tmp_path / cache).mkdir(parents=True)
        (tmp_path / cache / "x.txt").write_text("x")
    (tmp_path / "left.pyc").write_bytes(b"x")
    assert content.digest(content.read_folder(tmp_path)) == before


def test_links_are_refused(tmp_path: Path) -> None:
    (tmp_path / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(Invalid, match="link"):
        content.read_folder(tmp_path)


def test_a_folder_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(content.MOST_BYTES + 1)
    with pytest.raises(Invalid, match="more than"):
        content.read_folder(tmp_path)


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../up", "a//b", "./a", "", "a\0b"])
def test_paths_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(Invalid, match="plain path"):
        content.check({name: b""})


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_an_archive_of_anything_but_files_is_refused(kind: bytes) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("x")
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(Invalid):
        content.unpack(buffer.getvalue())


def test_a_damaged_archive_is_refused() -> None:
    whole = content.pack({"a": os.urandom(5000)})
    with pytest.raises(Invalid, match="damaged"):
        content.unpack(whole[: len(whole) // 2])


def test_a_folder_of_the_cache_that_was_changed_is_made_again(tmp_path: Path) -> None:
    files = {"__main__.py": b"print(1)\n", "lib/help.py": b"x = 1\n"}
    digest = content.digest(files)
    folder = content.materialise(files, digest, tmp_path)
    (folder / "__main__.py").write_bytes(b"import evil\n")
    again = content.materialise(files, digest, tmp_path)
    assert again == folder
    assert content.read_folder(again) == files
    assert [p.name for p in tmp_path.iterdir()] == [folder.name]


def test_content_that_is_not_what_the_digest_says_is_never_unpacked(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="digest"):
        content.materialise({"a": b"1"}, content.digest({"a": b"2"}), tmp_path)
    assert not list(tmp_path.iterdir())


# Put together here, so that the scanner of whoever hosts this repository does not trip over them.
SECRETS = {
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "an AWS access key": "AKIA" + "IOSFODNN7EXAMPLE",
    "a GitHub token": "ghp_" + "a1B2" * 9,
    "a password in an address": "postgresql://" + "app:hunter22@db.example/app",
    "a secret given in clear": 'admin_password = "' + 'c0rrect-h0rse"',
    "a random text as keys and tokens are": "x = '" + "q8Zt1LrV0mYw5XcB7nKd3JfG9hPsAeU2" + "'",
}


@pytest.mark.parametrize("what", SECRETS)
def test_secrets_are_found_and_not_repeated(what: str) -> None:
    (problem,) = content.secrets_in({"a.py": f"import os\n{SECRETS[what]}\n".encode()})
    assert problem.field == "a.py:2"
    assert problem.message == f"looks like {what}"


@pytest.mark.parametrize(
    "line",
    [
        'password=context.secret("tenancy", "user_password"),',
        "  - path: /etc/systemd/system/borough-placeholder.service",
        'sha = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"',
        "deployment_id = '6f6d8a8e-0000-4000-8000-000000000001'",
        "https://docs.openstack.org/api-ref/compute/#list-servers",
        "x-secret: true",
        "    password: {type: string, title: Password}",
    ],
)
def test_ordinary_lines_are_no_secrets(line: str) -> None:
    assert content.secrets_in({"a.py": line.encode()}) == []


def test_the_bundled_blueprints_hold_no_secret() -> None:
    folder = Path(__file__).parents[3] / "blueprints"
    names = [f for f in folder.iterdir() if (f / "blueprint.yaml").exists()]
    assert len(names) >= 2
    assert [content.secrets_in(content.read_folder(f)) for f in names] == [[]] * len(names)


@pytest.mark.parametrize("part", ["a", "a-", "eyJ-", "password", "password=x", "-----BEGIN A "])
def test_a_long_line_is_looked_at_in_bounded_time(part: str) -> None:
    line = part * (200_000 // len(part))
    began = time.process_time()
    content.secrets_in({"data.txt": line.encode()})
    assert time.process_time() - began < 10  # hours, when the time grows with its square


def test_a_secret_in_a_long_line_is_found_where_pieces_meet() -> None:
    for before in range(600, 1100, 100):
        line = "x " * (before // 2) + SECRETS["a GitHub token"] + " y" * 1000
        assert content.secrets_in({"data.txt": line.encode()}), before


@pytest.mark.parametrize("names", [("a", "a/b"), ("x" * 256,), ("a/" * 200 + "b",)])
def test_what_no_folder_can_hold_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(Invalid):
        content.check(dict.fromkeys(names, b""))
