import pytest

from receivers.local.host.errors import UnusableConfiguration
from receivers.local.host.triggers.queue_options import LEASE_SETTING, QueueOptions, lease_seconds, queue_options


def test_the_defaults_are_those_of_the_functions_host() -> None:
    assert queue_options({}) == QueueOptions(
        batch_size=16, new_batch_threshold=8, tries=5, retry_after=0, longest_pause=60, base64=True
    )


def test_every_setting_is_read() -> None:
    section = {
        "batchSize": 32,
        "newBatchThreshold": 0,
        "maxDequeueCount": 1,
        "visibilityTimeout": "00:01:30",
        "maxPollingInterval": "00:00:02.5",
        "messageEncoding": "None",
    }
    assert queue_options(section) == QueueOptions(
        batch_size=32, new_batch_threshold=0, tries=1, retry_after=90, longest_pause=2.5, base64=False
    )


def test_the_threshold_is_half_a_batch_unless_it_is_set() -> None:
    assert queue_options({"batchSize": "5"}).new_batch_threshold == 2


@pytest.mark.parametrize(
    ("interval", "seconds"), [("00:00:00", 0), ("1:02:03", 3723), ("2.00:00:01", 172_801), ("00:00:00.1", 0.1)]
)
def test_durations(interval: str, seconds: float) -> None:
    assert queue_options({"visibilityTimeout": interval}).retry_after == seconds


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({"batchSize": 33}, "batchSize must be a whole number from 1 to 32"),
        ({"batchSize": 0}, "batchSize"),
        ({"batchSize": 1.5}, "batchSize"),
        ({"newBatchThreshold": -1}, "newBatchThreshold"),
        ({"maxDequeueCount": "many"}, "maxDequeueCount"),
        ({"visibilityTimeout": 30}, "visibilityTimeout must be a duration as hh:mm:ss"),
        ({"maxPollingInterval": "1 minute"}, "maxPollingInterval"),
        ({"messageEncoding": "utf-8"}, "messageEncoding must be base64 or none"),
    ],
)
def test_what_the_functions_host_would_refuse(section: dict[str, object], complaint: str) -> None:
    with pytest.raises(UnusableConfiguration, match=f"^host.json, extensions.queues: .*{complaint}"):
        queue_options(section)


def test_the_lease_is_ten_minutes_unless_it_is_set() -> None:
    assert lease_seconds({}) == 600
    assert lease_seconds({LEASE_SETTING: "2"}) == 2


@pytest.mark.parametrize("text", ["0", "", "soon", "604801"])
def test_a_lease_is_within_what_azure_allows(text: str) -> None:
    with pytest.raises(UnusableConfiguration, match=f"{LEASE_SETTING} must be a whole number from 1 to 604800"):
        lease_seconds({LEASE_SETTING: text})
