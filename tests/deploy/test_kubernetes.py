"""The manifests: what Kubernetes' API says of them, and whether they agree with the service that they run."""

import re
from typing import Any

import pytest
import yaml

from service.cli import command_line
from service.settings import Settings
from service.supervisor import KILL_MARGIN_SECONDS
from tests.servers.kubernetes import KubernetesApi

from .stack import ROOT

KINDS = {
    "ConfigMap", "CronJob", "Deployment", "HorizontalPodAutoscaler", "Ingress", "Namespace",
    "PodDisruptionBudget", "Secret", "Service", "ServiceAccount",
}  # fmt: skip
Manifests = list[dict[str, Any]]


def one(manifests: Manifests, kind: str) -> dict[str, Any]:
    """The only object of a kind."""
    (found,) = [each for each in manifests if each["kind"] == kind]
    return found


def container(manifests: Manifests) -> dict[str, Any]:
    """The service's."""
    (found,) = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def cluster(api: KubernetesApi, manifests: Manifests) -> KubernetesApi:
    """With the namespace, without which nothing can be put into it."""
    done = api.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(one(manifests, "Namespace")))
    assert done.returncode == 0, done.stderr
    return api


def test_a_cluster_takes_all_of_it_without_a_warning(cluster: KubernetesApi, manifests: Manifests) -> None:
    """Fields, types, limits of names and the Pod Security level of the namespace, by the API itself."""
    assert {each["kind"] for each in manifests} == KINDS
    done = try_to_apply(cluster, manifests)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert len(done.stdout.splitlines()) == len(manifests)


MISTAKES = {
    "misspelt field": (("spec", "template", "spec", "containers", 0, "readinesProbe"), {}, "readinesProbe: field not declared"),
    "no number": (("spec", "replicas"), "two", "replicas"),
    "another app's pods": (("spec", "selector", "matchLabels", "app"), "feast", "selector"),
    "a root user": (("spec", "template", "spec", "securityContext", "runAsNonRoot"), False, "violate PodSecurity"),
    "no such port": (("spec", "template", "spec", "containers", 0, "ports", 0, "containerPort"), 65660, "containerPort"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told(cluster: KubernetesApi, manifests: Manifests, name: str) -> None:
    """The check above can fail."""
    path, value, said = MISTAKES[name]
    deployment = yaml.safe_load(yaml.safe_dump(one(manifests, "Deployment")))
    *way, last = path
    place = deployment
    for step in way:
        place = place[step]
    place[last] = value
    done = try_to_apply(cluster, [deployment])
    assert said in done.stderr


def try_to_apply(cluster: KubernetesApi, manifests: Manifests) -> Any:
    """Ask the API, and change nothing."""
    documents = yaml.safe_dump_all(manifests)
    return cluster.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", stdin=documents)


def test_the_command_line_is_one_that_the_service_has(manifests: Manifests) -> None:
    """The port is the one that probes and Service are sent to."""
    options = command_line().parse_args(container(manifests)["args"])
    assert (options.command, options.host, options.port) == (
        "serve",
        "0.0.0.0",
        container(manifests)["ports"][0]["containerPort"],
    )
    service = one(manifests, "Service")["spec"]
    assert (service["ports"][0]["port"], service["ports"][0]["targetPort"]) == (6566, container(manifests)["ports"][0]["name"])


def test_the_environment_is_what_the_configuration_asks_for(manifests: Manifests) -> None:
    """Every variable of feature_store.yaml and features.py, and no setting that there isn't."""
    given = {**one(manifests, "ConfigMap")["data"], **one(manifests, "Secret")["data"]}
    repo = ROOT / "feast-repo" / "customer_features"
    asked = set(re.findall(r"^[^#\n]*\$\{(\w+)\}", (repo / "feature_store.yaml").read_text(), re.MULTILINE))
    asked |= set(re.findall(r'environ\.get\("(\w+)"', (repo / "features.py").read_text()))
    assert len(asked) == 4
    assert asked <= given.keys()
    settings = {f"FEATURE_SERVICE_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in given if name.startswith("FEATURE_SERVICE_")} <= settings


def test_probes_and_ingress_lead_to_routes(manifests: Manifests, documented_paths: set[str]) -> None:
    """Not one path is unknown to the service; what mustn't be reached from outside isn't."""
    probes = {container(manifests)[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    ingresses = [each for each in manifests if each["kind"] == "Ingress"]
    led = {path["path"] for each in ingresses for path in each["spec"]["rules"][0]["http"]["paths"]}
    assert probes == {"/health", "/health/ready"}
    assert led == {"/get-online-features", "/validate", "/catalog", "/health", "/push"}
    assert probes | led <= documented_paths


def test_limits_and_spans_are_the_services_own(manifests: Manifests) -> None:
    """The controller lets through what the service takes; a pod isn't killed while requests that it took are running."""
    settings = Settings()
    for ingress in (each for each in manifests if each["kind"] == "Ingress"):
        annotations = ingress["metadata"]["annotations"]
        assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == f"{settings.max_body_bytes >> 20}m"
    pod = one(manifests, "Deployment")["spec"]["template"]["spec"]
    pause = container(manifests)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > pause + settings.shutdown_grace_seconds + KILL_MARGIN_SECONDS
