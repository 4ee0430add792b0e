"""How each vendor is reached: its address, by which transport, trusting whom."""

from __future__ import annotations

import os
import ssl

import pytest

from runtime.reactor import Reactor
from runtime.transport.httpx_transport import HttpxTransport
from runtime.transport.port import Transport
from runtime.transport.simulated import SimulatedSettings
from runtime.transport.unusual import unusual_at
from runtime.vendors import VendorConnection, choose_transport, connect


def test_a_vendor_needs_an_address() -> None:
    """But for the simulated one."""
    with pytest.raises(ValueError, match="acme needs a base_url"):
        connect(VendorConnection("acme"), lambda *_: None, Reactor())
    caller = connect(VendorConnection("sim", "simulated"), lambda *_: None, Reactor())
    assert "SimulatedTransport: 0 in flight" in repr(caller)


def chosen(url: str) -> Transport:
    return choose_transport(VendorConnection("v", "openai", url), Reactor())


@pytest.fixture
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.lower().endswith("_proxy") or name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            monkeypatch.delenv(name)


@pytest.mark.usefixtures("_no_proxies")
def test_the_transport_is_chosen_by_the_dialect() -> None:
    """The simulated vendor opens no socket."""
    settings = VendorConnection("s", "simulated", simulated=SimulatedSettings(seed=1))
    assert "Simulated" in repr(choose_transport(settings, Reactor()))
    assert repr(chosen("http://v")) == "<ReactorTransport: 0 in flight, 0 idle>"


VENDOR = "https://api.vendor.test/v1"


@pytest.mark.usefixtures("_no_proxies")
@pytest.mark.parametrize(
    ("url", "env", "why"),
    [
        (VENDOR, {}, None),
        (VENDOR, {"HTTP_PROXY": "http://p:1", "no_proxy": ""}, None),
        (VENDOR, {"https_proxy": "http://p:1"}, "a proxy leads to it"),
        (VENDOR, {"ALL_PROXY": "socks5://p:1"}, "a proxy leads to it"),
        (VENDOR, {"ALL_PROXY": "http://p:1", "NO_PROXY": "other.test, vendor.test"}, None),
        (VENDOR, {"ALL_PROXY": "http://p:1", "NO_PROXY": "dor.test"}, "a proxy leads to it"),
        (VENDOR, {"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        (VENDOR, {"SSL_CERT_FILE": "/x.pem"}, "SSL_CERT_FILE names other certificates"),
        (VENDOR, {"SSL_CERT_DIR": "/x"}, "SSL_CERT_DIR names other certificates"),
        ("http://127.0.0.1:1/v1", {"SSL_CERT_FILE": "/x.pem"}, None),
        ("http://127.0.0.1:1/v1", {"HTTP_PROXY": "p:1"}, "a proxy leads to it"),
        ("http://127.0.0.1:1/v1", {"HTTP_PROXY": "p:1", "NO_PROXY": "127.0.0.1"}, None),
        ("http://me:secret@v/v1", {}, "the address names a user"),
        ("unix:///socket", {}, "unix scheme"),
    ],
)
def test_what_is_reached_in_an_unusual_way_goes_through_httpx(
    url: str, env: dict[str, str], why: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies are read as httpx reads them; the rest is the reactor's."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert unusual_at(url) == why


def test_without_an_epoll_there_is_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("select.epoll")
    assert unusual_at("http://v") == "this platform has no epoll"
    assert isinstance(chosen("http://v"), HttpxTransport)


@pytest.mark.usefixtures("_no_proxies")
def test_certificates_are_loaded_where_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them nobody is trusted: a way that is thought to be plain stays so."""
    loaded: list[ssl.SSLContext | None] = []
    monkeypatch.setattr(
        "runtime.transport.reactor.ReactorTransport", lambda _, tls: loaded.append(tls)
    )
    for url in ("http://v", "https://v", "HTTPS://v"):
        chosen(url)
    plain, *secure = loaded
    assert plain is None
    for context in secure:
        assert context is not None
        assert context.cert_store_stats()["x509_ca"]
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_plain_way_through_httpx_trusts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.vendors.unusual_at", lambda url: "whatever")
    for url, loaded in (("http://v", False), ("https://v", True)):
        transport = chosen(url)
        assert isinstance(transport, HttpxTransport)
        assert bool(transport._tls.cert_store_stats()["x509_ca"]) is loaded
        assert transport._tls.verify_mode is ssl.CERT_REQUIRED
