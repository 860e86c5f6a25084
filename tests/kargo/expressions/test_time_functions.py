"""Times and durations. What they make of texts is in the table too."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from receivers.kargo.effort import Effort, TooMuch
from receivers.kargo.expressions import ExpressionError, Refused, compile, templates, time_functions  # noqa: A004
from receivers.kargo.expressions.values import Duration, Moment
from tests.kargo.expressions.answers import NOW, value

SECOND = 1_000_000_000


def test_now_is_told_and_stays_the_same() -> None:
    assert value("now()") == Moment(1_772_368_215_250_000_000)
    assert value("now() == now()") is True
    assert value("now() - date('2026-03-01') == duration('12h30m15.25s')") is True
    said = templates.text("${{ now().Year() > 2025 ? 'late' : 'early' }}", {}, Effort(100), NOW)
    assert said == "late"


def test_now_is_refused_where_it_is_not_told() -> None:
    with pytest.raises(Refused, match=r"now\(\) is not known here"):
        compile("now()").evaluate({}, Effort(100))


def test_a_time_of_another_zone_is_the_same_moment() -> None:
    there = datetime(1969, 12, 31, 22, 59, 59, 999_999, timezone(timedelta(hours=-1)))
    assert time_functions.moment(there) == Moment(-1_000)
    assert time_functions.moment(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == Moment(SECOND)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1970-01-02", Moment(86_400 * SECOND)),
        ("1970-01-01   00:00:01", Moment(SECOND)),
        ("1970-01-01T0:00:00,5Z", Moment(SECOND // 2)),
        ("1970-01-01T00:00:00.1234567899+00:01", Moment(123_456_789 - 60 * SECOND, 60)),
        ("1970-01-01T00:00:00-24:60", Moment(25 * 3600 * SECOND, -25 * 3600)),
        ("0000-02-29", Moment(-62_162_121_600 * SECOND)),
        ("10:30:00", Moment(-62_167_181_400 * SECOND)),
    ],
)
def test_a_text_tells_a_time(text: str, wanted: Moment) -> None:
    found = value(f"date('{text}')")
    assert isinstance(found, Moment)
    assert (found, found.offset) == (wanted, wanted.offset)


@pytest.mark.parametrize(
    "text", ["", "2023-02-29", "2024-13-01", "2024-05-01 24:00:00", "2024-05-01T12:00:00", "2024-05-01T12:00:00+25:00"]
)
def test_a_text_that_tells_no_time_is_an_error(text: str) -> None:
    with pytest.raises(ExpressionError, match="a string is no date"):
        value(f"date('{text}')")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("date('01 May 24 12:30 UTC')", "with words"),
        ("date('2024-05-01', '2006-01-02')", "with a layout"),
        (f"duration('{'1s' * 33}')", "longer than 64 characters"),
        ("unknown(now(1))", r"now\(\) does not take 1 arguments"),
        ("timezone('UTC')", r"timezone\(\) is not supported"),
        ("now().Month()", "time.Time: its member Month is not supported"),
        ("now().Year", "its member Year is not supported"),
        ("now()[unknown]", "its member of that name is not supported"),
        ("duration('1h').Year()", "time.Duration: its member Year is not supported"),
        ("now().Before(1)", "cannot take these arguments"),
        ("now().Year(1)", "cannot take these arguments"),
        ("now().Before(nil)", "is not supported with these arguments"),
        ("(unknown ?? duration('1h')).Year()", "of time.Duration is not supported with these arguments"),
        ("(unknown ?? now()).Month()", "time.Time has no member Month, which is refused"),
        ("get(unknown ?? now(), 'Year')", "has no member Year, which is refused"),
        ("abs(duration('1h'))", r"abs\(\) of a duration is not supported"),
        ("max(unknown ?? duration('1h'), 1)", "has no place in an order of numbers, which is refused"),
        ("mean([duration('1h')])", "where a number is wanted, which is refused"),
        ("take([1], unknown ?? duration('1ns'))", "where an integer is wanted, which is refused"),
        ("groupBy([now()], #)", "time.Time cannot be a key, which is refused"),
        ("'Year' in now()", "nothing can be in time.Time, which is refused"),
        ("unknown in now()", "nothing can be in time.Time, which is refused"),
        ("{a: now()} == {a: now()}", "times within maps are not compared"),
        ("string(now())", "time.Time cannot be shown as text"),
    ],
)
def test_what_is_not_had_of_times_is_refused(source: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        value(source)


def test_times_are_not_written_as_yaml() -> None:
    with pytest.raises(Refused, match="cannot be written as YAML"):
        templates.evaluate("${{ asYAML([now()]) }}", {}, Effort(100), NOW)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0", 0),
        ("-0", 0),
        ("+1h30m", 5_400 * SECOND),
        ("1.5us1.5\u00b5s1.5\u03bcs", 4_500),
        ("-1.s.5s", -1_500_000_000),
        ("0.9223372036854775807999h", 3_320_413_933_267),
        ("2562047h47m16.854775807s", (1 << 63) - 1),
        ("-2562047h47m16.854775808s", -1 << 63),
        ("9223372036854775808ns9223372036854775808ns", 0),
    ],
)
def test_a_text_tells_a_duration(text: str, wanted: int) -> None:
    assert value(f"duration('{text}')") == Duration(wanted)


@pytest.mark.parametrize(
    "text",
    ["", "-", "1", "h", ".s", "1d", "1h30", "2562048h", "9223372036854775808ns", "9223372036854775808.1s"],
)
def test_a_text_that_tells_no_duration_is_an_error(text: str) -> None:
    with pytest.raises(ExpressionError, match="a string is no duration"):
        value(f"duration('{text}')")


@pytest.mark.parametrize("text", ["1ns2562048h", "9223372036854775807ns2ns", "9223372036.854775809s"])
def test_a_duration_of_more_than_64_bits_is_an_error(text: str) -> None:
    with pytest.raises(ExpressionError, match="a string is no duration"):
        value(f"duration('{text}')")


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("date('9999-12-31') - date('0000-01-01')", Duration((1 << 63) - 1)),
        ("duration('2h') - duration('30m')", Duration(5_400 * SECOND)),
        ("date('1970-01-01') - duration('1h') + duration('2h')", Moment(3_600 * SECOND)),
        ("duration('1s') * 2", Duration(2 * SECOND)),
        ("0.5 * duration('1s')", 0.5e9),
        ("duration('1s') * duration('1s')", Duration(SECOND * SECOND)),
        ("duration('2h') > duration('1h')", True),
        ("date('2024-05-01T02:00:00+02:00') == date('2024-05-01')", True),
        ("sort([duration('2s'), duration('1s')])", [Duration(SECOND), Duration(2 * SECOND)]),
        ("now() in [1, now()]", True),
        ("int(duration('1us'))", 1_000),
        ("type(now()) + type(duration('1s'))", "time.Timetime.Duration"),
        ("(date('0000-01-01') - duration('1ns')).Year()", -1),
        ("date('2024-05-01T23:59:58-01:00').Day()", 1),
        ("date('2024-05-01T23:59:58-01:00').UTC().Day()", 2),
        ("date('2024-05-01T23:59:58-01:00').Hour()", 23),
        ("date('2024-05-01T23:59:58-01:00').Minute()", 59),
        ("date('2024-05-01T23:59:58-01:00').Second()", 58),
        ("now().Before(now().Add(duration('1s')))", True),
        ("now().After(now()) or now().Equal(now())", True),
        ("now().Sub(date('2026-03-01')).Hours() > 12.5", True),
        ("duration('-90s').Minutes()", -1.5),
        ("(unknown ?? duration('1.5s')).Seconds()", 1.5),
        ("unknown?.Hours()", None),
        ("toJSON([now(), duration('1s')])", '[\n  "2026-03-01T12:30:15.25Z",\n  1000000000\n]'),
        ("toJSON(date('0000-01-02T00:00:00+01:30'))", '"0000-01-02T00:00:00+01:30"'),
        ("toJSON(date('2024-05-01T00:00:00-00:01'))", '"2024-05-01T00:00:00-00:01"'),
        ("string([duration('1h'), duration('-90.5s')])", "[1h0m0s -1m30.5s]"),
        ("string([duration('0'), duration('-1.5ms'), duration('20ns')])", "[0s -1.5ms 20ns]"),
        ("string(duration('1500ns'))", "1.5\u00b5s"),
        ("len(groupBy([duration('1h'), duration('60m')], #))", 1),
    ],
)
def test_times_and_durations_are_computed_with(source: str, wanted: object) -> None:
    assert value(source) == wanted


@pytest.mark.parametrize("source", ["now() + 1", "now() + now()", "now() < duration('1h')", "1 in now()", "date()"])
def test_what_does_not_fit_is_found_before_it_runs(source: str) -> None:
    with pytest.raises(ExpressionError):
        compile(source)


@pytest.mark.parametrize(
    "source",
    [
        "date('2024-05-01T00:00:00+24:00')",
        "date('0000-01-01') - duration('1ns')",
        "date('0000-01-01T00:00:00+01:00').UTC()",
    ],
)
def test_what_json_has_no_time_for_is_an_error(source: str) -> None:
    with pytest.raises(ExpressionError, match="JSON has no such time"):
        value(f"toJSON({source})")


def test_a_member_that_is_named_as_a_method_is_called() -> None:
    given = {"event": {"Hours": lambda text: f"{text}!"}}
    assert compile("event.Hours('a')").evaluate(given, Effort(100)) == "a!"


def test_to_read_costs_effort() -> None:
    with pytest.raises(TooMuch):
        compile(f"duration('{'1s' * 32}')").evaluate({}, Effort(64))
