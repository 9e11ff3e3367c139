"""``borough blueprint`` and ``borough campaign`` against the running product."""

from pathlib import Path

import yaml

from tests.functional.conftest import Product

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"


def newer(folder: Path, version: str) -> Path:
    """Another version of the bundled object storage."""
    source = BLUEPRINTS / "object-storage"
    for path in source.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and "tests" not in path.parts:
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    document = yaml.safe_load((folder / "blueprint.yaml").read_text())
    document["version"] = version
    (folder / "blueprint.yaml").write_text(yaml.safe_dump(document, allow_unicode=True))
    return folder


def test_a_folder_is_compared_with_what_is_published(product: Product, tmp_path: Path) -> None:
    folder = newer(tmp_path / "storage", "1.98.0")
    same = product.cli("operator", "blueprint", "diff", str(folder))
    assert same.status == 0, same.err
    assert "It can be published." in same.out
    assert "It takes and gives the same." in same.out
    document = yaml.safe_load((folder / "blueprint.yaml").read_text())
    for part in ("inputs", "outputs"):
        name = next(iter(document[part]["properties"]))
        if part == "outputs":
            del document[part]["properties"][name]
    (folder / "blueprint.yaml").write_text(yaml.safe_dump(document, allow_unicode=True))
    broken = product.cli("operator", "blueprint", "diff", str(folder))
    assert broken.status == 1
    assert "publish it as" in broken.out


def test_a_blueprint_is_deprecated_retired_and_reinstated(product: Product) -> None:
    name = "object-storage"
    refused = product.cli("health.requester", "blueprint", "retire", name, "--yes")
    assert refused.status == 4
    past = product.cli("operator", "blueprint", "deprecate", name, "--until", "2001-01-01")
    assert past.status == 2
    assert "ends_at" in past.err
    said = product.cli(
        "operator", "blueprint", "deprecate", name, "--until", "2099-01-01", "--successor",
        "web-application", "-o", "json",
    )  # fmt: skip
    assert said.status == 0, said.err
    assert said.json["kind"] == "deprecated"
    gone = product.cli("operator", "blueprint", "retire", name, "--yes", "-o", "json")
    assert gone.json["successor"] == "web-application"
    back = product.cli("operator", "blueprint", "reinstate", name, "-o", "json")
    assert back.json["kind"] == "published"
    shown = product.cli("health.requester", "blueprint", "standing", name)
    assert "published" in shown.out
    users = product.cli("operator", "blueprint", "users", name, "-o", "json")
    assert users.status == 0, users.err


def test_a_source_is_added_read_and_removed(product: Product, tmp_path: Path) -> None:
    signers = tmp_path / "signers"
    signers.write_text("not a key\n")
    wrong = product.cli(
        "admin", "blueprint", "source", "add", "City!", "ssh://git@host/x", "--signed",
        "--allowed-signers", str(signers),
    )  # fmt: skip
    assert wrong.status == 2
    for field in ("slug", "url", "allowed_signers"):
        assert field in wrong.err
    token = tmp_path / "token"
    token.write_text("swordfish-token\n")
    made = product.cli(
        "admin", "blueprint", "source", "add", "closed", "https://127.0.0.1:9/blueprints",
        "--tag", "v1", "--user", "reader", "--password-file", str(token), "-o", "json",
    )  # fmt: skip
    assert made.status == 0, made.err
    assert made.json["has_password"] is True
    assert "swordfish" not in made.out
    refused = product.cli("admin", "blueprint", "source", "sync", "closed")
    assert refused.status == 1, refused.out
    assert "not a public address" in refused.out + refused.err
    shown = product.cli("operator", "blueprint", "source", "show", "closed")
    assert "not a public address" in shown.out
    assert product.cli("operator", "blueprint", "source", "remove", "closed", "--yes").status == 4
    gone = product.cli("admin", "blueprint", "source", "remove", "closed", "--yes")
    assert gone.status == 0, gone.err
    assert product.cli("admin", "blueprint", "source", "show", "closed").status == 3


def test_a_campaign_names_what_is_wrong_and_who_may(product: Product) -> None:
    wrong = product.cli(
        "operator", "campaign", "create", "Upgrade", "--blueprint", "object-storage",
        "--waves", "0,rest,1",
    )  # fmt: skip
    assert wrong.status == 2
    assert "waves.0" in wrong.err
    assert "waves.1" in wrong.err
    none = product.cli("operator", "campaign", "create", "Upgrade", "--blueprint", "object-storage")
    assert none.status == 2
    assert "are none that run another version" in none.err
    assert product.cli("health.requester", "campaign", "list").status == 4
    assert product.cli("operator", "campaign", "list").status == 0
    assert product.cli("operator", "campaign", "show", "cam_none").status == 3
