"""What the OpenAPI document says besides its operations: the recipe for a signed request, and an example."""

from __future__ import annotations

ABOUT = """\
Push CAP alerts and ask what became of them. You see what you pushed and nothing else.
Errors are `application/problem+json`: `detail` is a sentence for people.

**Key.** Send `Authorization: Bearer tk_...` with every request. To read, that is all.

**Signature.** Each `POST` is also signed, as in Standard Webhooks, by HMAC-SHA256 with the secret
`whsec_...` that came with the key. The payload that is signed is the whole request: the method, a space,
path and query, a line feed, and the body as sent. Only where the operator has set `signature = "optional"`
for you may the three headers `webhook-...` be absent.

```python
import base64, hashlib, hmac, time, uuid


def signed(secret: str, method: str, target: str, body: bytes) -> dict[str, str]:
    name, now = str(uuid.uuid4()), str(int(time.time()))
    payload = f"{name}.{now}.{method} {target}\\n".encode() + body
    digest = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), payload, hashlib.sha256)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": name, "webhook-timestamp": now, "webhook-signature": signature}


headers = signed(secret, "POST", "/api/v1/alerts?dry_run=true", body)
```

**Once.** Each `POST` also has an `Idempotency-Key` of your choice. Got no answer? Send the same request
with the same key and a new signature: you get the first answer, and nothing happens twice.

Begin with `?dry_run=true`, which only says what would become of the alert. This page cannot sign: try
a `POST` from a program of yours.
"""

CAP_EXAMPLE = """\
<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>example-20260701-1</identifier>
  <sender>water@example.org</sender>
  <sent>2026-07-01T08:00:00+08:00</sent>
  <status>Actual</status>
  <msgType>Alert</msgType>
  <scope>Public</scope>
  <info>
    <language>zh-CN</language>
    <category>Met</category>
    <event>暴雨</event>
    <urgency>Expected</urgency>
    <severity>Moderate</severity>
    <certainty>Likely</certainty>
    <expires>2026-07-01T11:00:00+08:00</expires>
    <headline>暴雨黄色预警</headline>
    <description>预计3小时内降雨量将达50毫米以上。</description>
    <instruction>请远离山沟和低洼地带。</instruction>
    <area>
      <areaDesc>北山镇</areaDesc>
      <geocode>
        <valueName>GB/T 2260</valueName>
        <value>999901101000</value>
      </geocode>
    </area>
  </info>
</alert>
"""
"""An invented alert; the division code is one of an invented county."""
