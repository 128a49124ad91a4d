"""How the Redis store reaches its servers: URLs of every kind, TLS, a unix socket, a user with the least rights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from chat_aiohttp.errors import CannotStart
from tests.ports import free_port
from tests.servers import REDIS, Server, start_server
from tests.store.listener import Side, delete, edit, message
from tests.store.redis_clusters import CLUSTER, SLOTS, certificate, cluster, sentinel, until
from tests.store.redis_sides import Open, said

DOC = Path(__file__).parents[2] / "docs/redis.md"
# The rights that docs/redis.md names: the first block is what the store needs, the second what a cluster needs beside,
# the third what the checks at the start would like to have.
RIGHTS = [
    block.split() for block in re.findall(r"^```acl\n(.*?)^```", DOC.read_text("utf-8"), re.DOTALL | re.MULTILINE)
]
LEAST, IN_A_CLUSTER, TO_BE_TOLD = RIGHTS[0][1:], RIGHTS[1], RIGHTS[2]


# -- a user with the least rights


async def test_a_user_with_the_documented_rights_is_enough(server: Server, start: Open) -> None:
    server.ask("ACL", "SETUSER", *LEAST)
    side = await start(f"redis://chat:s3cret@127.0.0.1:{server.port}/0")
    await _uses_everything(side)

    assert "may not read INFO" in side.store.durability


async def test_a_user_who_may_ask_is_told_what_an_acknowledgement_is_worth(server: Server, start: Open) -> None:
    server.ask("ACL", "SETUSER", *LEAST, *TO_BE_TOLD)
    side = await start(f"redis://chat:s3cret@127.0.0.1:{server.port}/0")

    assert side.store.durability.startswith("AOF always")


async def test_a_user_who_may_ask_for_half_of_it_is_told_what_is_not_known(
    server: Server, start: Open, caplog: pytest.LogCaptureFixture
) -> None:
    server.ask("ACL", "SETUSER", *LEAST, "+info")
    side = await start(f"redis://chat:s3cret@127.0.0.1:{server.port}/0")

    assert side.store.durability == "AOF: survives Redis being killed, mostly"
    assert "may not read CONFIG" in caplog.text


@pytest.mark.parametrize("right", ["+xadd", "+evalsha", "+set"])
async def test_a_right_that_is_missing_is_named(server: Server, start: Open, right: str) -> None:
    server.ask("ACL", "SETUSER", *LEAST, right.replace("+", "-"))
    url = f"redis://chat:s3cret@127.0.0.1:{server.port}/0"
    try:
        side = await start(url)
    except CannotStart as error:
        words = error.words
    else:
        (refused,) = await side.append(message("lobby", "a", ref="k1"))
        assert refused.error is not None
        assert refused.error.retryable
        words = refused.error.words

    assert re.search("NOPERM|no permission|can't run this command", words)


async def test_the_documented_rights_are_enough_in_a_cluster(tmp_path: Path, start: Open) -> None:
    with cluster(tmp_path) as nodes:
        for node in nodes.nodes:
            node.ask("ACL", "SETUSER", *LEAST, *IN_A_CLUSTER)
        await _uses_everything(await start(nodes.url.replace("://", "://chat:s3cret@")))


def test_no_right_to_look_through_all_keys_is_asked_for() -> None:
    rights = {right for block in RIGHTS for right in block}

    assert not {right for right in rights if re.match(r"\+@|\+(keys|scan|flush|eval$|monitor|shutdown)", right)}
    assert {"resetchannels", "~chat:*", "-@all"} <= rights


async def _uses_everything(side: Side) -> None:
    """Every command of the store, once."""
    await side.store.attach("lobby")
    (first,) = await side.say("lobby", "a")
    side.store.lease("lobby", "Lobby", 1, b"[]")
    side.store.signal("lobby", b"{}")
    await side.append(edit("lobby", first, "b"), message("lobby", "c", ref="k1"))

    assert await side.history("lobby") == ["b", "c"]
    assert len(await side.told("lobby", 3)) == 3
    assert [line.people for line in await side.store.rooms(10)] == [1]
    assert await side.store.leases("lobby") == [b"[]"]
    assert await side.store.title("lobby") == "Lobby"
    await side.one(delete("lobby", first))
    side.store.lease("lobby", "Lobby", 0, None)
    for n in range(130):  # a session's refs are put aside after 128
        await said(side, "lobby", str(n), f"r{n}")
    await side.store.drain()
    assert [line.people for line in await side.store.rooms(10)] == [0]
    assert (await side.history("lobby"))[0] == "c"


# -- TLS


class Tls(NamedTuple):
    cert: Path
    options: tuple[str, ...]
    port: int


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    cert, key = certificate(tmp_path)
    port = free_port()
    files = ("--tls-cert-file", str(cert), "--tls-key-file", str(key), "--tls-ca-cert-file", str(cert))
    return Tls(cert, ("--tls-port", str(port), "--tls-auth-clients", "no", *files), port)


async def test_tls_with_a_certificate_of_one_s_own(tmp_path: Path, tls: Tls, start: Open) -> None:
    with start_server(tmp_path / "data", *tls.options, kind=REDIS):
        side = await start(f"rediss://localhost:{tls.port}/0?ssl_ca_certs={tls.cert}")
        await side.say("lobby", "a")

        assert await side.history("lobby") == ["a"]
        with pytest.raises(CannotStart, match=r"(?i)certificate"):
            await start(f"rediss://localhost:{tls.port}/0")
        with pytest.raises(CannotStart, match="nowhere"):
            await start(f"rediss://localhost:{tls.port}/0?ssl_ca_certs=/nowhere/ca.pem")


async def test_a_certificate_that_is_none_is_refused(tmp_path: Path, start: Open) -> None:
    (tmp_path / "ca.pem").write_text("nothing of the kind")
    with pytest.raises(CannotStart, match="certificates") as caught:
        await start(f"rediss://localhost/0?ssl_ca_certs={tmp_path}/ca.pem")

    assert caught.value.exit_code == 78


async def test_tls_to_a_cluster(tmp_path: Path, tls: Tls, start: Open) -> None:
    mode = (*CLUSTER, "--tls-cluster", "yes", "--cluster-port", str(free_port()))
    with start_server(tmp_path / "data", *mode, *tls.options, kind=REDIS) as node:
        node.ask("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
        until(lambda: node.ask("CLUSTER", "INFO").startswith(b"cluster_state:ok"))
        side = await start(f"rediss+cluster://localhost:{tls.port}?ssl_ca_certs={tls.cert}")
        await side.say("lobby", "a")

        assert await side.history("lobby") == ["a"]


async def test_tls_to_a_sentinel_with_a_password_and_to_what_it_watches(tmp_path: Path, tls: Tls, start: Open) -> None:
    port = free_port()
    options = [str(port) if option == str(tls.port) else option for option in tls.options]
    watch = f"sentinel monitor mymaster 127.0.0.1 {tls.port} 1\n"
    with (
        start_server(tmp_path / "data", *tls.options, kind=REDIS),
        sentinel(tmp_path, watch, "--tls-replication", "yes", *options, kind=REDIS) as watching,
    ):
        watching.ask("ACL", "SETUSER", "default", ">s3cret", "resetpass", ">s3cret")
        where = f"localhost:{port}/mymaster/1?ssl_ca_certs={tls.cert}"
        side = await start(f"rediss+sentinel://{where}&sentinel_password=s3cret")
        await side.say("lobby", "a")

        assert await side.history("lobby") == ["a"]
        with pytest.raises(CannotStart, match="mymaster") as caught:
            await start(f"rediss+sentinel://{where}&sentinel_password=wr0ng")
        assert "wr0ng" not in caught.value.words


# -- URLs


async def test_a_database_and_a_unix_socket_are_taken_from_the_url(server: Server, start: Open) -> None:
    over_tcp, over_unix = await start(f"redis://127.0.0.1:{server.port}/3"), await start(f"{server.url}?db=3")
    await over_tcp.say("lobby", "a")

    assert await over_unix.history("lobby") == ["a"]
    assert await (await start(server.url)).history("lobby") == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://localhost", "redis://"),
        ("redis://localhost/first", "number of a database"),
        ("redis://localhost:port/0", "port"),
        ("redis://localhost/0?no_such_option=1", "no_such_option"),
        ("redis://localhost/0?ssl_ca_certs=/ca.pem", "ssl_ca_certs"),
        ("redis+sentinel://localhost:26379", "primary's name"),
        ("redis+sentinel://localhost:26379/mymaster/first", "primary's name"),
        ("redis+sentinel://one,,two/mymaster", "host is missing"),
        ("unix+sentinel://localhost/mymaster", "redis+"),
        ("redis+cluster://localhost/3", "numbered databases"),
        ("redis+cluster://", "host is missing"),
    ],
)
async def test_a_url_that_can_not_be_right_is_refused(start: Open, url: str, words: str) -> None:
    with pytest.raises(CannotStart, match=re.escape(words)) as caught:
        await start(url)

    assert caught.value.exit_code == 78


@pytest.mark.parametrize("scheme", ["redis", "redis+sentinel", "redis+cluster"])
@pytest.mark.parametrize("odd", ["#", "?", "/"])
async def test_a_url_with_an_odd_password_is_refused_without_showing_it(start: Open, scheme: str, odd: str) -> None:
    with pytest.raises(CannotStart, match="percent-encoded") as caught:
        await start(f"{scheme}://ada:s3c{odd}ret@localhost/mymaster")

    assert caught.value.exit_code == 78
    for error in (caught.value, caught.value.__cause__):
        assert "s3c" not in str(error)


@pytest.mark.parametrize("url", ["redis://ada:s3cret@127.0.0.1:1/0", "redis+cluster://ada:s3cret@127.0.0.1:1"])
async def test_a_server_that_is_away_is_named_without_its_password(start: Open, url: str) -> None:
    with pytest.raises(CannotStart, match=r"127\.0\.0\.1:1") as caught:
        await start(url)

    assert caught.value.exit_code == 75
    assert "s3cret" not in caught.value.words
