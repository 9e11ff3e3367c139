"""The devcloud's real OpenStack, Kubernetes and Pulumi, for the tests of this folder.

``./dev integration`` starts it. A test here never falls silently away: without the devcloud it
fails, and says so; only ``.ci/run`` may set ``BOROUGH_DEVCLOUD_SKIP_REASON``, when this machine
cannot carry the devcloud, and then every skipped test and the summary name that reason.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import kubernetes
import openstack
import psycopg
import pytest
from openstack.connection import Connection

from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.pulumi.cli import PulumiSettings, backend_url
from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.adapters.stack_locks import StackLocks
from control_plane.provisioning.ports import RegionAccess
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.database import Database
from tests.integration import lives, services
from tests.integration.seeds import EXTERNAL_NETWORK, IMAGE, OTHER_IMAGE, seed

WEB_IMAGE = "borough/web:1"
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "devcloud" / "devcloud.py"
SKIP = "BOROUGH_DEVCLOUD_SKIP_REASON"


def _program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("devcloud_program", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = os.environ.get(SKIP)
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents:
            continue
        # openstacksdk warns of calls that it makes itself
        for name in ("OpenStackDeprecationWarning", "_RemovedInSDKWarning"):
            item.add_marker(pytest.mark.filterwarnings(f"ignore::openstack.warnings.{name}"))
        if reason:
            item.add_marker(pytest.mark.skip(reason=f"devcloud: {reason}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reason = os.environ.get(SKIP)
    if reason:
        terminalreporter.write_line(f"SKIPPED: devcloud: {reason}", red=True, bold=True)
    if lives.RECORDS or lives.LACKS:
        terminalreporter.section("lives of the bundled blueprints on the devcloud")
        for line in lives.table():
            terminalreporter.write_line(line)


@dataclass(frozen=True)
class Devcloud:
    """Where the running devcloud is.

    Attributes:
        home: the folder that holds all of it.
        kubeconfig: the cluster administrator's configuration file.
        clouds: openstacksdk's ``clouds.yaml``; the administrator's cloud in it is ``osdev``.
        auth_url: Keystone's address.
        region: the OpenStack region's name.
    """

    home: Path
    kubeconfig: Path
    clouds: Path
    auth_url: str = "http://127.0.0.1:15000/v3"
    region: str = "RegionOne"


@pytest.fixture(scope="session")
def devcloud() -> Iterator[Devcloud]:
    """The running devcloud, with its variables set in this process's environment."""
    program = _program()
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "status"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.fail(
            f"the devcloud does not run; start it with ./dev integration\n{done.stdout}",
            pytrace=False,
        )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in program.environment().items():
            patch.setenv(name, value)
        home = Path(os.environ["BOROUGH_DEVCLOUD_HOME"])
        yield Devcloud(
            home=home,
            kubeconfig=Path(os.environ["KUBECONFIG"]),
            clouds=Path(os.environ["OS_CLIENT_CONFIG_FILE"]),
        )


@pytest.fixture(scope="session")
def osdev(devcloud: Devcloud) -> Iterator[Connection]:
    """The devcloud's OpenStack through openstacksdk, as its administrator.

    It has the flavors, the image and the external network of ``seeds``.
    """
    assert devcloud.clouds.is_file()
    with openstack.connect(cloud="osdev") as connection:
        seed(connection)
        yield connection


@pytest.fixture(scope="session")
def kube(devcloud: Devcloud) -> Iterator[kubernetes.client.ApiClient]:
    """The devcloud's Kubernetes through its client, as the cluster's administrator."""
    with kubernetes.config.new_client_from_config(str(devcloud.kubeconfig)) as client:
        yield client


@pytest.fixture
def pulumi_environment(devcloud: Devcloud, tmp_path: Path) -> dict[str, str]:
    """The environment of a Pulumi command whose state is this test's own.

    The built CLI and plugins are first on ``PATH``.
    """
    state = tmp_path / "pulumi-state"
    state.mkdir()
    return {
        **os.environ,
        "KUBECONFIG": str(devcloud.kubeconfig),
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_HOME": str(tmp_path / "pulumi-home"),
        "PULUMI_CONFIG_PASSPHRASE": "integration",
    }


@pytest.fixture(scope="session")
def host() -> Iterator[ProgramHost]:
    """What runs the programs of all tests."""
    host = ProgramHost()
    host.start()
    yield host
    host.close()


@pytest.fixture(scope="session")
def engine(
    host: ProgramHost,
    devcloud: Devcloud,
    postgres: EmbeddedPostgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[PulumiEngine]:
    """The real engine, with a state that lasts as long as the tests do."""
    admin = postgres.url("postgres").replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE engine_state TEMPLATE borough STRATEGY FILE_COPY")
    database = Database(postgres.url("engine_state"), pool_size=5)
    settings = PulumiSettings(
        home=tmp_path_factory.mktemp("engine") / "pulumi",
        backend_url=backend_url(database.url),
        search_path=str(devcloud.home / "bin"),
        install=False,
        environment={"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true"},
    )
    locks = StackLocks(database.url)
    yield PulumiEngine(host, settings, database=database, key=b"integration".ljust(32), locks=locks)
    locks.close()
    database.close()


@pytest.fixture(scope="session")
def web_image(devcloud: Devcloud) -> str:
    """An image that answers on the port of the web application's blueprint."""
    assert devcloud.home.is_dir()
    tool = str(ROOT / "devcloud" / "kubernetes" / "image.py")
    have = subprocess.run(
        [sys.executable, tool, "list"], capture_output=True, text=True, check=True
    )
    if WEB_IMAGE not in have.stdout:
        command = "python3 -m http.server 8080 --directory /data"
        build = [sys.executable, tool, "build", "--name", WEB_IMAGE, "--entrypoint", command]
        subprocess.run(build, check=True)
    return WEB_IMAGE


@pytest.fixture(scope="session")
def video_image(devcloud: Devcloud) -> str:
    """The image of Borough Video as this checkout has it."""
    assert devcloud.home.is_dir()
    return services.build_workload_image("video-analytics")


@pytest.fixture(scope="session")
def region(devcloud: Devcloud, osdev: Connection, web_image: str) -> RegionAccess:
    """The devcloud as a region of both kinds."""
    cloud: Any = osdev
    external = cloud.network.find_network(EXTERNAL_NETWORK)
    known = {f.name: f for f in cloud.compute.flavors()}
    images = {"default": IMAGE, "other": OTHER_IMAGE}
    sizes = {"s": "city.small", "m": "city.medium", "l": "city.large"}
    models = {"general": "metal.general", "storage": "metal.storage"}
    flavors: Any = {
        size: {
            "id": known[name].id,
            "vcpus": known[name].vcpus,
            "ram_gb": known[name].ram // 1024,
            "disk_gb": known[name].disk,
        }
        for size, name in sizes.items()
    }
    registered: Any = {
        model: {"id": known[name].id, "registered": 2} for model, name in models.items()
    }
    return RegionAccess(
        "reg_devcloud",
        frozenset({"openstack", "kubernetes"}),
        {
            "openstack": {
                "auth_url": devcloud.auth_url,
                "region_name": devcloud.region,
                "domain": "Default",
                "roles": {r.name: r.id for r in cloud.identity.roles()},
                "external_network_id": external.id,
                "external_network_name": external.name,
                "images": {ours: cloud.image.find_image(n).id for ours, n in images.items()},
                "flavors": flavors,
                "bare_servers": registered,
            },
            "kubernetes": {"web_image": web_image, "storage_class": "standard"},
        },
        {
            "openstack": {
                "user_name": "admin",
                "password": "admin-secret",
                "project_name": "admin",
            },
            "kubernetes": {"kubeconfig": devcloud.kubeconfig.read_text()},
        },
    )
