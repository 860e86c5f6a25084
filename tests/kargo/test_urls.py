"""One spelling for each repository."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receivers.events import Kind
from receivers.kargo import repositories, urls
from tests.kargo.tables import rows

patient = settings(deadline=None)  # the machine may be busy

PRINTABLE = [
    ("  https://example.com/repo  ", "https://example.com/repo"),
    ("\n\thttps://example.com/repo\t\n", "https://example.com/repo"),
    ("\ufeffhttps://example.com/repo", "https://example.com/repo"),
    ("https://example.com/\u200brepo", "https://example.com/repo"),
    ("https://example.com/repo\ufeff", "https://example.com/repo"),
    ("\ufeff https://example.com/\u200brepo \ufeff", "https://example.com/repo"),
    ("\ufeff \n https://example.com/\trepo \u200b \n ", "https://example.com/repo"),
    ("https://example.com/repo", "https://example.com/repo"),
    ("ftp://example.com/resource", "ftp://example.com/resource"),
    ("   ", ""),
    ("", ""),
    ("https://example.com/ myrepo", "https://example.com/ myrepo"),
    ("https://example.com/\u200bmyrepo", "https://example.com/myrepo"),
]

GIT = [
    ("https://not a url", "https://not a url"),
    ("http://github.com/example/repo?foo=bar", "http://github.com/example/repo?foo=bar"),
    ("ssh://not a url", "ssh://not a url"),
    ("ssh://github.com/example/repo?foo=bar", "ssh://github.com/example/repo?foo=bar"),
    ("not even remotely a url", "not even remotely a url"),
    ("https://github.com", "https://github.com"),
    ("https://github.com/", "https://github.com"),
    ("https://foo:bar@github.com", "https://github.com"),
    ("https://foo:bar@github.com/", "https://github.com"),
    ("https://github.com/example/repo", "https://github.com/example/repo"),
    ("https://github.com/example/repo/", "https://github.com/example/repo"),
    ("https://github.com/example/repo.git", "https://github.com/example/repo"),
    ("https://github.com/example/repo.git/", "https://github.com/example/repo"),
    ("https://localhost:8443/example/repo", "https://localhost:8443/example/repo"),
    ("https://localhost:8443/example/repo/", "https://localhost:8443/example/repo"),
    ("https://localhost:8443/example/repo.git", "https://localhost:8443/example/repo"),
    ("https://localhost:8443/example/repo.git/", "https://localhost:8443/example/repo"),
    ("https://foo:bar@github.com/example/repo", "https://github.com/example/repo"),
    ("https://foo:bar@github.com/example/repo/", "https://github.com/example/repo"),
    ("https://foo:bar@github.com/example/repo.git", "https://github.com/example/repo"),
    ("https://foo:bar@github.com/example/repo.git/", "https://github.com/example/repo"),
    ("https://foo:bar@localhost:8443/example/repo", "https://localhost:8443/example/repo"),
    ("https://foo:bar@localhost:8443/example/repo/", "https://localhost:8443/example/repo"),
    ("https://foo:bar@localhost:8443/example/repo.git", "https://localhost:8443/example/repo"),
    ("https://foo:bar@localhost:8443/example/repo.git/", "https://localhost:8443/example/repo"),
    ("ssh://git.example.com", "ssh://git.example.com"),
    ("ssh://git.example.com/", "ssh://git.example.com"),
    ("ssh://git@git.example.com", "ssh://git@git.example.com"),
    ("ssh://git@git.example.com/", "ssh://git@git.example.com"),
    ("ssh://github.com/example/repo", "ssh://github.com/example/repo"),
    ("ssh://github.com/example/repo/", "ssh://github.com/example/repo"),
    ("ssh://github.com/example/repo.git", "ssh://github.com/example/repo"),
    ("ssh://github.com/example/repo.git/", "ssh://github.com/example/repo"),
    ("ssh://localhost:2222/example/repo", "ssh://localhost:2222/example/repo"),
    ("ssh://localhost:2222/example/repo/", "ssh://localhost:2222/example/repo"),
    ("ssh://localhost:2222/example/repo.git", "ssh://localhost:2222/example/repo"),
    ("ssh://localhost:2222/example/repo.git/", "ssh://localhost:2222/example/repo"),
    ("ssh://git@github.com/example/repo", "ssh://git@github.com/example/repo"),
    ("ssh://git@github.com/example/repo/", "ssh://git@github.com/example/repo"),
    ("ssh://git@github.com/example/repo.git", "ssh://git@github.com/example/repo"),
    ("ssh://git@github.com/example/repo.git/", "ssh://git@github.com/example/repo"),
    ("ssh://git@localhost:2222/example/repo", "ssh://git@localhost:2222/example/repo"),
    ("ssh://git@localhost:2222/example/repo/", "ssh://git@localhost:2222/example/repo"),
    ("ssh://git@localhost:2222/example/repo.git", "ssh://git@localhost:2222/example/repo"),
    ("ssh://git@localhost:2222/example/repo.git/", "ssh://git@localhost:2222/example/repo"),
    ("git.example.com", "ssh://git.example.com"),
    ("git@git.example.com", "ssh://git@git.example.com"),
    ("github.com:example/repo", "ssh://github.com/example/repo"),
    ("github.com:example/repo/", "ssh://github.com/example/repo"),
    ("github.com:example/repo.git", "ssh://github.com/example/repo"),
    ("github.com:example/repo.git/", "ssh://github.com/example/repo"),
    ("git@github.com:example/repo", "ssh://git@github.com/example/repo"),
    ("git@github.com:example/repo/", "ssh://git@github.com/example/repo"),
    ("git@github.com:example/repo.git", "ssh://git@github.com/example/repo"),
    ("git@github.com:example/repo.git/", "ssh://git@github.com/example/repo"),
    ("https://GitHub.com/Example/Repo.GIT", "https://github.com/example/repo"),
    ("  https://github.com/a/b  ", "https://github.com/a/b"),
    ("https://github.com/a/b//", "https://github.com/a/b/"),
    ("https://github.com/a/b.git.git", "https://github.com/a/b.git"),
    ("https://github.com/a/b.git#frag", "https://github.com/a/b#frag"),
    ("https://github.com/a/b?", "https://github.com/a/b?"),
    ("https://github.com/a/b?x", "https://github.com/a/b?x"),
    ("https://github.com/a/b;v=1", "https://github.com/a/b;v=1"),
    ("https://github.com/a/b?%zz", "https://github.com/a/b?%zz"),
    ("https://github.com/a/b%2Fc.git", "https://github.com/a/b/c"),
    ("https://github.com/a/b%2fc", "https://github.com/a/b%2fc"),
    ("https://github.com/a%20b/c", "https://github.com/a%20b/c"),
    ("https://github.com/a b/c", "https://github.com/a%20b/c"),
    ("https://dev.azure.com/org/my proj/_git/r", "https://dev.azure.com/org/my%20proj/_git/r"),
    ("https://user@dev.azure.com/org/p/_git/r", "https://dev.azure.com/org/p/_git/r"),
    ("https://github.com:443/a/b", "https://github.com:443/a/b"),
    ("http://github.com/a/b", "http://github.com/a/b"),
    ("https://git.example.com/a/../b", "https://git.example.com/a/../b"),
    ("https://git.example.com/é/b", "https://git.example.com/%C3%A9/b"),
    ("https://git.example.com/%C3%A9/b", "https://git.example.com/%c3%a9/b"),
    ("https://git.example.com/a+b", "https://git.example.com/a+b"),
    ("https://git.example.com/a@b", "https://git.example.com/a@b"),
    ("https://git.example.com/a:b", "https://git.example.com/a:b"),
    ("https://git.example.com/~u/r.git", "https://git.example.com/~u/r"),
    ("https://git.example.com/.git", "https://git.example.com/"),
    ("https://git.example.com/x/.git", "https://git.example.com/x/"),
    ("https://[::1]:8443/a/b.git", "https://[::1]:8443/a/b"),
    ("https://exa mple.com/a", "https://exa mple.com/a"),
    ("https://git.example.com/a\u200b/b", "https://git.example.com/a/b"),
    ("https://git.example.com:notaport/a", "https://git.example.com:notaport/a"),
    ("ftp://git.example.com/a/b", "ssh://ftp///git.example.com/a/b"),
    ("git://git.example.com/a/b", "ssh://git///git.example.com/a/b"),
    ("SSH://Git@GitHub.com/a/B.git", "ssh://git@github.com/a/b"),
    ("ssh://git@github.com:22/a/b", "ssh://git@github.com:22/a/b"),
    ("ssh://git@github.com:a/b", "ssh://git@github.com:a/b"),
    ("git@github.com:/a/b.git", "ssh://git@github.com//a/b"),
    ("git@github.com:~u/b", "ssh://git@github.com/~u/b"),
    ("git@github.com", "ssh://git@github.com"),
    ("git@github.com:", "ssh://git@github.com"),
    ("git@ssh.dev.azure.com:v3/Org/My%20Proj/repo", "ssh://git@ssh.dev.azure.com/v3/org/my%20proj/repo"),
    ("git@host:path?x=1", "ssh://git@host/path?x=1"),
    ("user.name@github.com:a/b", "user.name@github.com:a/b"),
    ("my_host:a/b", "ssh://my_host/a/b"),
    ("host", "ssh://host"),
    ("host:22/a/b", "ssh://host/22/a/b"),
    ("github.com/a/b", "github.com/a/b"),
    ("", ""),
    ("/", "/"),
    ("git@github.com:a/b c.git", "ssh://git@github.com/a/b%20c"),
    ("https://", "https:"),
    ("http://github.com", "http://github.com"),
    ("https://github.com/a/b/?", "https://github.com/a/b?"),
    ("https://github.com/a/b.git/?", "https://github.com/a/b?"),
    ("https://github.com/a/b.git?a=&b=", "https://github.com/a/b.git?a=&b="),
    ("git@-bad:x", "ssh://git@-bad/x"),
    ("a@b@c:d", "a@b@c:d"),
    ("https://u:p%40w@github.com/a/b", "https://github.com/a/b"),
    ("https://github.com/A%2FB", "https://github.com/a%2fb"),
    ("https://github.com/a/%zz", "https://github.com/a/%zz"),
    ("git@github.com:a:b", "ssh://git@github.com"),
    ("git@github.com:#frag", "ssh://git@github.com"),
    ("git@github.com:x.git#frag", "ssh://git@github.com/x#frag"),
]

IMAGE = [
    ("index.docker.io/library/busybox", "busybox"),
    ("index.docker.io/busybox", "busybox"),
    ("registry-1.docker.io/library/busybox", "busybox"),
    ("registry-1.docker.io/busybox", "busybox"),
    ("docker.io/library/busybox", "busybox"),
    ("docker.io/busybox", "busybox"),
    ("library/busybox", "busybox"),
    ("busybox", "busybox"),
    ("index.docker.io/example/repo", "example/repo"),
    ("docker.io/example/repo", "example/repo"),
    ("example/repo", "example/repo"),
    ("ghcr.io/example/repo", "ghcr.io/example/repo"),
    ("quay.io/example/repo", "quay.io/example/repo"),
    ("invalid url", "invalid url"),
    ("", ""),
    ("a", "a"),
    ("ab", "ab"),
    ("Busybox", "busybox"),
    ("busybox:1.36", "busybox"),
    ("library/busybox:latest", "busybox"),
    ("docker.io/library/busybox", "busybox"),
    ("docker.io/busybox@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "busybox"),
    ("INDEX.docker.io/Foo/Bar", "foo/bar"),
    ("registry-1.docker.io/foo/bar:x", "foo/bar"),
    ("registry.hub.docker.com/foo/bar", "registry.hub.docker.com/foo/bar"),
    ("ghcr.io/Foo/Bar", "ghcr.io/foo/bar"),
    ("ghcr.io/foo/bar:", "ghcr.io/foo/bar:"),
    ("ghcr.io/foo/bar:Tag", "ghcr.io/foo/bar"),
    ("ghcr.io/foo/bar@sha256:abc", "ghcr.io/foo/bar@sha256:abc"),
    ("ghcr.io/foo/bar:v1@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ghcr.io/foo/bar"),
    ("ghcr.io", "ghcr.io"),
    ("ghcr.io/", "ghcr.io/"),
    ("ghcr.io/foo", "ghcr.io/foo"),
    ("ghcr.io/foo/", "ghcr.io/foo/"),
    ("localhost/foo", "localhost/foo"),
    ("localhost:5000/foo", "localhost:5000/foo"),
    ("localhost:5000/foo:1", "localhost:5000/foo"),
    ("localhost:5000", "localhost"),
    ("10.0.0.1:5000/foo/bar", "10.0.0.1:5000/foo/bar"),
    ("foo:5000/bar", "foo:5000/bar"),
    ("foo.bar/baz", "foo.bar/baz"),
    ("foo/bar/baz", "foo/bar/baz"),
    ("foo//bar", "foo//bar"),
    ("/foo/bar", "/foo/bar"),
    ("foo bar", "foo bar"),
    ("https://ghcr.io/foo/bar", "https://ghcr.io/foo/bar"),
    ("oci://ghcr.io/foo/bar", "oci://ghcr.io/foo/bar"),
    ("ghcr.io/foo+bar", "ghcr.io/foo+bar"),
    ("ghcr.io/foo~bar", "ghcr.io/foo~bar"),
    ("ghcr.io/fo%20o", "ghcr.io/fo%20o"),
    ("foo_bar/baz", "foo_bar/baz"),
    ("[::1]:5000/foo/bar", "[::1]:5000/foo/bar"),
    ("my_reg.io/foo/bar", "my_reg.io/foo/bar"),
    ("ghcr.io/foo/bar:bad tag", "ghcr.io/foo/bar:bad tag"),
    ("docker.io/foo", "foo"),
    ("library/foo/bar", "foo/bar"),
    ("docker.io/library/foo/bar", "foo/bar"),
    ("index.docker.io/library/library/foo", "library/foo"),
    ("   nginx   ", "nginx"),
    ("ng\u200binx", "nginx"),
    ("public.ecr.aws/x/y", "public.ecr.aws/x/y"),
    ("123456789012.dkr.ecr.us-east-1.amazonaws.com/app", "123456789012.dkr.ecr.us-east-1.amazonaws.com/app"),
    ("us-docker.pkg.dev/p/r/i", "us-docker.pkg.dev/p/r/i"),
    ("mcr.microsoft.com/azure-functions/python", "mcr.microsoft.com/azure-functions/python"),
    ("docker.io:443/foo/bar", "docker.io:443/foo/bar"),
    ("foo@bar", "foo@bar"),
    ("ghcr.io/foo/bar@md5:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ghcr.io/foo/bar@md5:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
]

CHART = [
    ("", ""),
    ("repo", "repo"),
    ("  repo  ", "repo"),
    ("REpo", "repo"),
    ("oci://repo", "repo"),
    ("  oci://repo  ", "repo"),
    ("OCI://Repo", "repo"),
    ("oci://docker.io/example/repo", "example/repo"),
    ("docker.io/example/repo", "example/repo"),
    ("oci://index.docker.io/example/repo", "example/repo"),
    ("index.docker.io/example/repo", "example/repo"),
    ("oci://registry-1.docker.io/example/repo", "example/repo"),
    ("registry-1.docker.io/example/repo", "example/repo"),
    ("oci://GHCR.io/Foo/Chart", "ghcr.io/foo/chart"),
    ("oci://ghcr.io/foo/chart:1.0.0", "ghcr.io/foo/chart"),
    ("oci://ghcr.io/foo/chart/", "ghcr.io/foo/chart/"),
    ("oci://oci://x/y", "oci://x/y"),
    ("https://charts.example.com", "https://charts.example.com"),
    ("https://charts.example.com/", "https://charts.example.com/"),
    ("HTTPS://Charts.Example.com/Stable", "https://charts.example.com/stable"),
    ("https://charts.example.com/stable/", "https://charts.example.com/stable/"),
    ("http://charts.example.com:8080/x", "http://charts.example.com:8080/x"),
    ("ghcr.io/foo/chart", "ghcr.io/foo/chart"),
    ("10.0.0.1:5000/charts/App", "10.0.0.1:5000/charts/App"),
    ("oci://10.0.0.1:5000/charts/App", "10.0.0.1:5000/charts/app"),
    ("my_reg:5000/charts/App", "my_reg:5000/charts/App"),
    ("oci://localhost:5000/x", "localhost:5000/x"),
    ("localhost:5000/x", "localhost:5000/x"),
    ("oci://", ""),
    ("oci:// ghcr.io/foo/bar", "oci:// ghcr.io/foo/bar"),
    ("  OCI://ghcr.io/foo/bar", "ghcr.io/foo/bar"),
    ("oci://ghcr.io/foo/bar%zz", "oci://ghcr.io/foo/bar%zz"),
    ("ghcr.io/foo/bar%zz", "ghcr.io/foo/bar%zz"),
    ("oci://registry-1.docker.io/bitnamicharts/nginx", "bitnamicharts/nginx"),
    ("oci://docker.io/library/x", "x"),
    ("ghcr.io/x\ny", "ghcr.io/xy"),
]

any_text = st.text(st.characters())  # half surrogate pairs, too
pieces = st.sampled_from([*"aB1.-_/:@%?#[]~+ é\u200b", "https://", "ssh://", "oci://", ".git", "ghcr.io", "%2F"])
url_text = st.lists(pieces, max_size=8).map("".join)


@pytest.mark.parametrize(("url", "visible"), PRINTABLE)
def test_what_cannot_be_seen_is_removed(url: str, visible: str) -> None:
    assert urls._printable(url) == visible


@pytest.mark.parametrize(("url", "normal"), GIT)
def test_a_git_url(url: str, normal: str) -> None:
    assert urls.normalise(Kind.GIT, url) == urls.normalise_git(url) == normal


@pytest.mark.parametrize(("url", "normal"), IMAGE)
def test_an_image_url(url: str, normal: str) -> None:
    assert urls.normalise(Kind.IMAGE, url) == urls.normalise_image(url) == normal


@pytest.mark.parametrize(("url", "normal"), CHART)
def test_a_chart_url(url: str, normal: str) -> None:
    assert urls.normalise(Kind.CHART, url) == urls.normalise_chart(url) == normal


def test_git_urls_are_normalised_as_by_gos_library() -> None:
    assert [(url, urls.normalise_git(url)) for url, _ in rows("git")] == [(url, normal) for url, normal in rows("git")]


def test_lower_case_is_gos() -> None:
    [[upper, lower]] = rows("lower")
    characters = "".join(map(chr, range(sys.maxunicode + 1)))
    assert urls._lower(upper) == lower
    assert {each for each in characters if urls._lower(each) != each} == set(upper)


def test_the_printable_characters_are_gos_but_for_those_of_a_newer_unicode() -> None:
    printable = {code for first, last in rows("printable") for code in range(first, last + 1)}
    ours = {code for code in range(sys.maxunicode + 1) if urls._printable(f"x{chr(code)}x") != "xx"}
    newer = {0x31EF, *range(0x2FFC, 0x3000), *range(0x2EBF0, 0x2EE5E)}  # Unicode 15.1; Go 1.26 has 15.0
    assert ours - printable == newer
    assert printable - ours == set()


PLACES = [
    "{}",
    "a{}/b",
    "a{}.io/b/c",
    "a.io/{}",
    "{}:1/a",
    "git@h:{}",
    "oci://a{}/b/c",
    "https://{}/x",
    "https://u{}@h/x",
]
PLACES += ["https://h/{}", "https://h/?{}", "https://h/#{}", "https://[::1%25{}]/", "https://h:{}/"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", Kind)
def test_half_a_surrogate_pair_is_read_as_go_reads_it_wherever_it_stands(place: str, kind: Kind) -> None:
    assert urls.normalise(kind, place.format("\ud800")) == urls.normalise(kind, place.format("\ufffd"))


@patient
@given(any_text | url_text, st.sampled_from(Kind))
def test_any_text_has_a_normal_form(url: str, kind: Kind) -> None:
    assert urls.normalise(kind, url).encode() is not None


@patient
@given(url_text)
def test_an_image_keeps_its_normal_form_unless_that_begins_with_library(url: str) -> None:
    normal = urls.normalise_image(url)
    if not normal.startswith("library/"):
        assert urls.normalise_image(normal) == normal


@patient
@given(st.from_regex(r"(https|ssh)://[a-z]{1,5}(:[0-9]{1,4})?(/[a-zA-Z0-9_-]{1,4}){1,3}(\.git)?/?", fullmatch=True))
def test_an_ordinary_git_url_keeps_its_normal_form(url: str) -> None:
    normal = urls.normalise_git(url)
    assert urls.normalise_git(normal) == normal
    assert urls.normalise_git(url.upper()) == normal


@pytest.mark.parametrize(
    ("kind", "url", "registry"),
    [
        (Kind.IMAGE, "team/app", "index.docker.io"),
        (Kind.IMAGE, "registry.example.com:5000/team/app", "registry.example.com:5000"),
        (Kind.IMAGE, "Not A Reference", ""),
        (Kind.CHART, "r.azurecr.io/helm/app", "r.azurecr.io"),
        (Kind.CHART, "https://charts.example.com:8443/stable", "charts.example.com:8443"),
        (Kind.GIT, "https://git.example.com:8443/team/app", "git.example.com"),
        (Kind.GIT, "ssh://git@github.com/team/app", "github.com"),
        (Kind.GIT, "no-url", ""),
    ],
)
def test_a_repository_is_in_a_registry(kind: Kind, url: str, registry: str) -> None:
    assert repositories.registry(kind, url) == registry
