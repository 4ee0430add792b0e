"""Requests that are refused: the text, the code and the status of each, and which comes first."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.end_to_end.shell import Server, Shell

QUICK = """
[server]
max_request_bytes = 20000
[[providers]]
id = "simulated"
dialect = "simulated"
simulated = {delay_ms = 0, seed = 7}
"""
MESSAGES = [{"role": "user", "content": "hi"}]
ASKED = {"messages": MESSAGES}
HUGE = 10**30


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("requests")
    (folder / "planhub.toml").write_text(QUICK)
    with Shell(folder).serving() as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def post(client: httpx.Client, content: Any, **headers: str) -> httpx.Response:
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    sent = {"content-type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/v1/plan", content=content, headers=sent)


def wanting(**orchestration: Any) -> dict[str, Any]:
    return {"request": ASKED, "orchestration": orchestration}


def is_refused(response: httpx.Response, status: int, code: str, text: str) -> None:
    body = response.json()
    told = (response.status_code, body["code"], body["id"])
    assert told == (status, code, None), response.text
    assert text in body["error"]
    assert response.headers["content-type"] == "application/json"


# --- which complaint comes first --------------------------------------------------------------

EVERYTHING_WRONG = {
    "request": {"messages": []},
    "orchestration": {"iterations": HUGE, "mode": "x", "voters": 99, "bogus": 1},
}


def without(*fields: str) -> Any:
    """The wrong body, put right in these."""
    body = json.loads(json.dumps(EVERYTHING_WRONG))
    for field in fields:
        if field == "messages":
            body["request"]["messages"] = MESSAGES
        else:
            del body["orchestration"][field]
    return body


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [
        (b"{", "bad_json", "bad json"),
        (without(), "unknown_field", "unknown field: orchestration.bogus"),
        (without("bogus"), "messages_required", "messages required"),
        (
            without("bogus", "messages"),
            "bad_iterations",
            "iterations must be between 0 and 10",
        ),
        (without("bogus", "messages", "iterations"), "unknown_mode", "unknown orchestration mode"),
        (without("bogus", "messages", "iterations", "mode"), "bad_request", "orchestration.voters"),
    ],
)
def test_complaints_come_in_their_order(
    client: httpx.Client, content: Any, code: str, text: str
) -> None:
    """JSON, unknown fields, messages, iterations, mode, the rest."""
    is_refused(post(client, content), 400, code, text)


def test_the_size_and_the_type_come_before_the_body(client: httpx.Client) -> None:
    """And the size before the type, whether its length was declared or not."""
    long = b"[" * 20_001
    too_large = (413, "too_large", "request too large")
    is_refused(post(client, long, content_type="text/plain"), *too_large)
    chunked = client.post("/v1/plan", content=iter([long[:9_000], long[9_000:]]))
    is_refused(chunked, *too_large)
    refused = (415, "bad_content_type", "content type must be application/json")
    is_refused(post(client, b"{", content_type="text/plain"), *refused)
    is_refused(client.post("/v1/plan", content=b"{"), *refused)


# --- each complaint ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{} x",
        b"\xff\xfe{}",
        b'{"request": NaN}',
        json.dumps({"request": ASKED}).encode("utf-16"),
        b"\xef\xbb\xbf{}",
        gzip.compress(json.dumps({"request": ASKED}).encode()),
    ],
)
def test_what_is_no_json(client: httpx.Client, content: bytes) -> None:
    is_refused(post(client, content), 400, "bad_json", "bad json")


@pytest.mark.parametrize("iterations", [-1, 11, HUGE, 1.5, "2", True, [1]])
def test_iterations(client: httpx.Client, iterations: Any) -> None:
    text = "iterations must be between 0 and 10"
    is_refused(post(client, wanting(iterations=iterations)), 400, "bad_iterations", text)


@pytest.mark.parametrize("mode", ["debate", "Vote", "", 1, ["vote"], {}])
def test_modes(client: httpx.Client, mode: Any) -> None:
    text = "unknown orchestration mode"
    is_refused(post(client, wanting(mode=mode)), 400, "unknown_mode", text)


@pytest.mark.parametrize(
    "schema",
    [5, [], "", "{", "5", {"type": "nope"}, {"$ref": "http://elsewhere/x"}, {"pattern": "("}],
)
@pytest.mark.parametrize("part", ["request", "orchestration"])
def test_schemas(client: httpx.Client, schema: Any, part: str) -> None:
    """In both places, as an object or as text: no JSON, no JSON Schema, or leading away."""
    body: dict[str, Any] = {"request": dict(ASKED), "orchestration": {}}
    body[part]["output_schema"] = schema
    is_refused(post(client, body), 400, "bad_schema", "invalid output_schema: ")


def test_two_schemas_must_be_the_same(client: httpx.Client) -> None:
    """In any spelling."""
    body = {
        "request": {**ASKED, "output_schema": {"type": "object", "required": ["a"]}},
        "orchestration": {"output_schema": '{"required": ["a"],   "type": "object"}'},
    }
    assert post(client, body).status_code == 200
    body["orchestration"] = {"output_schema": {"type": "array"}}
    is_refused(post(client, body), 400, "bad_request", "output_schema")


def nested(levels: int) -> bytes:
    """A body that is nested so deep, counted from its outermost brace."""
    inner = b"[" * (levels - 3) + b"]" * (levels - 3)
    return b'{"request": {"messages": [{"role": "user", "content": "x"}], "meta": {"a": %s}}}' % (
        inner
    )


def test_depth(client: httpx.Client) -> None:
    assert post(client, nested(200)).status_code == 200
    is_refused(post(client, nested(201)), 400, "bad_request", "deeper than 200")


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (b"9223372036854775807", 200),
        (b"-9223372036854775808", 200),
        (b"18446744073709551616", 400),
        (b"-9223372036854775809", 400),
        (b"9" * 5_000, 400),
        (b"1e999", 400),
        (rb'"\ud83d\ude00"', 200),
        (rb'"\ud800"', 400),
        (rb'{"\udfff": 1}', 400),
    ],
)
@pytest.mark.parametrize("part", [b"meta", b"parameters"])
def test_values_that_nobody_could_carry(
    client: httpx.Client, part: bytes, value: bytes, status: int
) -> None:
    """Where everything else is free too."""
    content = b'{"request": {"messages": [{"role": "user", "content": "x"}], "%s": {"a": %s}}}' % (
        part,
        value,
    )
    response = post(client, content)
    assert response.status_code == status, response.text
    if status == 400:
        is_refused(response, 400, "bad_request", f"request.{part.decode()}")


# --- the edges of HTTP ------------------------------------------------------------------------


def test_methods_and_paths(client: httpx.Client) -> None:
    """What does not exist is 404, what exists for another method 405, with the methods it has."""
    for path in ("/", "/v1/plan/", "/metrics", "/admin/v1/keys", "/v1/chat/completions"):
        is_refused(client.get(path), 404, "not_found", "not found")
    for method in ("GET", "DELETE"):
        response = client.request(method, "/v1/plan/unknown")
        is_refused(response, 404, "unknown_run", "unknown run")
    response = client.put("/v1/plan")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert client.head("/healthz").status_code == 200


def test_a_body_in_chunks(client: httpx.Client) -> None:
    """Is a body."""
    content = json.dumps({"request": ASKED}).encode()
    response = client.post(
        "/v1/plan",
        content=iter([content[:5], content[5:]]),
        headers={"content-type": "application/json"},
    )
    assert response.status_code == 200


def test_what_headers_ask_for_in_vain(client: httpx.Client) -> None:
    """A name of another form is refused; who takes JSON as well as a stream gets that."""
    asked = {"request": ASKED}
    is_refused(post(client, asked, idempotency_key="a b"), 400, "bad_request", "Idempotency-Key")
    answered = post(client, asked, accept="text/event-stream, application/json")
    assert answered.headers["content-type"] == "application/json"
