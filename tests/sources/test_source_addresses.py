from __future__ import annotations

import asyncio
import socket

import pytest
from web_server import Page, WebServer

from imgmatch.errors import PhotoError
from imgmatch.model import SkipReason
from imgmatch.sources.urls import checked, is_url, joined, shown_url

aiohttp = pytest.importorskip("aiohttp", reason="the extra remote is not installed")

from aiohttp.abc import AbstractResolver, ResolveResult  # noqa: E402 - only where it is installed

from imgmatch.sources.addresses import connector, is_public  # noqa: E402 - as above

PRIVATE = [
    *("127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),  # noqa: S104 - refused
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0"),
    *("fc00::1", "ff02::1", "2001:db8::1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::"),
    *("2001:0:7f00:1::", "not an address", ""),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_of_the_open_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
)
def test_addresses_of_the_open_internet_are_public(address: str) -> None:
    assert is_public(address)


class Rebinding(AbstractResolver):
    """Says now, as a stranger's name server may, that a host is this machine; nobody has looked at what it says."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("allowed", [False, True])
def test_a_host_that_turns_out_to_be_this_machine_as_it_is_connected_to_is_refused(*, allowed: bool) -> None:
    async def ask(port: str) -> str:
        opened = connector(1, allow_private=allowed, resolver=Rebinding())
        async with aiohttp.ClientSession(connector=opened) as session:
            try:
                async with session.get(f"http://rebound.example:{port}/1") as answer:
                    return str(answer.status)
            except aiohttp.ClientConnectorError as error:
                return type(error.os_error).__name__

    with WebServer({"/1": Page(b"x")}) as server:
        found = asyncio.run(ask(server.url.rpartition(":")[2]))
        assert (found, len(server.asked)) == (("200", 1) if allowed else ("NotPublicError", 0))


# -- URLs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["https://x/1", "S3://b/k", " http://x", "data:x", "zip://a::https://x", "file:///x"])
def test_urls_of_every_kind_are_known_as_such(text: str) -> None:
    assert is_url(text)


@pytest.mark.parametrize("text", ["a/1.jpg", "C:\\x\\1.jpg", "C:/x", "a:b.jpg", "/x", "//x/y", "http:/x"])
def test_paths_are_no_urls(text: str) -> None:
    assert not is_url(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (" HTTPS://Host:8/A?b=C#d ", "https://host:8/A?b=C"),
        ("http://host", "http://host/"),
        ("s3://Bucket/a b?c#d/1.jpg", "s3://Bucket/a b?c#d/1.jpg"),
        ("gs://bucket", "gs://bucket/"),
    ],
)
def test_a_url_is_brought_into_normal_form(text: str, url: str) -> None:
    assert checked(text) == url


@pytest.mark.parametrize(
    "text",
    [
        *("https://u:p@x/1", "https://u@x/1", "s3://k:s@b/1", "https://", "https://x:99999/", "https://x:y/", "s3://"),
        *(
            "file:///etc/passwd",
            "ftp://x/1",
            "gopher://x",
            "https://x/\x00",
            "https://x/\n1",
            "data:x",
            "https://[::1/",
        ),
    ],
)
def test_urls_that_may_not_be_read_are_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(PhotoError) as caught:
        checked(text)
    assert caught.value.reason == SkipReason.REFUSED
    assert text not in caught.value.detail


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("https://h/s/m.csv?v=1", "a/1.jpg", "https://h/s/a/1.jpg"),
        ("https://h/s/m.csv", "a b/#1?.jpg", "https://h/s/a%20b/%231%3F.jpg"),
        ("https://h/s/m.csv", "../../../1.jpg", "https://h/1.jpg"),
        ("https://h/s/m.csv", "//evil/1.jpg", "https://h/evil/1.jpg"),
        ("https://h/s/m.csv", "a:b.jpg", "https://h/s/a%3Ab.jpg"),
        ("s3://b/s/m.csv", "../../../1#.jpg", "s3://b/1#.jpg"),
        ("s3://b/m.csv", "a/1.jpg", "s3://b/a/1.jpg"),
        ("gs://b/s/m.csv", "/a/1.jpg", "gs://b/a/1.jpg"),
    ],
)
def test_a_path_in_a_manifest_stays_on_its_host_or_in_its_bucket(base: str, path: str, url: str) -> None:
    assert joined(base, path) == url


def test_what_signs_a_url_is_not_shown() -> None:
    text = "https://u:p@x/1?id=3&X-Amz-Signature=abc&X-Amz-Credential=def&sig=ghi&token=jkl&w=1"
    shown = "https://…@x/1?id=3&X-Amz-Signature=…&X-Amz-Credential=…&sig=…&token=…&w=1"
    assert shown_url(text) == shown
