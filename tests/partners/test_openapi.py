"""The OpenAPI document is valid, complete, and true: schemathesis asks the server whether it is."""

from __future__ import annotations

import asyncio
import base64
import copy
import hashlib
import itertools
import json
import re
from collections import Counter
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from gateway.partners.reading import read
from gateway.partners.requests import Request, payload
from gateway.share import share
from gateway.web.api import app as api
from gateway.web.api.openapi import document
from gateway.web.guard import CSP
from gateway.webhook_signature import ID, SIGNATURE, TIMESTAMP, secret_bytes, sign, verify
from tests.conftest import ROOT

from .conftest import Partner, form

DOCUMENT = document(api.OPERATIONS)
VENDOR = share("templates/web/vendor/swagger-ui")
# Well formed is not the same as usable: the form says types and sizes, CAP's own rules answer 422.
CONFIG = {
    "checks": {
        "positive_data_acceptance": {"expected-statuses": ["2xx", 403, 404, 409, 422]},
        "negative_data_rejection": {"expected-statuses": [400, 401, 403, 404, 405, 413, 415, 422]},
    }
}


class Signing(requests.auth.AuthBase):
    """Signs each request as a partner does."""

    def __init__(self, partner: Partner) -> None:
        self.partner = partner
        self.numbers = itertools.count()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.partner.key.text}"
        if request.method == "POST":
            body = request.body or b""
            body = body.encode() if isinstance(body, str) else body
            nonce, now = f"case-{next(self.numbers)}", self.partner.clock.now()
            signed = payload("POST", request.path_url, body)
            signature = sign(secret_bytes(self.partner.key.secret), nonce, now, signed)
            stamp = str(int(now.timestamp()))
            request.headers.update({ID: nonce, TIMESTAMP: stamp, SIGNATURE: signature})
        return request


class TestDocument:
    def test_it_is_valid_openapi_3_1(self):
        assert DOCUMENT["openapi"].startswith("3.1")
        OPENAPI_31_VALIDATOR.validate(DOCUMENT)

    async def test_it_describes_every_route_and_no_other(self, build):
        described = {(method.upper(), path) for path, one in DOCUMENT["paths"].items() for method in one}
        pages = {"/openapi.json", "/docs", *(f"/docs/{name}" for name in api.pages.FILES)}
        routed = {
            (route.method, route.resource.canonical.removeprefix("/api/v1"))
            for route in build().router.routes()
            if route.resource.canonical.startswith("/api/v1")
        }
        served = {(method, path) for method, path in routed if path not in pages}
        assert served == described

    def test_every_operation_says_who_may_do_it_and_how_it_is_refused(self):
        for path, methods in DOCUMENT["paths"].items():
            for method, one in methods.items():
                assert one["security"][0].keys() == ({"key", "signature"} if method == "post" else {"key"})
                assert {"400", "401", "403", "429", "503"} <= one["responses"].keys(), path
                assert one["description"]

    def test_every_post_names_the_headers_that_it_needs(self):
        needed = {"Idempotency-Key", ID, TIMESTAMP, SIGNATURE}
        for methods in DOCUMENT["paths"].values():
            for method, one in methods.items():
                headers = [spot for spot in one["parameters"] if spot["in"] == "header"]
                assert {spot["name"] for spot in headers} == (needed if method == "post" else set())
                assert all(spot["required"] and spot["description"] for spot in headers)

    def test_the_example_is_an_alert_that_is_read_without_a_finding(self):
        content = DOCUMENT["paths"]["/alerts"]["post"]["requestBody"]["content"]
        pushed = read("application/cap+xml", content["application/cap+xml"]["example"].encode())
        assert pushed.item.alert.identifier == "example-20260701-1"
        assert [one.code for one in pushed.item.findings if one.severity == "error"] == []

    async def test_the_recipe_of_the_description_makes_a_signature_that_holds(self, water):
        about = DOCUMENT["info"]["description"]
        recipe = re.search(r"```python\n(.*?)\n\n\nheaders", about, re.DOTALL)[1]
        assert recipe in (ROOT / "docs" / "partner-api.md").read_text(encoding="utf-8")
        assert "docs/" not in about
        made: dict = {}
        exec(recipe, made)
        body = json.dumps(form()).encode()
        target = "/api/v1/alerts?dry_run=true"
        headers = made["signed"](water.key.secret, "POST", target, body)
        request = Request("POST", target, body, *(headers[name] for name in (ID, TIMESTAMP, SIGNATURE)))
        at = datetime.fromtimestamp(int(headers[TIMESTAMP]), UTC)
        secrets = [secret_bytes(water.key.secret)]
        assert verify(secrets, request.nonce, request.timestamp, request.signature, request.payload, at) == at

    async def test_it_is_served_as_it_is(self, client):
        response = await client.get("/api/v1/openapi.json")
        assert response.content_type == "application/json"
        assert await response.json() == json.loads(json.dumps(DOCUMENT))

    def test_the_guide_names_every_operation_and_every_header(self):
        guide = (ROOT / "docs" / "partner-api.md").read_text(encoding="utf-8")
        for path in DOCUMENT["paths"]:
            assert f"/api/v1{path}" in guide
        for name in (ID, TIMESTAMP, SIGNATURE, "Idempotency-Key", "Retry-After", "RateLimit"):
            assert name in guide


class TestTrue:
    @pytest.mark.timeout(300)
    async def test_schemathesis_finds_no_answer_that_it_does_not_describe(
        self, serve, settings, make_key, clock
    ):
        roomy = settings.partners["water"].model_copy(
            update={"push_per_minute": 100_000, "read_per_minute": 100_000}
        )
        client = await serve(settings=settings.model_copy(update={"partners": {"water": roomy}}))
        partner = Partner(client, await make_key(), clock)
        for _ in range(3):
            await partner.pushed()
        url = str(client.make_url("/api/v1"))
        told = await asyncio.to_thread(ask, url, Signing(partner))
        assert told.total() > 200
        assert {200, 202, 400, 404, 422} <= told.keys()
        assert (await partner.push(form())).status == 202


def described(*, forms: bool) -> dict:
    """The document without credentials: every request is signed by Signing, and other tests have wrong ones.

    With ``forms`` it takes alerts in JSON alone, which no random text would ever be.
    """
    made = copy.deepcopy(DOCUMENT)
    for methods in made["paths"].values():
        for one in methods.values():
            del one["security"]
            signed = {ID, TIMESTAMP, SIGNATURE}
            one["parameters"] = [spot for spot in one["parameters"] if spot["name"] not in signed]
    if forms:
        push = made["paths"]["/alerts"]["post"]
        schema = {"$ref": "#/components/schemas/AlertForm"}
        made["paths"] = {"/alerts": {"post": push}}
        push["requestBody"]["content"] = {"application/json": {"schema": schema}}
    return made


def ask(url: str, signing: Signing) -> Counter[int]:
    """Ask what the document allows and what it forbids; return how often each status was answered."""
    told: Counter[int] = Counter()
    for forms in (False, True):
        schema = schemathesis.openapi.from_dict(
            described(forms=forms), config=SchemathesisConfig.from_dict(CONFIG)
        )
        schema.config.update(base_url=url)
        operations = [one.ok() for one in schema.get_all_operations()]
        for operation, mode in itertools.product(operations, GenerationMode):
            many = 40 if operation.method == "post" else 15

            @examples(max_examples=many, suppress_health_check=list(HealthCheck), database=None)
            @given(case=operation.as_strategy(generation_mode=mode))
            def try_one(case):
                told[case.call_and_validate(auth=signing).status_code] += 1

            try_one()
    return told


class TestPage:
    async def test_it_loads_nothing_from_elsewhere_and_runs_under_the_policy(self, client):
        response = await client.get("/api/v1/docs")
        page = await response.text()
        assert response.headers["Content-Security-Policy"] == CSP.format(style="'self'")
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)
        for link in re.findall(r'(?:src|href)="([^"]+)"', page):
            assert not urlsplit(link).netloc
            if not link.startswith("data:"):
                found = await client.get(f"/api/v1/{link}")
                assert found.status == 200, link

    @pytest.mark.parametrize(
        "path", ["docs/../openapi.json/x", "docs/LICENSE", "docs/%2e%2e/confirm.html", "docs/lock.json"]
    )
    async def test_no_other_file_is_given_out(self, client, path):
        assert (await client.get(f"/api/v1/{path}")).status == 404

    def test_the_vendored_files_are_those_of_the_lock(self):
        lock = json.loads((VENDOR / "lock.json").read_text(encoding="utf-8"))
        assert (lock["name"], lock["version"]) == ("swagger-ui-dist", "5.35.0")
        assert lock["integrity"].startswith("sha512-")
        assert {file.name for file in VENDOR.iterdir()} == {*lock["files"], "lock.json"}
        for name, digest in lock["files"].items():
            made = base64.b64encode(hashlib.sha512((VENDOR / name).read_bytes()).digest()).decode()
            assert digest == f"sha512-{made}", name
