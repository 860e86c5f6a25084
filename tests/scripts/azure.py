"""What of Azure a deployment asks, on loopback: sign-in, the management API, the deployment endpoint, the app itself.

It answers the Azure CLI 2.91 as Azure does (read in its source, and in azure-rest-api-specs, Microsoft.Web 2025-05-01),
as far as `scripts/deploy` goes. One server over TLS is all of them: the paths tell them apart.
"""

import io
import json
import ssl
import threading
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from testbed.certificates import Authority

CLOUD = "Loopback"
TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT = "22222222-2222-4222-8222-222222222222"
CLIENT_SECRET = "the-service-principals-secret"
SUBSCRIPTION, OTHER_SUBSCRIPTION = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
NAMES = {SUBSCRIPTION: "Production", OTHER_SUBSCRIPTION: "Playground"}
GROUP, APP = "receivers-rg", "my-receivers"
SITE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Web/sites/{APP}"
PLAN = SITE.replace("/sites/", "/serverfarms/")
SKU = {"name": "FC1", "tier": "FlexConsumption", "family": "FC", "size": "FC1"}
SUCCEEDED = 4  # of a deployment
TOKEN = "token-of-the-service-principal"
ZIP = "application/zip"

type Json = dict[str, Any]

# Python 3.13 as Flex Consumption has it; az looks for the app's runtime among the stacks.
STACK: Json = {
    "name": "python",
    "properties": {
        "majorVersions": [
            {
                "minorVersions": [
                    {
                        "value": "3.13",
                        "stackSettings": {
                            "linuxRuntimeSettings": {
                                "appSettingsDictionary": {"FUNCTIONS_WORKER_RUNTIME": "python"},
                                "appInsightsSettings": {"isSupported": True},
                                "gitHubActionSettings": {"isSupported": True},
                                "Sku": [{"skuCode": "FC1"}],
                            }
                        },
                    }
                ]
            }
        ]
    },
}


@dataclass(slots=True)
class Refusal:
    """An answer that is given in place of the right one."""

    status: int
    document: Json | None


FORBIDDEN = Refusal(403, {"error": {"code": "AuthorizationFailed", "message": "does not have authorization"}})


@dataclass(slots=True)
class Azure:
    """What there is, what was asked, and what is to go wrong."""

    port: int = 0
    asked: list[str] = field(default_factory=list)  # method and path
    published: list[dict[str, str]] = field(default_factory=list)  # query and headers of each try to publish
    refusals: dict[str, deque[Refusal]] = field(default_factory=dict)  # by the end of a path, in order
    settings: dict[str, str] = field(default_factory=dict)  # app settings
    deployed: bytes = b""
    unhealthy: int = 0  # so many answers of the app are 503
    missing: list[str] = field(default_factory=list)  # of the app, to be ready
    stays: str = ""  # the version that the app goes on to show, though another was deployed

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def base_path(self) -> str:
        prefix = self.settings.get("AzureFunctionsJobHost__extensions__http__routePrefix", "")
        return f"/{prefix}" if prefix else ""

    @property
    def version(self) -> str:
        """What the app says that it is: what was deployed last."""
        if self.stays or not self.deployed:
            return self.stays
        with zipfile.ZipFile(io.BytesIO(self.deployed)) as archive:
            return archive.read("receivers/build.txt").decode().strip()

    def reset(self) -> None:
        """Nothing was asked, nothing is deployed, and nothing goes wrong."""
        self.asked, self.published, self.refusals, self.settings, self.missing = [], [], {}, {}, []
        self.deployed, self.unhealthy, self.stays = b"", 0, ""

    def refuse(self, path: str, *refusals: Refusal) -> None:
        """Answer the next requests for a path that ends so with these."""
        self.refusals[path] = deque(refusals)

    def count(self, path: str) -> int:
        """How often a path that ends so was asked for."""
        return sum(urlsplit(each.partition(" ")[2]).path.endswith(path) for each in self.asked)

    def refusal(self, path: str) -> Refusal | None:
        for end, waiting in self.refusals.items():
            if path.endswith(end) and waiting:
                return waiting.popleft()
        return None


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    azure: ClassVar[Azure]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._handle("GET")

    def do_POST(self) -> None:
        self._handle("POST")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Nothing is written."""

    def _handle(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        self.azure.asked.append(f"{method} {self.path}")
        if path.startswith(("/subscriptions", "/api/")) and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"error": {"code": "InvalidAuthenticationToken", "message": "no token"}})
            return
        refusal = self.azure.refusal(path)
        if refusal is not None:
            self._answer(refusal.status, refusal.document)
        else:
            self._answer(*self._found(method, path, body))

    def _answer(self, status: int, document: object) -> None:
        content = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _publish(self, body: bytes) -> tuple[int, Any]:
        """As Flex Consumption: a zip and nothing else, and never a build where none was asked for."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self.azure.published.append({**query, "content-type": self.headers.get("Content-Type", "")})
        if self.headers.get("Content-Type") != ZIP:
            return 415, {"Message": "The request entity's media type is not supported for this resource."}
        self.azure.deployed = body
        return 202, "deployment-1"

    def _found(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """The answer of whatever is at a path; case does not matter to the management API."""
        base = self.azure.base_path
        answers: dict[str, Callable[[], tuple[int, Any]]] = {
            "GET /metadata/endpoints": lambda: (200, self._cloud()),
            f"GET /{TENANT}/v2.0/.well-known/openid-configuration": lambda: (200, self._sign_in()),
            f"POST /{TENANT}/oauth2/v2.0/token": lambda: self._token(parse_qs(body.decode())),
            "GET /subscriptions": lambda: (200, {"value": [_subscription(each) for each in NAMES]}),
            "GET /providers/Microsoft.Web/locations/West%20Europe/functionAppStacks": lambda: (200, {"value": [STACK]}),
            f"GET {SITE}": lambda: (200, self._site()),
            f"GET {PLAN}": lambda: (200, {"id": PLAN, "name": APP, "location": "West Europe", "sku": SKU}),
            f"POST {SITE}/config/appsettings/list": lambda: (200, {"properties": self.azure.settings}),
            f"POST {SITE}/config/configreferences/appsettings/refresh": lambda: (200, {"value": []}),
            f"POST {SITE}/host/default/listkeys": lambda: (200, {"masterKey": "master-key"}),
            "POST /api/publish": lambda: self._publish(body),
            "GET /api/deployments/latest": lambda: (200, {"id": "deployment-1", "status": SUCCEEDED}),
            "GET /admin/host/status": lambda: (200, {"state": "Running"}),
            f"GET {base}/healthz": lambda: self._app(path),
            f"GET {base}/readyz": lambda: self._app(path),
        }
        by_path = {known.lower(): answer for known, answer in answers.items()}
        nothing = {"error": {"code": "ResourceNotFound", "message": f"nothing at {path}"}}
        return by_path.get(f"{method} {path}".lower(), lambda: (404, nothing))()

    def _app(self, path: str) -> tuple[int, Any]:
        if self.azure.unhealthy > 0:
            self.azure.unhealthy -= 1
            return 503, None
        if path.endswith("healthz"):
            return 200, None
        ready = not self.azure.missing
        document = {"ready": ready, "missing": self.azure.missing, "version": self.azure.version}
        return (200 if ready else 503), document

    def _cloud(self) -> Json:
        """What `az cloud register` asks for. https://learn.microsoft.com/cli/azure/cloud"""
        url = self.azure.url
        return {
            "name": CLOUD,
            "authentication": {"loginEndpoint": url, "audiences": [url], "tenant": TENANT, "identityProvider": "AAD"},
            "resourceManager": url,
            "appServiceResourceId": url,
            "suffixes": {},
        }

    def _sign_in(self) -> Json:
        base = f"{self.azure.url}/{TENANT}"
        return {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
        }

    def _token(self, form: dict[str, list[str]]) -> tuple[int, Json]:
        if form.get("client_secret") != [CLIENT_SECRET]:
            return 401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret"}
        return 200, {"token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN}

    def _site(self) -> Json:
        host = f"localhost:{self.azure.port}"
        return {
            "id": SITE,
            "name": APP,
            "type": "Microsoft.Web/sites",
            "kind": "functionapp,linux",
            "location": "West Europe",
            "properties": {
                "state": "Running",
                "reserved": True,
                "sku": "FlexConsumption",
                "serverFarmId": PLAN,
                "defaultHostName": host,
                "hostNameSslStates": [
                    {"name": host, "hostType": "Standard", "sslState": "Disabled"},
                    {"name": host, "hostType": "Repository", "sslState": "Disabled"},
                ],
                "functionAppConfig": {"runtime": {"name": "python", "version": "3.13"}},
                "siteConfig": {},
            },
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust this server tells it itself."""


def _subscription(identifier: str) -> Json:
    return {
        "id": f"/subscriptions/{identifier}",
        "subscriptionId": identifier,
        "tenantId": TENANT,
        "displayName": NAMES[identifier],
        "state": "Enabled",
        "subscriptionPolicies": {},
    }


@contextmanager
def simulated(folder: Path) -> Iterator[tuple[Azure, Path]]:
    """A simulation that answers, and the certificate of the authority to trust."""
    authority = Authority(folder)
    certificate, key = authority.server()
    azure = Azure()
    handler = type("Handler", (Handler,), {"azure": azure})
    with _Server(("127.0.0.1", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # Each connection does its handshake in its own thread.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        azure.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield azure, authority.certificate
        finally:
            server.shutdown()
            thread.join()
