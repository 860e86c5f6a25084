from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receivers.local.host.errors import UnusableRoute
from receivers.local.host.routes import Route, RouteTable, decode_path

words = st.text("abcdefghijklmnopqrstuvwxyzABCDEF0123456789-_.~", min_size=1, max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


def table(*templates: str, prefix: str = "") -> RouteTable[str]:
    return RouteTable(prefix, [Route(template, None, template) for template in templates])


def found(routes: RouteTable[str], path: str, method: str = "GET") -> tuple[str, dict[str, str]] | None:
    return routes.find(method, path)


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("hello", "/hello", {}),
        ("hello", "/hello/", {}),
        ("hello", "/HeLLo", {}),
        ("hello/", "/hello", {}),
        ("/hello", "/hello", {}),
        ("/", "/", {}),
        ("a.b", "/a.b", {}),
        ("azure/{token}", "/azure/1f0c", {"token": "1f0c"}),
        ("azure/{token}", "/Azure/1F0C/", {"token": "1F0C"}),
        ("azure/{token}", "/azure/a%2Fb", {"token": "a%2Fb"}),
        ("azure/{token}", "/azure/line\nbreak", {"token": "line\nbreak"}),
        ("{a}/x/{b}", "/1/x/2", {"a": "1", "b": "2"}),
        ("files/{*rest}", "/files/a/b.txt", {"rest": "a/b.txt"}),
        ("files/{**rest}", "/files/a/", {"rest": "a/"}),
        ("files/{*rest}", "/files", {}),
        ("files/{*rest}", "/files/", {}),
        ("{*everything}", "/", {}),
        ("{*everything}", "/a/b", {"everything": "a/b"}),
    ],
)
def test_a_template_matches(template: str, path: str, parameters: dict[str, str]) -> None:
    assert found(table(template), path) == (template, parameters)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("hello", "/"),
        ("hello", "/hell"),
        ("hello", "/hello/world"),
        ("hello", "/hello//"),
        ("hello", "//hello"),
        ("a.b", "/axb"),
        ("azure/{token}", "/azure"),
        ("azure/{token}", "/azure/"),
        ("azure/{token}", "/azure/a/b"),
        ("files/{*rest}", "/filesystem"),
    ],
)
def test_a_template_does_not_match(template: str, path: str) -> None:
    assert found(table(template), path) is None


@pytest.mark.parametrize(
    ("prefix", "path", "matches"),
    [
        ("api", "/api/hello", True),
        ("api", "/API/hello", True),
        ("api", "/hello", False),
        ("", "/hello", True),
        ("", "/api/hello", False),
        ("api/v1", "/api/v1/hello", True),
    ],
)
def test_the_prefix_stands_in_front_of_every_route(prefix: str, path: str, *, matches: bool) -> None:
    assert (found(table("hello", prefix=prefix), path) is not None) is matches


@pytest.mark.parametrize(
    ("path", "wins"),
    [
        ("/items/latest", "items/latest"),
        ("/items/7", "items/{id}"),
        ("/items/7/parts", "items/{id}/{part}"),
        ("/items/7/parts/8", "items/{*rest}"),
        ("/items", "items/{*rest}"),
        ("/other/parts", "{a}/{b}"),
        ("/other", "{*all}"),
    ],
)
@pytest.mark.parametrize("step", [1, -1])
def test_the_more_specific_route_wins_whatever_the_order(path: str, wins: str, step: int) -> None:
    templates = ["{*all}", "{a}/{b}", "items/{*rest}", "items/{id}", "items/{id}/{part}", "items/latest"][::step]
    match = found(table(*templates), path)
    assert match is not None
    assert match[0] == wins


def test_a_wrong_method_is_an_unknown_path() -> None:
    routes = RouteTable("", [Route("a", frozenset({"POST"}), "post")])
    assert routes.find("POST", "/a") == ("post", {})
    assert routes.find("GET", "/a") is None


def test_two_functions_share_a_route_by_method() -> None:
    routes = RouteTable("", [Route("a", frozenset({"GET"}), "read"), Route("A", frozenset({"PUT"}), "write")])
    assert routes.find("GET", "/a") == ("read", {})
    assert routes.find("PUT", "/a") == ("write", {})


def test_a_method_that_the_specific_route_does_not_serve_goes_to_the_general_one() -> None:
    routes = RouteTable("", [Route("items/latest", frozenset({"GET"}), "latest"), Route("items/{id}", None, "item")])
    assert routes.find("DELETE", "/items/latest") == ("item", {"id": "latest"})


@pytest.mark.parametrize("template", ["admin", "/Admin/x", "administration", "runtime/{a}", "RUNTIMES"])
def test_a_route_of_the_host_itself_is_refused(template: str) -> None:
    with pytest.raises(UnusableRoute, match="admin or runtime"):
        table(template, prefix="api")


def test_a_route_may_mention_admin_later() -> None:
    assert found(table("team/admin"), "/team/admin")


@pytest.mark.parametrize("methods", [None, frozenset({"GET", "PUT"})])
def test_two_functions_with_the_same_route_and_method_are_refused(methods: frozenset[str] | None) -> None:
    with pytest.raises(UnusableRoute, match="two functions"):
        RouteTable("", [Route("a/{b}", methods, "one"), Route("/A/{B}/", frozenset({"GET"}), "other")])


@pytest.mark.parametrize("template", ["{id:int}", "{id?}", "{id=7}", "v{id}", "{}", "{id", "a//b", "what?", "*"])
def test_syntax_that_is_not_understood_is_refused(template: str) -> None:
    with pytest.raises(UnusableRoute, match="does not understand"):
        table(template)


def test_a_catch_all_in_the_middle_is_refused() -> None:
    with pytest.raises(UnusableRoute, match="must be the last"):
        table("{*rest}/end")


def test_a_parameter_that_occurs_twice_is_refused() -> None:
    with pytest.raises(UnusableRoute, match="twice"):
        table("{a}/{a}")


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        (b"/plain", "/plain"),
        (b"/a%20b", "/a b"),
        (b"/a+b", "/a+b"),
        (b"/gr%C3%BC%C3%9Fe", "/grüße"),
        (b"/a%2Fb%2fc", "/a%2Fb%2fc"),
        (b"/a%252Fb", "/a%2Fb"),
        (b"/a%2520b", "/a%20b"),
        (b"/100%", "/100%"),
        (b"/%ff", "/\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_path_is_decoded_once(raw: bytes, decoded: str) -> None:
    assert decode_path(raw) == decoded


@given(st.binary())
def test_any_bytes_have_a_path_and_an_answer(raw: bytes) -> None:
    table("a/{b}/c", "{*rest}").find("GET", decode_path(raw))


@given(st.lists(words, min_size=1, max_size=4))
def test_a_literal_route_matches_in_any_case_and_nothing_longer(parts: list[str]) -> None:
    path = "/" + "/".join(parts)
    routes = RouteTable("p", [Route("x/" + "/".join(parts), None, "it")])
    assert routes.find("GET", ("/p/x" + path).swapcase()) == ("it", {})
    assert routes.find("GET", "/p/x" + path + "/more") is None


@given(texts, texts)
def test_parameters_come_out_as_they_were_put_in(one: str, other: str) -> None:
    raw = f"/x/{quote(one, safe='')}/y/{quote(other, safe='')}".encode()
    kept = {"a": one.replace("/", "%2F"), "b": other.replace("/", "%2F")}
    assert table("x/{a}/y/{b}").find("GET", decode_path(raw)) == ("x/{a}/y/{b}", kept)
