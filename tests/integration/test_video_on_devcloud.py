"""Borough Video as real pods: its image built here, deployed by its blueprint, renewed, returned."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import kubernetes
import pytest

from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.provisioning.graph import ApplyResult
from tests.integration import services
from tests.integration.conftest import Devcloud
from tests.integration.services import ROOT, Service

IMAGES = ROOT / "devcloud" / "kubernetes" / "workload_images.py"


@pytest.fixture(scope="module")
def image() -> str:
    """The workload's image, built when the cluster does not have it."""
    made = subprocess.run(
        [sys.executable, str(IMAGES), "video-analytics"], check=True, capture_output=True, text=True
    )
    return made.stdout.split()[-1]
