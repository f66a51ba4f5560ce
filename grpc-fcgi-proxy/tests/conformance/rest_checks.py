"""What schemathesis needs to know about the proxy's REST paths."""

import json

import schemathesis
from schemathesis.core.failures import Failure


@schemathesis.serializer("application/x-ndjson")
def lines(ctx, value):
    """A line for each message. What is no list, which the document forbids, becomes a line that is no message."""
    values = value if isinstance(value, list) else [[value]]
    return "".join(json.dumps(value) + "\n" for value in values).encode()


@schemathesis.deserializer("application/x-ndjson")
def messages(ctx, response):
    return [json.loads(line) for line in response.text.splitlines()]


@schemathesis.check
def only_the_application_refuses(ctx, response, case):
    """A request that the document allows reaches the application, whose errors have details; the proxy's have none."""
    if not case.meta or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    if "details" not in response.json():
        raise Failure(operation=case.operation.label, title="The proxy refuses what the document allows", message=response.text)
