"""What ``serve`` prints when it is ready."""

import json
import shlex
from pathlib import Path

from receivers.events import Receiver, Target
from receivers.kargo.index import SubscriptionIndex
from receivers.local import announcement
from receivers.local.addresses import Address
from receivers.local.announcement import SHOWN, Sample
from tests.identity_tokens import OPTIONS

URL = "http://127.0.0.1:7071"
TOKEN = "1f0c" + "5" * 60
SAMPLE = Sample(url="http://127.0.0.1:40000", kubeconfig=Path("/tmp/kubeconfig"))  # noqa: S108 - it is only named


def address(name: str = "builds", *, project: str | None = "kargo-demo", problem: str = "") -> Address:
    receiver = Receiver(provider="quay", name=name, project=project, source="ProjectConfig kargo-demo")
    return Address(receiver=receiver, token="" if problem else TOKEN, problem=problem)


def announced(*found: Address, sample: Sample | None = None) -> str:
    index = SubscriptionIndex()
    index.put(Target("kargo-demo", "app"), [{"image": {"repoURL": "quay.io/team/it's-app", "constraint": "~2.4"}}])
    index.put(Target("kargo-demo", "web"), [{"image": {"repoURL": "quay.io/team/web", "constraint": "~3.5"}}])
    return "\n".join(announcement.lines(found, url=URL, index=index, program="kargo-receivers", sample=sample))


def test_the_sample_is_shown_with_whole_urls_and_a_curl() -> None:
    command = next(line.strip() for line in announced(address(), sample=SAMPLE).splitlines() if "curl" in line)
    *_, body, url = shlex.split(command)
    assert url == f"{URL}/quay/{TOKEN}"
    assert json.loads(body)["updated_tags"] == ["3.5.0"]


def test_what_only_the_sender_can_prove_is_shown_with_the_reason() -> None:
    receiver = Receiver(provider="gar", name="builds", project="kargo-demo", source="settings", options=OPTIONS)
    text = announced(Address(receiver=receiver, token=TOKEN), sample=SAMPLE)
    assert "cannot be tried: it demands an identity token" in text
    assert "curl -i" not in text


def test_a_sender_in_generic_s_place_is_shown_as_itself() -> None:
    options = {"kargo-receivers/sender": "zot", "registry": "quay.io"}
    receiver = Receiver(provider="generic", name="builds", project="kargo-demo", source="settings", options=options)
    found = Address(receiver=receiver, token=TOKEN)
    text = announced(found)
    assert "zot kargo-demo/builds" in text
    assert f"{URL}/generic/1f0c…" in text
    assert "kargo-receivers send zot --receiver builds" in text
    command = next(line.strip() for line in announced(found, sample=SAMPLE).splitlines() if "curl" in line)
    assert "ce-type: zotregistry.image.updated" in shlex.split(command)
    assert shlex.split(command)[-1] == f"{URL}/generic/{TOKEN}"


def test_a_real_cluster_is_shown_without_tokens() -> None:
    text = announced(address())
    assert TOKEN not in text
    assert f"{URL}/quay/1f0c…" in text
    assert "kargo-receivers send quay --receiver builds --project kargo-demo --base-url http://127.0.0.1:7071" in text
    assert "kargo-receivers urls --reveal" in text


def test_a_receiver_of_the_cluster_is_sent_to_without_a_project() -> None:
    assert "--project" not in announced(address(project=None))


def test_a_receiver_without_a_url_is_shown_with_the_reason() -> None:
    assert "cannot be reached: it names no Secret" in announced(address(problem="it names no Secret"))


def test_of_many_receivers_some_are_shown_and_the_rest_is_counted() -> None:
    text = announced(*(address(f"builds-{number}") for number in range(SHOWN + 3)))
    assert f"builds-{SHOWN - 1}\n" in text
    assert f"builds-{SHOWN}\n" not in text
    assert "… and 3 more: kargo-receivers urls" in text
