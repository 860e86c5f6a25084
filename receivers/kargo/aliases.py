"""One name for a registry that has several, so that a push finds its subscriptions whichever name either side writes.

Kargo compares what is written. So does :mod:`receivers.kargo.urls`; this is a step of its own, for the index's keys.

* A trailing dot and the scheme's usual port say nothing.
* Azure: ``<registry>.<region>.geo.azurecr.io`` is ``<registry>.azurecr.io``. A domain name label, as in
  ``<registry>-<hash>.azurecr.io``, is a part of the registry's name: without it, it is somebody else's.
  https://learn.microsoft.com/azure/container-registry/container-registry-geo-replication
* Amazon: FIPS and dual-stack endpoints of one account and region, and of the public gallery.
  https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html
* Google: a repository named ``gcr.io`` in Artifact Registry is what ``gcr.io`` serves.
  https://cloud.google.com/artifact-registry/docs/transition/setup-gcr-repo
* Docker Hub: the names that Kargo knows, with their port, and one more.
"""

import re

_PORTS = {"": "443", "https://": "443", "http://": "80"}  # by scheme; an image or OCI chart is written without one

_HOSTS = (
    (re.compile(r"([a-z0-9-]+)\.[a-z0-9-]+\.geo\.azurecr\.(io|cn|us)"), r"\1.azurecr.\2"),
    (
        re.compile(
            r"([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\."
            r"(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)"
        ),
        r"\1.dkr.ecr.\2.amazonaws.com",
    ),
    (re.compile(r"ecr-public\.aws\.com"), "public.ecr.aws"),
)
_LONGEST_HOST = 253  # characters, of a DNS name: what is longer is none of these

# The repositories of Artifact Registry that stand for a host of Container Registry, by the host they are in
_GOOGLE = {
    "us-docker.pkg.dev": {"gcr.io", "us.gcr.io"},
    "europe-docker.pkg.dev": {"eu.gcr.io"},
    "asia-docker.pkg.dev": {"asia.gcr.io"},
}

_DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})


def canonical(url: str) -> str:
    """The one key of a normalised URL. What has no registry in it, or none that is well-formed, is its own key."""
    scheme = next((each for each in ("https://", "http://") if url.startswith(each)), "")
    authority, slash, path = url[len(scheme) :].partition("/")
    host = _host(authority, usual_port=_PORTS[scheme])
    if not host or not (slash or scheme):
        return url
    if not scheme and host in _DOCKER_HUB:
        return _docker_hub(path) or url
    if not scheme and host in _GOOGLE:
        host, path = _google(host, path)
    key = f"{scheme}{_preferred(host)}{slash}{path}"
    return url if key == url else key


def _host(authority: str, *, usual_port: str) -> str:
    """A registry's host, without its usual port; ``""`` for what is none, as the first part of Docker Hub's paths."""
    has_port = not authority.endswith("]")
    name, _, port = authority.rpartition(":") if has_port and ":" in authority else (authority, "", "")
    name = name.rstrip(".")
    if ":" in name and not name.endswith("]"):
        return ""
    if not (name == "localhost" or "." in name or ":" in name):
        return ""
    return name if port in {"", usual_port} else f"{name}:{port}"


def _preferred(host: str) -> str:
    if "ecr" not in host or len(host) > _LONGEST_HOST:  # none of them, which is found out sooner than by the table
        return host
    for pattern, preferred in _HOSTS:
        match = pattern.fullmatch(host)
        if match:
            return match.expand(preferred)
    return host


def _docker_hub(path: str) -> str:
    """Docker Hub's repositories are written without a host; not one that would read as a host itself."""
    name = path.removeprefix("library/")
    first, slash, _ = name.partition("/")
    return f"docker.io/{path}" if slash and _host(first, usual_port="") else name


def _google(host: str, path: str) -> tuple[str, str]:
    """Of a project that belongs to a domain, the name has two parts: ``example.com/project``."""
    elements = path.split("/")
    position = 2 if "." in elements[0] else 1
    if len(elements) > position + 1 and elements[position] in _GOOGLE[host]:
        return elements[position], "/".join(elements[:position] + elements[position + 1 :])
    return host, path
