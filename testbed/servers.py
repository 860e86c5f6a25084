"""API servers that the tests run against: the embedded one, and a real kube-apiserver with its etcd.

Tests take them by fixture (tests/conftest.py):

``api_server``           both, one after the other
``real_api_server``      the real one; skipped, with the reason, where its programs are absent (``make envtest``)
``embedded_api_server``  the embedded one

A server is emptied before each test and runs; what a test stops or pauses is started or resumed for the next.
It is an :class:`ApiServer`::

    server.name                          "embedded" or "real"
    server.supports                      what it has of "rbac", "tls", "etcd", "history" (outlives a restart)
    server.url, server.ca_file           the CA's file, None without TLS
    server.token("kargo-receivers")      bearer token of a user of USERS
    server.kubeconfig("admin")           path; url= that of a proxy, certificate=True for a client certificate
    await server.request("GET", path)    -> Answer(status, body), as the admin unless user= says otherwise
    await server.apply(warehouse, secret)     creates or merges, status too, and makes missing namespaces
    await server.get("Warehouse", "guestbook", "kargo-demo")       the object, or None
    await server.every("Warehouse")      those of namespace=, or all
    await server.patch("Warehouse", "guestbook", "kargo-demo", {"metadata": …})      merges
    await server.delete("Warehouse", "guestbook", "kargo-demo")
    await server.allow_secrets("kargo-demo")     lets kargo-receivers read the Secrets of a namespace
    await server.stop()                  kill -9
    await server.start()                 on the same port; ready when it returns. The real one has its data and history,
                                         the embedded one its objects, but a new history: a watch gets 410
    server.pause(), server.resume()      connections stay open and hang
    server.pause_etcd(), server.resume_etcd()        the real one only: requests that need the database hang

Users: "admin" may do anything; "kargo-receivers" has the rights of rbac.yaml and no others; "nobody" has none.

KARGO_CRDS chooses the definitions of Kargo's kinds: a folder, or "minimal" for the ones in crds/. Without it, those
that Kargo ships are used when they are at hand.
"""

import asyncio
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, override
from urllib.parse import urlsplit

import aiohttp
import yaml

from testbed.certificates import Authority
from testbed.processes import Process, free_port
from testbed.requests import (
    EMPTIED,
    MERGE,
    WITH_STATUS,
    Answer,
    Json,
    Object,
    apply,
    collection_of,
    documents,
    path_of,
    remove_namespace,
    send,
    type_of,
)
from testbed.waiting import eventually

__all__ = ["Answer", "ApiServer", "EmbeddedServer", "Json", "Object", "RealServer", "documents", "path_of"]

HERE = Path(__file__).parent
ROOT = HERE.parent
SHIPPED_CRDS = ROOT.parent / "shared" / "kargo-crds"
PLAIN_NAME = "plain.test"  # by which the real server shows a certificate of an authority without key identifiers
USERS = {"admin": ("system:masters",), "kargo-receivers": (), "nobody": ()}
PROMOTIONS_ROLE = "kargo-receivers-promotions"
READY_WITHIN = 60.0  # seconds; it takes one, on a machine with nothing else to do
AT_ONCE = 16  # requests in flight while objects are applied
# Some objects of the tests are nested deeper than Python reads.
METADATA_ONLY = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"}
HOW_TO_GET_A_REAL_SERVER = "needs kube-apiserver and etcd, which `make envtest` builds"


class ApiServer:
    """What the two servers have in common. The module's description lists what tests use."""

    name: str
    supports: frozenset[str]
    url: str
    ca_file: Path | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder  # logs, certificates and kubeconfigs
        self.port = free_port()
        self._namespaces: set[str] = set()
        self._ready_when_answered: tuple[str, ...] = ("/readyz",)  # all of them with 200

    @property
    def process(self) -> Process:
        """The API server's process."""
        raise NotImplementedError

    def token(self, user: str) -> str:
        """The bearer token of a user of USERS."""
        assert user in USERS
        return f"token-of-{user}"

    def kubeconfig(self, user: str, *, url: str | None = None, certificate: bool = False) -> Path:
        """A kubeconfig with the user's token, or its client certificate. ``url`` is that of a proxy in front."""
        path = self.folder / f"kubeconfig-{user}-{urlsplit(url or self.url).port}-{certificate}"
        cluster: Object = {"server": url or self.url}
        if self.ca_file and cluster["server"].startswith("https"):
            cluster["certificate-authority"] = str(self.ca_file)
        credentials = self._client_certificate(user) if certificate else {"token": self.token(user)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user}}],
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": user, "user": credentials}],
        }
        path.write_text(yaml.safe_dump(document))
        return path

    def _client_certificate(self, user: str) -> dict[str, str]:
        raise NotImplementedError

    @asynccontextmanager
    async def session(self, user: str = "admin") -> AsyncIterator[aiohttp.ClientSession]:
        """An HTTP client with the user's token, for requests that this class has no method for."""
        context = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else False
        sockets: list[socket.socket] = []

        def connect(address: aiohttp.AddrInfoType) -> socket.socket:
            sockets.append(socket.socket(*address[:3]))
            return sockets[-1]

        try:
            async with aiohttp.ClientSession(
                self.url,
                connector=aiohttp.TCPConnector(ssl=context, limit=AT_ONCE, socket_factory=connect),
                headers={"Authorization": f"Bearer {self.token(user)}"},
            ) as session:
                yield session
        finally:
            # To end TLS takes the server's consent, and after the test there is no event loop that would wait for it.
            await eventually(lambda: all(each.fileno() < 0 for each in sockets))

    async def request(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        user: str = "admin",
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. ``path`` may carry a query; ``body`` is sent as JSON, bytes as they are."""
        async with self.session(user) as session:
            return await send(session, method, path, body, content_type=content_type, headers=headers)

    async def apply(self, *objects: Mapping[str, Any]) -> list[Object]:
        """Creates each object, or merges it into the one that is there; returns them as they are then.

        ``status`` is written as Kargo's controllers do. Namespaces that are missing are made.
        """
        async with self.session() as session:
            for each in objects:
                namespace = each["metadata"].get("namespace")
                if namespace and namespace not in self._namespaces:
                    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
                    (await send(session, "POST", "/api/v1/namespaces", made)).expect(201, 409)
                    await self._wait_until_open(session, namespace)
                    self._namespaces.add(namespace)
            room = asyncio.Semaphore(AT_ONCE)

            async def one(each: Mapping[str, Any]) -> Object:
                async with room:
                    return await apply(session, each)

            return await asyncio.gather(*map(one, objects))

    async def _wait_until_open(self, session: aiohttp.ClientSession, namespace: str) -> None:
        """Returns when objects can be made in a namespace that is new."""

    async def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """The object, or None."""
        answer = await self.request("GET", path_of(kind, name, namespace))
        found: Object = answer.expect(200, 404)
        return found if answer.status == http.client.OK else None

    async def every(self, kind: str, namespace: str | None = None) -> list[Object]:
        """The objects of a kind, in one namespace or in all."""
        items: list[Object] = (await self.request("GET", path_of(kind, None, namespace))).expect(200)["items"]
        return items

    async def patch(self, kind: str, name: str, namespace: str | None, patch: Json, *, subresource: str = "") -> Object:
        """Merges the patch into the object; returns it as it is then. ``subresource``: "/status"."""
        path = path_of(kind, name, namespace) + subresource
        answer = await self.request("PATCH", path, patch, content_type=MERGE)
        patched: Object = answer.expect(200)
        return patched

    async def delete(self, kind: str, name: str, namespace: str | None = None) -> None:
        """Deletes the object. One that is not there is fine."""
        (await self.request("DELETE", path_of(kind, name, namespace))).expect(200, 202, 404)

    async def allow_secrets(self, namespace: str, *, user: str = "kargo-receivers") -> None:
        """Lets the user read the Secrets of a namespace. Means nothing where there is no RBAC."""
        if "rbac" in self.supports:
            group = {"apiGroup": "rbac.authorization.k8s.io"}
            binding = {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": f"secrets-{user}", "namespace": namespace},
                "roleRef": group | {"kind": "ClusterRole", "name": "kargo-receivers-secrets"},
                "subjects": [group | {"kind": "User", "name": user}],
            }
            await self.apply(binding)
            await self._wait_until_allowed(path_of("Secret", "any", namespace), user=user)

    async def allow_promotions(self, *, user: str = "kargo-receivers") -> None:
        """Lets the user follow and refresh Promotions until the next :meth:`clean`. As :meth:`allow_secrets` else."""
        if "rbac" in self.supports:
            group = {"apiGroup": "rbac.authorization.k8s.io"}
            binding = {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": PROMOTIONS_ROLE},
                "roleRef": group | {"kind": "ClusterRole", "name": PROMOTIONS_ROLE},
                "subjects": [group | {"kind": "User", "name": user}],
            }
            await self.apply(binding)
            await self._wait_until_allowed(path_of("Promotion"), user=user)

    async def _wait_until_allowed(self, path: str, *, user: str) -> None:
        """A real server's authoriser learns of a binding a moment after it was written."""
        deadline = time.monotonic() + READY_WITHIN
        while (await self.request("GET", path, user=user)).status == http.client.FORBIDDEN:
            assert time.monotonic() < deadline, f"{user} may not read {path}"
            await asyncio.sleep(0.01)

    async def clean(self) -> None:
        """Starts or resumes what a test left stopped, and removes every object that tests make."""
        await self.start()
        self._namespaces.clear()
        if "rbac" in self.supports:
            await self.delete("ClusterRoleBinding", PROMOTIONS_ROLE)
        async with self.session() as session:
            for kind in EMPTIED:
                answer = await send(session, "GET", path_of(kind), headers=METADATA_ONLY)
                if answer.status == http.client.NOT_FOUND:
                    continue
                for folder in sorted({collection_of(kind, each) for each in answer.expect(200)["items"] or ()}):
                    if "/namespaces/kube-" not in folder:
                        (await send(session, "DELETE", folder, headers=METADATA_ONLY)).expect(200)
            for each in (await send(session, "GET", "/api/v1/namespaces")).expect(200)["items"]:
                await remove_namespace(session, each["metadata"]["name"])

    async def start(self) -> None:
        """Starts what is stopped and resumes what is paused. The server is ready when this returns."""
        await asyncio.to_thread(self.launch)

    def launch(self) -> None:
        """As :meth:`start`, and blocks."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Kills the API server."""
        self.process.kill()

    def close(self) -> None:
        """Ends its processes."""
        self.process.kill()

    def pause(self) -> None:
        """Freezes the API server: its connections stay open, and nothing answers."""
        self.process.pause()

    def resume(self) -> None:
        """Ends a pause."""
        self.process.resume()

    def wait_until_ready(self) -> None:
        """Returns when the server says that it is ready. Fails with the end of its log when it does not."""
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline and self.process.alive:
            if all(self._answers(path) for path in self._ready_when_answered):
                return
            time.sleep(0.02)
        raise AssertionError(f"{self.name} API server did not become ready; {self.process.log}:\n{self._log()}")

    def _log(self) -> str:
        return self.process.last_lines()

    def _answers(self, path: str) -> bool:
        if self.ca_file:
            context = ssl.create_default_context(cafile=self.ca_file)
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, context=context, timeout=5
            )
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token('admin')}"})
            return connection.getresponse().status == http.client.OK
        except (ConnectionError, TimeoutError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class EmbeddedServer(ApiServer):
    """``python -m receivers.local.embedded`` in a process of its own."""

    name = "embedded"
    supports = frozenset[str]()

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = f"http://127.0.0.1:{self.port}"
        self._kept = folder / "kept.yaml"
        self._kept.write_text("")
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "receivers.local.embedded",
            "--port",
            str(self.port),
            "--load",
            self._kept,
        ]
        self._process = Process(command, log=folder / "embedded.log", folder=ROOT)

    @property
    def process(self) -> Process:
        return self._process

    def launch(self) -> None:
        self.resume()
        if not self.process.alive:
            self.process.start()
        self.wait_until_ready()

    async def stop(self) -> None:
        self.resume()  # its objects are asked for
        kinds = ("Namespace", *WITH_STATUS, "Secret")
        objects = [each | type_of(kind) for kind in kinds for each in await self.every(kind)]
        self._kept.write_text(yaml.safe_dump_all(json.loads(json.dumps(objects))))
        await super().stop()

    async def clean(self) -> None:
        await super().clean()
        self._kept.write_text("")


class RealServer(ApiServer):
    """kube-apiserver with its etcd, with RBAC and Kargo's kinds."""

    name = "real"
    supports = frozenset({"rbac", "tls", "etcd", "history"})

    def __init__(self, folder: Path, programs: Path, *, flags: Sequence[str] = ()) -> None:
        super().__init__(folder)
        self.url = f"https://127.0.0.1:{self.port}"
        self._authority = Authority(folder)
        self.ca_file = self._authority.certificate
        (folder / "plain").mkdir()
        self.plain_authority = Authority(folder / "plain", plain=True)  # signs the server's certificate for PLAIN_NAME
        etcd_url = f"http://127.0.0.1:{free_port()}"
        etcd: list[str | Path] = [
            programs / "etcd",
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={etcd_url}",
            f"--advertise-client-urls={etcd_url}",
            "--listen-peer-urls=http://127.0.0.1:0",
            "--unsafe-no-fsync",
        ]
        self._etcd = Process(etcd, log=folder / "etcd.log", folder=folder)
        command = [*self._command(programs, etcd_url), *flags]
        self._process = Process(command, log=folder / "kube-apiserver.log", folder=folder)

    @property
    def process(self) -> Process:
        return self._process

    def launch(self) -> None:
        self.resume_etcd()
        self.resume()
        for process in (self._etcd, self._process):
            if not process.alive:
                process.start()
        self.wait_until_ready()

    @override
    async def _wait_until_open(self, session: aiohttp.ClientSession, namespace: str) -> None:
        """Its admission learns a moment later that a namespace which was removed is made anew."""
        tried = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tried"}}
        path = path_of("Secret", None, namespace) + "?dryRun=All"
        deadline = time.monotonic() + READY_WITHIN
        while (answer := await send(session, "POST", path, tried)).status == http.client.FORBIDDEN:
            assert time.monotonic() < deadline, answer.body
            await asyncio.sleep(0.01)

    async def prepare(self) -> None:
        """Gives it Kargo's kinds and the roles of rbac.yaml."""
        await self.apply(*definitions(), *documents(HERE / "rbac.yaml"))
        self._ready_when_answered += tuple(path_of(kind) for kind in WITH_STATUS)
        await self.start()

    def close(self) -> None:
        super().close()
        self._etcd.kill()

    def pause_etcd(self) -> None:
        """Freezes the database: the API server lives, and requests that need the database hang."""
        self._etcd.pause()

    def resume_etcd(self) -> None:
        """Ends a pause of the database."""
        self._etcd.resume()

    def _client_certificate(self, user: str) -> dict[str, str]:
        certificate, key = self._authority.client(user, *USERS.get(user, ()))
        return {"client-certificate": str(certificate), "client-key": str(key)}

    def _log(self) -> str:
        return f"{self._etcd.last_lines()}\n\n{super()._log()}"

    def _command(self, programs: Path, etcd_url: str) -> list[str | Path]:
        certificate, key = self._authority.server()
        plain_certificate, plain_key = self.plain_authority.server(PLAIN_NAME)
        signing_key = self._authority.signing_key()
        tokens = self.folder / "tokens.csv"
        tokens.write_text(
            "".join(f'{self.token(user)},{user},{user},"{",".join(groups)}"\n' for user, groups in USERS.items())
        )
        return [
            programs / "kube-apiserver",
            f"--etcd-servers={etcd_url}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self.folder}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--tls-sni-cert-key={plain_certificate},{plain_key}:{PLAIN_NAME}",
            f"--client-ca-file={self.ca_file}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://localhost/",
            f"--service-account-key-file={signing_key}",
            f"--service-account-signing-key-file={signing_key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",  # it waits for a controller that is not here
        ]


def real_programs() -> Path | None:
    """The folder with kube-apiserver and etcd, or None."""
    found = subprocess.run(
        [ROOT / "tests" / "envtest" / "build", "--where"], capture_output=True, text=True, check=False
    )
    return Path(found.stdout.strip()) if found.returncode == 0 else None


def definitions() -> list[Object]:
    """The CustomResourceDefinitions of Kargo's kinds, as KARGO_CRDS says."""
    chosen = os.environ.get("KARGO_CRDS") or (SHIPPED_CRDS if SHIPPED_CRDS.is_dir() else "minimal")
    folder = HERE / "crds" if chosen == "minimal" else Path(chosen)
    return [each for file in sorted(folder.glob("*.yaml")) for each in documents(file)]


def embedded_server(folder: Path) -> ApiServer:
    """A running embedded server."""
    server = EmbeddedServer(folder)
    server.launch()
    return server


def real_server(folder: Path, programs: Path, *, flags: Sequence[str] = ()) -> ApiServer:
    """A running real server with Kargo's kinds. ``flags`` are further ones of kube-apiserver."""
    server = RealServer(folder, programs, flags=flags)
    try:
        server.launch()
        asyncio.run(server.prepare())
    except BaseException:
        server.close()
        raise
    return server
