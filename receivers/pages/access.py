"""Who may see the pages, and whose forms count.

With a key (setting PAGES_KEY) a visitor shows it once and has a cookie from then on; a program sends it as a header.
Without one the pages are closed, unless this process listens on loopback alone (:mod:`receivers.pages.openness`); then
they are open to who asks there by address.

The cookie holds no key: an expiry and a random text, signed with the key. A form holds a token made from its visitor's
cookie, so that another site can post nothing in the visitor's name. Nothing here limits how often a key is tried: a key
of 32 random bytes cannot be guessed.
"""

import base64
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from receivers import loopback
from receivers.pages.visits import Refused, Visit

COOKIE = "kargo-receivers"
HEADER = "x-pages-key"
LIFETIME = 12 * 3600  # seconds that a visitor's cookie counts
PROXIED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-original-host")  # headers of a proxy
OPEN_SECRET = secrets.token_hex(32)  # signs the cookies of pages that need no key, while this process lives


class KeyNeeded(Refused):
    """The visitor has to show the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who may see the pages."""

    token: str = field(repr=False)  # for forms; empty for programs
    set_cookie: str = field(default="", repr=False)  # the header, for a visitor who is new
    program: bool = False


class Access:
    """Decides on each visit."""

    def __init__(self, *, key: str, on_loopback: bool, path: str = "/", clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._on_loopback = on_loopback
        self._path = path  # of the pages: what else is on this host gets no cookie
        self._secret = key or OPEN_SECRET
        self._clock = clock

    @property
    def locked(self) -> bool:
        """Whether there is a key to show."""
        return bool(self._key)

    def admit(self, visit: Visit) -> Visitor:
        """Who this is. Raises :class:`Refused`, and :class:`KeyNeeded` when the key would help."""
        if not self._key:
            self._refuse_closed(visit)
        if HEADER in visit.headers:
            if self._key and not _same(visit.headers[HEADER], self._key):
                raise KeyNeeded(401, "Not the key", f"The header {HEADER} does not hold the key of these pages.")
            return Visitor(token="", program=True)
        cookie = visit.cookie(COOKIE)
        if self._signed(cookie):
            return Visitor(token=self._token(cookie))
        if self._key:
            raise KeyNeeded(401, "Key needed", "These pages need a key: the setting PAGES_KEY of this service.")
        return self._new(secure=visit.secure)

    def sign_in(self, key: str, *, secure: bool) -> Visitor:
        """A visitor who shows the key. Raises :class:`KeyNeeded` when it is another."""
        if not _same(key, self._key):
            raise KeyNeeded(401, "Not the key", "This is not the key of these pages. It is the setting PAGES_KEY.")
        return self._new(secure=secure)

    def check_form(self, visit: Visit, visitor: Visitor) -> None:
        """Refuse what another site had the visitor's browser post. Programs send a header that no site can."""
        if visitor.program:
            return
        refuse_foreign(visit)
        if not _same(visit.form.get("token", ""), visitor.token):
            raise Refused(
                403,
                "Nothing was done",
                "This form is too old, or cookies are blocked. Open the page again, and try again.",
            )

    def _refuse_closed(self, visit: Visit) -> None:
        if not self._on_loopback:
            raise Refused(
                403,
                "These pages are closed",
                "To open them, set PAGES_KEY among the settings of this service to a long random text "
                "(openssl rand -hex 32), on Azure best as a reference to Key Vault. Without a key they are open only "
                "where `kargo-receivers serve` listens on 127.0.0.1 or ::1.",
            )
        if not loopback.means_this_machine(visit.headers.get("host", "")) or any(
            name in visit.headers for name in PROXIED
        ):
            # A foreign site may have its own name lead here, and would then be let read everything. So may a proxy.
            raise Refused(
                403,
                "These pages are closed",
                "Without a key they are shown under an address such as 127.0.0.1 or localhost alone, and to nobody "
                "behind a proxy. Set PAGES_KEY to show them otherwise.",
            )

    def _new(self, *, secure: bool) -> Visitor:
        expiry = f"{int(self._clock()) + LIFETIME}.{secrets.token_hex(16)}"
        cookie = f"{expiry}.{self._sign('visitor', expiry)}"
        attributes = f"Path={self._path}; Max-Age={LIFETIME}; HttpOnly; SameSite=Strict" + (
            "; Secure" if secure else ""
        )
        return Visitor(token=self._token(cookie), set_cookie=f"{COOKIE}={cookie}; {attributes}")

    def _signed(self, cookie: str) -> bool:
        """Whether this is a cookie of ours that still counts."""
        expiry, _, signature = cookie.rpartition(".")
        if not _same(signature, self._sign("visitor", expiry)):
            return False
        return int(expiry.partition(".")[0]) > self._clock()

    def _token(self, cookie: str) -> str:
        return self._sign("form", cookie)

    def _sign(self, purpose: str, text: str) -> str:
        signature = hmac.digest(_bytes(self._secret), _bytes(f"{purpose}:{text}"), "sha256")
        return base64.urlsafe_b64encode(signature).decode().rstrip("=")


def refuse_foreign(visit: Visit) -> None:
    """Refuse a form that another site posted. Browsers tell; the older ones by their Origin alone."""
    site, origin = (visit.headers.get(name, "") for name in ("sec-fetch-site", "origin"))
    if site:
        ours = site in {"same-origin", "none"}
    else:
        ours = not origin or origin.partition("://")[2] == visit.headers.get("host", "")
    if not ours:
        raise Refused(403, "Nothing was done", "Another site has sent this form.")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _bytes(text: str) -> bytes:
    """Whatever a visitor sent, halves of characters too."""
    return text.encode(errors="surrogatepass")
