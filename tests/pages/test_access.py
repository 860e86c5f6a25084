"""Who may see the pages, and whose forms count."""

from collections.abc import Mapping

import pytest

from receivers.pages.access import COOKIE, LIFETIME, Access, KeyNeeded, Visitor
from receivers.pages.visits import Refused, Visit

KEY = "0123456789abcdef"
LOCAL = {"host": "127.0.0.1:7071"}
PUBLIC = {"host": "app.azurewebsites.net"}


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def locked(clock: Clock) -> Access:
    return Access(key=KEY, on_loopback=False, clock=clock)


@pytest.fixture
def open_(clock: Clock) -> Access:
    return Access(key="", on_loopback=True, clock=clock)


def visit(headers: Mapping[str, str] = LOCAL, *, cookie: str = "", form: Mapping[str, str] | None = None) -> Visit:
    cookies = {"cookie": f"other=1; {COOKIE}={cookie}"} if cookie else {}
    method = "GET" if form is None else "POST"
    return Visit(method=method, segments=("queue",), query={}, headers={**headers, **cookies}, form=form or {})


def cookie_of(visitor: Visitor) -> str:
    return visitor.set_cookie.partition("=")[2].partition(";")[0]


def test_without_a_key_everybody_on_this_machine_may_see_the_pages(open_: Access) -> None:
    for host in ("127.0.0.1:7071", "localhost:7071", "[::1]:7071", "127.8.8.8", "app.localhost"):
        assert open_.admit(visit({"host": host})).set_cookie


@pytest.mark.parametrize(
    "host", ["attacker.example:7071", "localhost.example", "127.0.0.1.example", "", "[::1", "192.168.1.5", "[::]"]
)
def test_a_name_that_may_lead_here_from_anywhere_opens_nothing(open_: Access, host: str) -> None:
    with pytest.raises(Refused) as refused:
        open_.admit(visit({"host": host}))
    assert refused.value.status == 403
    assert "PAGES_KEY" in str(refused.value)


@pytest.mark.parametrize("header", ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-original-host"])
def test_who_comes_through_a_proxy_sees_nothing_without_a_key(open_: Access, header: str) -> None:
    """A proxy may write its own name, or this one's, into the Host header."""
    with pytest.raises(Refused, match="Set PAGES_KEY"):
        open_.admit(visit({**LOCAL, header: "198.51.100.7"}))


@pytest.mark.parametrize("headers", [LOCAL, PUBLIC, {**PUBLIC, "x-pages-key": ""}])
def test_where_others_can_reach_them_the_pages_are_closed_until_there_is_a_key(headers: Mapping[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        Access(key="", on_loopback=False).admit(visit(headers))
    assert refused.value.status == 403
    assert "set PAGES_KEY" in str(refused.value)


def test_a_key_is_needed_where_there_is_one(locked: Access) -> None:
    with pytest.raises(KeyNeeded) as needed:
        locked.admit(visit(PUBLIC))
    assert needed.value.status == 401


@pytest.mark.parametrize("key", ["", "0", KEY[:-1], KEY + "0", KEY.upper(), "ключ", "\x00", "\ud800"])
def test_another_key_is_refused(locked: Access, key: str) -> None:
    with pytest.raises(KeyNeeded):
        locked.sign_in(key, secure=True)
    with pytest.raises(KeyNeeded):
        locked.admit(visit({**PUBLIC, "x-pages-key": key}))


def test_a_program_shows_the_key_each_time_and_gets_no_cookie(locked: Access) -> None:
    visitor = locked.admit(visit({**PUBLIC, "x-pages-key": KEY}, form={}))
    assert visitor.set_cookie == ""
    locked.check_form(visit({**PUBLIC, "x-pages-key": KEY}, form={}), visitor)


def test_a_visitor_shows_the_key_once(locked: Access) -> None:
    visitor = locked.sign_in(KEY, secure=True)
    assert locked.admit(visit(PUBLIC, cookie=cookie_of(visitor))).set_cookie == ""
    assert KEY not in visitor.set_cookie
    attributes = visitor.set_cookie.split("; ")[1:]
    assert attributes == ["Path=/", f"Max-Age={LIFETIME}", "HttpOnly", "SameSite=Strict", "Secure"]


def test_a_cookie_ends(locked: Access, clock: Clock) -> None:
    cookie = cookie_of(locked.sign_in(KEY, secure=True))
    clock.now += LIFETIME - 1
    locked.admit(visit(PUBLIC, cookie=cookie))
    clock.now += 1
    with pytest.raises(KeyNeeded):
        locked.admit(visit(PUBLIC, cookie=cookie))


def test_a_cookie_cannot_be_made_longer_or_up(locked: Access, clock: Clock) -> None:
    expiry, nonce, signature = cookie_of(locked.sign_in(KEY, secure=True)).split(".")
    other = cookie_of(Access(key="another", on_loopback=False, clock=clock).sign_in("another", secure=True))
    for forged in (
        f"{int(expiry) + 1}.{nonce}.{signature}",
        f"{expiry}..{signature}",
        f"x.{signature}",
        ".",
        "x",
        other,
    ):
        with pytest.raises(KeyNeeded):
            locked.admit(visit(PUBLIC, cookie=forged))


def test_a_form_counts_with_the_token_of_its_visitor_alone(locked: Access) -> None:
    cookie, other = (cookie_of(locked.sign_in(KEY, secure=True)) for _ in range(2))
    visitor = locked.admit(visit(PUBLIC, cookie=cookie))
    locked.check_form(visit(PUBLIC, cookie=cookie, form={"token": visitor.token}), visitor)
    for token in ("", "x", cookie, locked.admit(visit(PUBLIC, cookie=other)).token):
        with pytest.raises(Refused) as refused:
            locked.check_form(visit(PUBLIC, cookie=cookie, form={"token": token}), visitor)
        assert refused.value.status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://attacker.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8080"},
    ],
)
def test_a_form_that_another_site_posts_is_refused_though_its_token_be_right(
    open_: Access, headers: Mapping[str, str]
) -> None:
    visitor = open_.admit(visit())
    form = {"token": visitor.token}
    with pytest.raises(Refused, match="Another site"):
        open_.check_form(visit({**LOCAL, **headers}, cookie=cookie_of(visitor), form=form), visitor)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin", "origin": "https://behind.a.proxy"},
        {"origin": "http://127.0.0.1:7071"},
    ],
)
def test_our_own_form_counts(open_: Access, headers: Mapping[str, str]) -> None:
    visitor = open_.admit(visit())
    form = {"token": visitor.token}
    open_.check_form(visit({**LOCAL, **headers}, cookie=cookie_of(visitor), form=form), visitor)


def test_nothing_secret_shows_when_a_visitor_is_printed(locked: Access) -> None:
    visitor = locked.sign_in(KEY, secure=True)
    assert visitor.token not in repr(visitor)
    assert cookie_of(visitor) not in repr(visitor)
