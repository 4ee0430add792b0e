"""The HTTP front end: every path, every error, and the order in which a request is checked."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from actors.errors import (
    AllModelsFailed,
    BudgetExceeded,
    Conflict,
    DeadlineExceeded,
    Draining,
    Forbidden,
    PlanError,
    RateLimited,
    Unauthorized,
)
from runtime.frontends.http import create_app
from runtime.keys import ApiKey, Scope
from runtime.runs import RunView
from tests.runtime.frontends.fake_hub import ANSWER, FakeHub, body

JSON = {"content-type": "application/json"}


class FakeRing:
    """Keys by their text."""

    def __init__(self, **keys: ApiKey) -> None:
        self.keys = keys
        self.counted: list[str] = []
        self.full = False

    @property
    def required(self) -> bool:
        return bool(self.keys)

    def admit(self, presented: str | None, scope: Scope) -> ApiKey:
        key = self.keys.get(presented or "")
        if key is None:
            raise Unauthorized("missing or invalid api key")
        if not key.may(scope):
            raise Forbidden("scope not allowed")
        return key

    def count(self, key: ApiKey) -> None:
        if self.full:
            raise RateLimited("rate limited", retry_after_s=2.5)
        self.counted.append(key.id)


def ring() -> FakeRing:
    return FakeRing(
        alice=ApiKey("a", "alice"),
        bob=ApiKey("b", "bob"),
        chatty=ApiKey("c", "chatty", scopes=("chat",)),
        root=ApiKey("r", "root", scopes=("admin",)),
    )


def call(
    method: str,
    path: str,
    hub: FakeHub | None = None,
    keys: FakeRing | None = None,
    host: str = "http://localhost:8080",
    **rest: Any,
) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(hub or FakeHub(), keys, max_request_bytes=2_000))
        async with httpx.AsyncClient(transport=transport, base_url=host) as client:
            return await client.request(method, path, **rest)

    response = asyncio.run(ask())
    assert response.headers["content-type"] == "application/json"
    return response


def error(response: httpx.Response) -> tuple[int, str, str]:
    told = response.json()
    return response.status_code, told["code"], told["error"]


def test_an_answer_is_the_engine_s_body() -> None:
    hub = FakeHub()
    response = call("POST", "/v1/plan", hub, json=body(orchestration={"mode": "vote"}))
    assert (response.status_code, response.content) == (200, ANSWER)
    assert hub.requests[0].wants.mode == "vote"


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (BudgetExceeded("budget exceeded: no"), 402, "budget_exceeded"),
        (AllModelsFailed("nobody"), 502, "models_failed"),
        (DeadlineExceeded("deadline exceeded"), 504, "deadline"),
        (Draining("shutting down", retry_after_s=10), 503, "draining"),
        (ZeroDivisionError("ours"), 500, "internal"),
    ],
)
def test_every_end_has_its_status(failure: Exception, status: int, code: str) -> None:
    """And a defect of ours says only where to look for it."""
    response = call("POST", "/v1/plan", FakeHub(failure), json=body())
    assert (response.status_code, response.json()["code"]) == (status, code)
    if code == "internal":
        assert response.json()["error"] == "internal error"
        assert len(response.json()["id"]) == 16


def test_what_was_paid_is_told_with_the_error() -> None:
    failure = PlanError("late", code="deadline", http_status=504, run="r", cost={"spent_usd": 1.0})
    told = call("POST", "/v1/plan", FakeHub(failure), json=body()).json()
    assert told == {"error": "late", "code": "deadline", "id": "r", "cost": {"spent_usd": 1.0}}


# --- the order of the checks ------------------------------------------------------------------


def test_key_then_size_then_type_then_json() -> None:
    """A request with every fault is told of them one by one, in this order."""
    keys = ring()
    headers = {"content-type": "text/plain"}
    content = b"{" * 3_000
    found = [error(call("POST", "/v1/plan", keys=keys, headers=headers, content=content))]
    headers["x-api-key"] = "chatty"
    found.append(error(call("POST", "/v1/plan", keys=keys, headers=headers, content=content)))
    headers["x-api-key"] = "alice"
    found.append(error(call("POST", "/v1/plan", keys=keys, headers=headers, content=content)))
    found.append(error(call("POST", "/v1/plan", keys=keys, headers=headers, content=b"{")))
    headers |= JSON
    found.append(error(call("POST", "/v1/plan", keys=keys, headers=headers, content=b"{")))
    found.append(error(call("POST", "/v1/plan", keys=keys, headers=headers, content=b"{}")))
    assert found == [
        (401, "unauthorized", "missing or invalid api key"),
        (403, "forbidden", "scope not allowed"),
        (413, "too_large", "request too large"),
        (415, "bad_content_type", "content type must be application/json"),
        (400, "bad_json", "bad json"),
        (400, "messages_required", "messages required"),
    ]


def test_a_body_of_the_bound_passes() -> None:
    content = json.dumps(body()).encode().ljust(2_000)
    assert call("POST", "/v1/plan", content=content, headers=JSON).status_code == 200
    assert call("POST", "/v1/plan", content=content + b" ", headers=JSON).status_code == 413


# --- who may ask ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [{"authorization": "Bearer alice"}, {"authorization": "bearer alice"}, {"x-api-key": "alice"}],
)
def test_a_key_in_either_header(headers: dict[str, str]) -> None:
    keys = ring()
    assert call("POST", "/v1/plan", keys=keys, json=body(), headers=headers).status_code == 200
    assert keys.counted == ["a"]


@pytest.mark.parametrize("value", ["", "alice", "Basic alice", "Bearer", "Bearer eve"])
def test_no_key_or_a_wrong_one(value: str) -> None:
    response = call("POST", "/v1/plan", keys=ring(), json=body(), headers={"authorization": value})
    assert error(response) == (401, "unauthorized", "missing or invalid api key")
    assert response.headers["www-authenticate"] == "Bearer"


def test_too_many_requests_of_a_key() -> None:
    keys = ring()
    keys.full = True
    response = call("POST", "/v1/plan", keys=keys, json=body(), headers={"x-api-key": "bob"})
    assert error(response) == (429, "rate_limited", "rate limited")
    assert response.headers["retry-after"] == "3"


@pytest.mark.parametrize(
    "host", ["http://127.0.0.1:8080", "http://127.8.9.1", "http://[::1]:8080", "http://LOCALHOST"]
)
def test_without_keys_this_machine_may_ask(host: str) -> None:
    assert call("POST", "/v1/plan", host=host, json=body()).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "http://evil.example",
        "http://localhost.evil.example:8080",
        "http://192.168.0.7:8080",
        "http://127.0.0.1.evil.example",
    ],
)
def test_without_keys_a_rebound_name_is_refused(host: str) -> None:
    """A web page whose name was rebound to this address sends its own Host."""
    hub = FakeHub()
    assert call("POST", "/v1/plan", hub, host=host, json=body()).status_code == 403
    assert not hub.requests


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000"])
def test_without_keys_a_web_page_is_refused(origin: str) -> None:
    """No page may spend the user's money, not even one of another local server."""
    hub = FakeHub()
    response = call("POST", "/v1/plan", hub, json=body(), headers={"origin": origin})
    assert response.status_code == 403
    assert not hub.requests
    own = {"origin": "http://localhost:8080"}
    assert call("POST", "/v1/plan", json=body(), headers=own).status_code == 200


def test_with_keys_the_host_does_not_matter() -> None:
    headers = {"x-api-key": "alice", "origin": "https://app.example"}
    response = call("POST", "/v1/plan", keys=ring(), host="http://planhub.example", json=body(),
                    headers=headers)  # fmt: skip
    assert response.status_code == 200


# --- runs -------------------------------------------------------------------------------------


def hub_with_runs() -> FakeHub:
    hub = FakeHub()
    hub.views["a1"] = RunView("a1", "a", "complete", result=b'{"id":"a1"}')
    hub.views["b1"] = RunView("b1", "b", "failed", error=b'{"error":"x"}')
    hub.views["free"] = RunView("free", None, "running")
    return hub


def test_a_run_and_its_end() -> None:
    hub, keys = hub_with_runs(), ring()
    seen = call("GET", "/v1/plan/a1", hub, keys, headers={"x-api-key": "alice"})
    assert seen.json() == {"id": "a1", "status": "complete", "result": {"id": "a1"}}
    seen = call("GET", "/v1/plan/b1", hub, keys, headers={"x-api-key": "bob"})
    assert seen.json() == {"id": "b1", "status": "failed", "error": {"error": "x"}}
    assert call("GET", "/v1/plan/free", hub).json() == {"id": "free", "status": "running"}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_another_key_s_run_is_unknown(method: str) -> None:
    """Exactly as one that never was; except to `admin`."""
    hub, keys = hub_with_runs(), ring()
    answers = {
        run: error(call(method, f"/v1/plan/{run}", hub, keys, headers={"x-api-key": "alice"}))
        for run in ("b1", "free", "never")
    }
    assert set(answers.values()) == {(404, "unknown_run", "unknown run")}
    seen = call(method, "/v1/plan/b1", hub, keys, headers={"x-api-key": "root"})
    assert seen.status_code == 200
    denied = call(method, "/v1/plan/b1", hub, keys, headers={"x-api-key": "chatty"})
    assert error(denied) == (403, "forbidden", "scope not allowed")


def test_an_answer_for_later() -> None:
    """`Prefer: respond-async` has the id at once, and the run goes on."""
    hub = FakeHub(answer=None)
    headers = {"prefer": "wait=1, respond-async"}
    begun = call("POST", "/v1/plan", hub, json=body(), headers=headers)
    assert (begun.status_code, begun.json()) == (202, {"id": "run1", "status": "running"})
    assert begun.headers["location"] == "/v1/plan/run1"
    assert not hub.cancelled
    assert hub.wanted == ["run1"]
    hub.finish("run1", b'{"id":"run1"}')
    assert call("GET", "/v1/plan/run1", hub).json()["result"] == {"id": "run1"}


# --- by name -----------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [None, DeadlineExceeded("deadline exceeded", run="run1")])
def test_every_answer_of_a_name_but_the_first_says_so(failure: PlanError | None) -> None:
    """The answer itself is the same, and so is the error."""
    hub = FakeHub(answer=failure or ANSWER)
    first, second = (
        call("POST", "/v1/plan", hub, json=body(), headers={"idempotency-key": "k"})
        for _ in range(2)
    )
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert "idempotency-replay" not in first.headers
    assert second.headers["idempotency-replay"] == "true"
    assert len(hub.requests) == 1


@pytest.mark.parametrize("name", ["", "a b", "k" * 201, "\u00e9"])
def test_a_name_is_visible_ascii(name: str) -> None:
    headers = {"idempotency-key": name.encode("latin-1")}
    told = error(call("POST", "/v1/plan", json=body(), headers=headers))
    text = "Idempotency-Key must be 1 to 200 visible ASCII characters"
    assert told == (400, "bad_request", text)


def test_a_name_of_another_request() -> None:
    hub = FakeHub(answer=Conflict("idempotency key used with another request"))
    told = error(call("POST", "/v1/plan", hub, json=body(), headers={"idempotency-key": "k"}))
    assert told == (409, "idempotency_conflict", "idempotency key used with another request")


def test_an_answer_for_later_that_is_there_already() -> None:
    """Is given at once."""
    hub = FakeHub()
    headers = {"idempotency-key": "k", "prefer": "respond-async"}
    seen = call("POST", "/v1/plan", hub, json=body(), headers=headers)
    assert (seen.status_code, seen.content) == (200, ANSWER)


def test_a_run_is_cancelled() -> None:
    hub = FakeHub(answer=None)
    call("POST", "/v1/plan", hub, json=body(), headers={"prefer": "respond-async"})
    assert call("DELETE", "/v1/plan/run1", hub).status_code == 202
    assert hub.cancelled == ["run1"]
    assert call("DELETE", "/v1/plan/run1", hub).status_code == 200


# --- around it --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/v1/plan/", "/v1/plan/x/y", "/metrics", "/admin/v1/keys", "/v1/chat/completions"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_does_not_exist(method: str, path: str) -> None:
    """Reserved paths included: 404 as JSON, no redirect."""
    assert error(call(method, path)) == (404, "not_found", "not found")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/plan"), ("PUT", "/v1/plan"), ("POST", "/v1/models")]
)
def test_a_wrong_method(method: str, path: str) -> None:
    response = call(method, path)
    assert error(response) == (405, "method_not_allowed", "method not allowed")
    assert response.headers["allow"]


def test_models() -> None:
    (model,) = call("GET", "/v1/models").json()["models"]
    assert (model["id"], model["weight"], model["available"]) == ("m", 5, True)
    assert model["price"]["output_usd_per_mtok"] == 2.0
    assert call("GET", "/v1/models", keys=ring()).status_code == 401


def test_judges_are_listed_for_administrators() -> None:
    """A rate is null where there is nothing to count; without any keys this machine may look."""
    (entry,) = call("GET", "/admin/v1/judges").json()["judges"]
    assert (entry["judge"], entry["verdicts"]) == ("m", 8)
    assert (entry["tie_rate"], entry["flip_rate"], entry["family_lift"]) == (0.25, 0.25, None)
    keys = ring()
    said = {
        name: call("GET", "/admin/v1/judges", keys=keys, headers={"x-api-key": name}).status_code
        for name in ("root", "alice", "nobody")
    }
    assert said == {"root": 200, "alice": 403, "nobody": 401}


def test_probes_need_no_key() -> None:
    """A load balancer asks from anywhere."""
    hub, keys = FakeHub(), ring()
    assert call("GET", "/healthz", hub, keys, host="http://10.0.0.1").status_code == 200
    assert call("GET", "/readyz", hub, keys, host="http://10.0.0.1").status_code == 200
    hub.is_ready = (False, "m: breaker open")
    told = call("GET", "/readyz", hub, keys)
    assert (told.status_code, told.json()["reason"]) == (503, "m: breaker open")


def test_a_draining_server_begins_nothing() -> None:
    hub = FakeHub()
    hub.drain()
    response = call("POST", "/v1/plan", hub, json=body())
    assert error(response) == (503, "draining", "shutting down")
    assert int(response.headers["retry-after"]) > 0
    assert not hub.requests
    assert call("GET", "/healthz", hub).status_code == 200


def test_the_description_is_whole() -> None:
    """Every reference leads somewhere, every error of the contract is there."""
    response = call("GET", "/openapi.json")
    document = response.json()
    names = document["components"]["schemas"].keys()
    references = {
        part.split('"')[0] for part in response.text.split('"$ref":"#/components/schemas/')[1:]
    }
    assert references <= names
    assert {"PlanRequest", "PlanResult", "ErrorBody", "VoteResponse"} <= names
    errors = document["paths"]["/v1/plan"]["post"]["responses"].keys()
    assert {"400", "401", "402", "403", "413", "415", "429", "499", "500", "502", "503", "504"} <= (
        errors
    )
    schema = document["components"]["schemas"]["Orchestration"]
    assert schema["additionalProperties"] is False
