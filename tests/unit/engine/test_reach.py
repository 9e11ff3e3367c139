"""What a hostile blueprint may not have the engine do: run code, read files, go elsewhere."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import resource_pb2

from control_plane.adapters.program_host import values
from control_plane.adapters.pulumi.reach import PACKAGES, Reach
from control_plane.provisioning.ports import (
    DeploymentContext,
    Program,
    ProgramError,
    RegionAccess,
    Run,
    StackRef,
)

KUBECONFIG = json.dumps({"clusters": [{"cluster": {"server": "https://cluster"}}], "users": []})
HOSTILE = json.dumps(
    {"clusters": [], "users": [{"user": {"exec": {"command": "/bin/sh", "args": ["-c", "id"]}}}]}
)
AUTH_URL = "https://identity.example/v3"
PROVIDER = "urn:pulumi:s::p::pulumi:providers:openstack::cloud::1-2"
RUN = Run(
    StackRef("dep_1", "p", "s"),
    Program(Path(), ""),
    {},
    RegionAccess(
        "reg_1",
        PACKAGES,
        {"openstack": {"auth_url": AUTH_URL, "cacert": "/etc/ssl/city.pem"}},
        {"openstack": {"password": "pw"}, "kubernetes": {"kubeconfig": KUBECONFIG}},
    ),
    DeploymentContext("dep_1", "shop", "health"),
)


def registration(type_: str, inputs: dict[str, Any] | None = None, **more: Any) -> Any:
    request: Any = resource_pb2.RegisterResourceRequest(
        **{"type": type_, "name": "x", "custom": True, "provider": PROVIDER, **more}
    )
    values.write_struct(inputs or {}, request.object)
    return request


def provider(package: str, **inputs: Any) -> Any:
    return registration(f"pulumi:providers:{package}", inputs, provider="")


def refused(request: Any) -> str:
    with pytest.raises(ProgramError) as caught:
        Reach(RUN, PACKAGES).check_registration(request)
    return caught.value.message


SERVER = "openstack:compute/instance:Instance"


DECLARED = {
    "stack": registration("pulumi:pulumi:Stack", custom=False, provider=""),
    "component": registration("city:index:Group", custom=False, provider=""),
    "server": registration(SERVER, {"name": "n", "imageId": {"$unknown": True}}),
    "secret": registration("kubernetes:core/v1:Secret", {"data": {"$clear": {"a": "b"}}}),
    "cloud": provider("openstack", authUrl=AUTH_URL, password={"$clear": "anything"}),
    "certificate": provider("openstack", authUrl=AUTH_URL, cacertFile="/etc/ssl/city.pem"),
    "cluster": provider("kubernetes", kubeconfig={"$clear": KUBECONFIG}, enablePatchForce="true"),
    "cluster to be": provider("kubernetes", kubeconfig={"$unknown": True}),
}


@pytest.mark.parametrize("name", DECLARED)
def test_what_blueprints_do(name: str) -> None:
    Reach(RUN, PACKAGES).check_registration(DECLARED[name])


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        ("command:local:Command", "provider command"),
        ("pulumi-python:dynamic:Resource", "provider pulumi-python"),
        ("pulumi-nodejs:dynamic:Resource", "provider pulumi-nodejs"),
        ("pulumi:pulumi:StackReference", "provider pulumi"),
        ("docker:index/container:Container", "provider docker"),
        ("kubernetes:helm.sh/v3:Release", "reads files"),
        ("kubernetes:yaml/v2:ConfigFile", "reads files"),
        ("kubernetes:kustomize/v2:Directory", "reads files"),
    ],
)
def test_providers_that_run_code_or_read_files(type_: str, words: str) -> None:
    assert words in refused(registration(type_))
    with pytest.raises(ProgramError):
        Reach(RUN, PACKAGES).check_reading(
            resource_pb2.ReadResourceRequest(type=type_, name="x", id="1", provider=PROVIDER)
        )


@pytest.mark.parametrize(
    "more",
    [
        {"pluginDownloadURL": "https://plugins.example"},
        {"pluginChecksums": {"linux-amd64": b"x"}},
        {"packageRef": "0000"},
        {"provider": ""},
        {"remote": True},
    ],
)
def test_another_plugin_or_the_platforms_own_surroundings(more: dict[str, Any]) -> None:
    refused(registration(SERVER, **more))


@pytest.mark.parametrize(
    ("package", "inputs", "words"),
    [
        ("command", {}, "provider command"),
        ("kubernetes", {}, "without kubeconfig"),
        ("kubernetes", {"kubeconfig": ""}, "without kubeconfig"),
        ("kubernetes", {"kubeconfig": HOSTILE}, "kubeconfig of its own"),
        ("kubernetes", {"kubeconfig": {"$clear": HOSTILE}}, "kubeconfig of its own"),
        ("kubernetes", {"kubeconfig": "/home/worker/.kube/config"}, "kubeconfig of its own"),
        ("kubernetes", {"kubeconfig": KUBECONFIG, "renderYamlToDirectory": "/x"}, "render"),
        ("openstack", {}, "without authUrl"),
        ("openstack", {"authUrl": "http://169.254.169.254"}, "authUrl of its own"),
        ("openstack", {"authUrl": AUTH_URL, "cloud": "admin"}, "cloud"),
        ("openstack", {"authUrl": AUTH_URL, "key": "/etc/borough/key"}, "key of its own"),
        (
            "openstack",
            {"authUrl": AUTH_URL, "endpointOverrides": '{"compute": "http://db:5432"}'},
            "endpointOverrides of its own",
        ),
    ],
)
def test_a_provider_that_goes_elsewhere(package: str, inputs: dict[str, Any], words: str) -> None:
    assert words in refused(provider(package, **inputs))


def test_the_environment_of_the_plugin_is_not_mapped() -> None:
    mapped = provider("openstack", authUrl=AUTH_URL)
    mapped.envVarMappings["PULUMI_CONFIG_PASSPHRASE"] = "OS_USERNAME"
    refused(mapped)


def test_a_tenancys_own_credentials_are_given_by_the_platform_too() -> None:
    own = json.dumps({"clusters": [], "users": [{"name": "tenant"}]})
    place = replace(RUN.deployment, tenancy_secrets={"kubeconfig": own})
    reach = Reach(replace(RUN, deployment=place), PACKAGES)
    reach.check_registration(provider("kubernetes", kubeconfig=own))


@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        ("openstack:images/image:Image", {"localFilePath": "/home/worker/.borough/keys/ring"}),
        ("openstack:images/image:Image", {"imageSourceUrl": "http://169.254.169.254/"}),
        ("openstack:objectstorage/containerObject:ContainerObject", {"source": "/etc/passwd"}),
    ],
)
def test_files_of_the_worker_are_not_sent_away(type_: str, inputs: dict[str, Any]) -> None:
    refused(registration(type_, inputs))


def test_an_asset_is_text() -> None:
    def asset(**content: str) -> Any:
        found = registration("openstack:compute/keypair:Keypair")
        marked = {values.SIGNATURE: values.ASSETS[0], **content}
        found.object.fields["x"].CopyFrom(
            struct_pb2.Value(struct_value=_struct({"deep": [marked]}))
        )
        return found

    assert "file of the worker" in refused(asset(path="/etc/passwd"))
    assert "address to fetch" in refused(asset(uri="http://db:5432"))
    text = base64.b64encode(b"words").decode()
    Reach(RUN, PACKAGES).check_registration(asset(text=text))


def _struct(tree: dict[str, Any]) -> struct_pb2.Struct:
    found = struct_pb2.Struct()
    found.update(tree)
    return found


@pytest.mark.parametrize(
    ("token", "given"),
    [
        ("kubernetes:helm:template", PROVIDER),
        ("kubernetes:kustomize:directory", PROVIDER),
        ("pulumi:pulumi:readStackOutputs", PROVIDER),
        ("command:local:run", PROVIDER),
        ("openstack:identity/getRole:getRole", ""),
    ],
)
def test_functions_that_read_where_the_plugin_runs(token: str, given: str) -> None:
    with pytest.raises(ProgramError):
        Reach(RUN, PACKAGES).check_invoke(
            resource_pb2.ResourceInvokeRequest(tok=token, provider=given)
        )


def test_a_look_up_in_the_region() -> None:
    Reach(RUN, PACKAGES).check_invoke(
        resource_pb2.ResourceInvokeRequest(
            tok="openstack:identity/getRole:getRole", provider=PROVIDER
        )
    )
