"""What the doctor finds of receivers in the settings, and of the service that runs under the base URL."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from receivers import version
from receivers.kargo.configs import SENDER
from receivers.local.doctor import Examination, Severity, examine
from receivers.local.doctor.findings import Finding
from receivers.local.embedded import DEMO, EmbeddedCluster, documents

SECRET = "a-secret-of-16-chars"
BASE_URL = "EXTERNAL_WEBHOOK_SERVER_BASE_URL"


async def examined(settings: Mapping[str, str]) -> Examination:
    async with EmbeddedCluster(documents(DEMO), base_url="http://127.0.0.1:7071") as cluster:
        examination = await examine({"CLUSTER_SERVER": cluster.url, "CLUSTER_TOKEN": "none", **settings})
    assert examination.complete
    return examination


async def findings(settings: Mapping[str, str]) -> list[Finding]:
    return (await examined(settings)).findings


@asynccontextmanager
async def answering(answers: Mapping[str, web.Response]) -> AsyncIterator[str]:
    """What answers so by path; its URL."""
    app = web.Application()

    async def answer(request: web.Request) -> web.Response:
        return answers[request.path]

    for path in answers:
        app.router.add_get(path, answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def receivers(**entry: object) -> dict[str, str]:
    return {"RECEIVERS": json.dumps([{"provider": "azure", "name": "builds", "secret": SECRET} | entry])}


async def test_an_option_that_nobody_reads_is_a_warning_with_what_may_be_meant() -> None:
    (finding,) = await findings(receivers(authentification="header", registry="r.example.com", project=None))
    assert (finding.severity, finding.subject) == (Severity.WARNING, "receiver (cluster)/builds, authentification")
    assert finding.remedy == "correct it: authentication may be meant"


async def test_a_misspelt_key_of_an_entry_is_found_too() -> None:
    (finding,) = await findings(receivers(previoussecret=SECRET))
    assert finding.remedy == "correct it: previousSecret may be meant"


async def test_an_option_that_is_like_none_is_left_out_and_an_odd_name_is_not_shown() -> None:
    (finding,) = await findings(receivers(**{"\x1b[2J": "x"}))
    assert finding.subject == "receiver (cluster)/builds, a field with an odd name"
    assert finding.remedy == "correct it, or leave it out"


async def test_a_value_that_is_no_choice_is_an_error() -> None:
    (finding,) = await findings(receivers(authentication="heder"))
    assert (finding.severity, finding.subject) == (Severity.ERROR, "receiver (cluster)/builds, authentication")
    assert finding.remedy == "take one of url, basic, header"


async def test_a_misspelt_parameter_in_generic_s_place_is_found() -> None:
    parameters = {SENDER: "zot", "registry": "zot.example.com", "authentification": "header"}
    actions = [{"action": "Refresh", "parameters": parameters}]
    (finding,) = await findings(receivers(provider="generic", actions=actions))
    assert finding.subject == "receiver (cluster)/builds, actions[0].parameters, authentification"
    assert finding.remedy == "correct it: authentication may be meant"


async def test_placeholders_are_found_and_not_quoted() -> None:
    placeholder = "change-me-change-me"
    found = await findings(receivers(secret=placeholder, previousSecret=placeholder) | {"PAGES_KEY": placeholder})
    assert [finding.subject for finding in found] == [
        "setting PAGES_KEY",
        "setting RECEIVERS[0].secret",
        "setting RECEIVERS[0].previousSecret",
    ]
    assert {finding.severity for finding in found} == {Severity.WARNING}
    assert placeholder not in str(found)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (web.Response(text="Welcome"), "what answers there (200 at /readyz) is not this service"),
        (web.Response(text="[]", status=404), "what answers there (404 at /readyz) is not this service"),
        (web.json_response({"ready": True, "version": "0.0.9"}), "the service there is of version 0.0.9"),
        (web.json_response({"ready": False, "version": version.shown()}, status=503), ""),
    ],
)
async def test_who_answers_under_the_base_url_is_looked_at(answer: web.Response, problem: str) -> None:
    async with answering({"/readyz": answer}) as url:
        found = await findings({BASE_URL: url})
    assert [finding.subject for finding in found] == ([f"setting {BASE_URL}"] if problem else [])
    assert all(problem in finding.problem for finding in found)


async def test_nobody_under_the_base_url_is_no_fault() -> None:
    assert await findings({BASE_URL: "http://127.0.0.1:9"}) == []


def ready(**parts: str) -> web.Response:
    return web.json_response({"ready": True, "version": version.shown(), **parts})


def told(examination: Examination, name: str) -> str:
    return next(check.text for check in examination.checks if check.name == name)


@pytest.mark.parametrize(
    ("answer", "storage", "pushes"),
    [
        (
            ready(retryQueue="ok", journal="it cannot be written"),
            "none in these settings; the service under the base URL has a retry queue, and a journal",
            "not looked at: these settings have no journal; `kargo-receivers status` asks the service that has one",
        ),
        (
            ready(retryQueue="ok", journal="not configured"),
            "none in these settings; the service under the base URL has a retry queue, and no journal",
            "not looked at: these settings have no journal",
        ),
        (
            ready(),
            "none in these settings: a service with others may have a retry queue and a journal",
            "not looked at: these settings have no journal",
        ),
    ],
)
async def test_what_the_running_service_keeps_is_not_guessed(answer: web.Response, storage: str, pushes: str) -> None:
    async with answering({"/readyz": answer}) as url:
        examination = await examined({BASE_URL: url})
    assert (told(examination, "storage"), told(examination, "pushes")) == (storage, pushes)
    assert told(examination, "senders") == "the running service was not asked: its pages do not open with PAGES_KEY"


async def test_without_a_running_service_the_storage_says_what_it_cannot_know() -> None:
    examination = await examined({})
    assert told(examination, "storage").endswith("a service with others may have a retry queue and a journal")
    assert told(examination, "senders") == "what they post to is known to the running service alone"


@pytest.mark.parametrize("level", ["ok", "warning"])
async def test_who_posts_to_a_former_url_is_told_as_the_running_service_knows(level: str) -> None:
    former = {"name": "Former URLs", "level": level, "says": "of receiver acr\x1b", "remedy": "Register the new URL."}
    other = {"name": "Failed deliveries", "level": "warning", "says": "One.", "remedy": "See why."}
    overview = web.json_response({"checks": [other, former, "odd"]})
    async with answering({"/readyz": ready(), "/overview": overview}) as url:
        examination = await examined({BASE_URL: url})
    if level == "ok":
        assert told(examination, "senders") == "none posts to a URL that a receiver had before"
        assert examination.findings == []
    else:
        (finding,) = examination.findings
        assert (finding.severity, finding.subject, finding.remedy) == (
            Severity.WARNING,
            "senders",
            "Register the new URL.",
        )
        assert finding.problem.startswith("of receiver acr")
        assert "\x1b" not in finding.problem
