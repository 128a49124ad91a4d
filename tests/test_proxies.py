"""Who may open a socket from which page, and whose word on a client is taken."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from chat_aiohttp.proxies import Peer, Proxies, is_foreign

ALLOWED = ("https://docs.example.org", "http://intra:8080")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "chat.example.org"),
        ("https://chat.example.org", "chat.example.org"),
        ("http://chat.example.org", "chat.example.org"),
        ("https://chat.example.org", "chat.example.org:443"),
        ("https://chat.example.org:443", "chat.example.org"),
        ("http://chat.example.org:80", "chat.example.org"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("https://[2001:db8::1]", "[2001:DB8::1]"),
        ("https://Chat.Example.org", "chat.example.ORG"),
        ("HTTPS://chat.example.org", "chat.example.org"),
        ("https://chat.example.org.", "chat.example.org."),
        ("https://xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://docs.example.org", "chat.example.org"),
        ("https://DOCS.example.org:443", "chat.example.org"),
        ("http://intra:8080", "chat.example.org"),
    ],
)
def test_these_pages_are_ours(origin: str | None, host: str) -> None:
    assert not is_foreign(origin, host, ALLOWED)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("null", "chat.example.org"),
        ("", "chat.example.org"),
        ("https://evil.example", "chat.example.org"),
        ("https://chat.example.org.evil.example", "chat.example.org"),
        ("https://evilchat.example.org", "chat.example.org"),
        ("https://sub.chat.example.org", "chat.example.org"),
        ("https://chat.example.org:8443", "chat.example.org"),
        ("https://chat.example.org", "chat.example.org:8443"),
        ("http://chat.example.org", "chat.example.org:443"),
        ("https://chat.example.org:80", "chat.example.org"),
        ("http://localhost:8000", "127.0.0.1:8000"),
        ("http://localhost:3000", "localhost:8000"),
        ("http://[::1]:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::2]:8000"),
        ("https://chat.example.org.", "chat.example.org"),
        ("http://docs.example.org", "chat.example.org"),
        ("https://intra:8080", "chat.example.org"),
        ("http://intra", "chat.example.org"),
        ("https://chat.example.org@evil.example", "chat.example.org"),
        ("https://evil@chat.example.org", "chat.example.org"),
        ("https://chat.example.org/path", "chat.example.org"),
        ("https://chat.example.org?x", "chat.example.org"),
        ("https://chat.example.org#x", "chat.example.org"),
        ("https://chat.example.org:0", "chat.example.org"),
        ("https://chat.example.org:99999", "chat.example.org"),
        ("https://chat.example.org:x", "chat.example.org"),
        ("https://[::1", "[::1"),
        ("https://", ""),
        ("//chat.example.org", "chat.example.org"),
        ("file://", "chat.example.org"),
        ("file:///home/me/x.html", "chat.example.org"),
        ("chrome-extension://abcdefgh", "abcdefgh"),
        ("ws://chat.example.org", "chat.example.org"),
        ("https://a, https://chat.example.org", "chat.example.org"),
        ("https://evil.example https://chat.example.org", "chat.example.org"),
        ("https://chat.example.org", ""),
        ("https://chat.example.org", "chat.example.org, evil.example"),
    ],
)
def test_these_pages_are_foreign(origin: str, host: str) -> None:
    assert is_foreign(origin, host, ALLOWED)


def test_what_the_operator_allowed_may_be_written_loosely() -> None:
    assert not is_foreign("https://docs.example.org", "chat", ["https://DOCS.example.org:443"])
    assert is_foreign("https://docs.example.org", "chat", ["not a url", "null", ""])
    assert is_foreign("null", "chat", ["null"])


class Transport:
    def __init__(self, remote: str) -> None:
        self._peer = (remote, 5000) if remote else ""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._peer if name == "peername" else default

    def is_closing(self) -> bool:
        return False


NETWORKS = ("127.0.0.1/32", "::1/128", "10.0.0.0/8")


def peer(remote: str, headers: dict[str, str] | None = None, networks: tuple[str, ...] = NETWORKS) -> Peer:
    """Whom a request from *remote* is believed to come from."""
    sent = {"Host": "inner:8000", **(headers or {})}
    request = make_mocked_request("GET", "/", sent, transport=Transport(remote))
    return Proxies(networks).peer(request)


FORWARDED = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "chat.example.org"}


@pytest.mark.parametrize("remote", ["127.0.0.1", "::1", "10.1.2.3", "::ffff:10.1.2.3", ""])
def test_a_trusted_proxys_word_is_taken(remote: str) -> None:
    assert peer(remote, FORWARDED) == Peer("203.0.113.7", "https", "chat.example.org")


@pytest.mark.parametrize("remote", ["192.0.2.1", "2001:db8::1", "127.0.0.2", "11.0.0.1"])
def test_anybody_elses_is_not(remote: str) -> None:
    assert peer(remote, FORWARDED) == Peer(remote, "http", "inner:8000")


def test_without_networks_nobody_is_trusted() -> None:
    assert peer("127.0.0.1", FORWARDED, ()) == Peer("127.0.0.1", "http", "inner:8000")


def test_a_proxy_that_says_nothing_changes_nothing() -> None:
    assert peer("127.0.0.1") == Peer("127.0.0.1", "http", "inner:8000")


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7, 10.0.0.5", "203.0.113.7"),
        ("10.0.0.9, 10.0.0.5", "10.0.0.9"),
        ("unknown", "unknown"),
        ("127.0.0.1, evil", "evil"),
        (" , ,203.0.113.7, ", "203.0.113.7"),
        ("", "10.0.0.1"),
    ],
)
def test_the_client_is_the_nearest_that_is_no_proxy_of_ours(chain: str, client: str) -> None:
    """What a client itself wrote into the header stands to the left of what a proxy added."""
    assert peer("10.0.0.1", {"X-Forwarded-For": chain}).address == client


@pytest.mark.parametrize("scheme", ["javascript", "ws", "", "https,http"])
def test_a_scheme_that_is_none_is_not_taken(scheme: str) -> None:
    assert peer("127.0.0.1", {"X-Forwarded-Proto": scheme}).scheme == "http"
