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

import kubernetes
import openstack
import pytest
from openstack.connection import Connection

from tests.integration.seeds import seed

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
