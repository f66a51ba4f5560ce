"""Sends the requests of a file to several servers, and prints their answers side by side as tables in Markdown.

compare.py REQUESTS.toml PROXY GRPC-GATEWAY ENVOY: the three are addresses. Its status is 3 if a request lacks
the note that it needs, or has one in vain.
"""

import http.client
import json
import re
import sys
import tomllib
from dataclasses import dataclass, field

# What a script says of its error; each server has words of its own for what it finds wrong itself.
SCRIPT_MESSAGE = "the reason of the script"
# Header fields that are part of the answer, and the prefixes of metadata.
FIELDS = ("allow", "x-leading", "x-trailing", "trailer-x-trailing", "grpc-metadata-x-leading", "grpc-trailer-x-trailing")
NAMES = ("proxy", "grpc-gateway", "Envoy")


@dataclass
class Answer:
    """What counts of an HTTP response."""

    status: int
    media_type: str
    body: object
    fields: dict = field(default_factory=dict)

    def is_plain_error(self) -> bool:
        return self.status >= 400 and not self.media_type.endswith("json")

    def __eq__(self, other) -> bool:
        if self.status != other.status:
            return False
        # A text for people has no code to compare.
        if self.is_plain_error() or other.is_plain_error():
            return True
        return exact((self.media_type, self.body, self.fields)) == exact((other.media_type, other.body, other.fields))

    def __str__(self) -> str:
        parts = [str(self.status)]
        if self.media_type != "application/json" and not self.is_plain_error():
            parts.append(self.media_type or "no type")
        parts += [code(f"{name}: {value}") for name, value in self.fields.items()]
        if self.is_plain_error():
            parts.append("text" if self.body else "no body")
        else:
            parts.append(shown(self.body))
        return ", ".join(part for part in parts if part)


@dataclass
class Lines:
    """JSON values, one a line."""

    values: list


def exact(value):
    """In JSON, unlike Python, true is not 1; but 1.0 is."""
    return re.sub(r"\b(\d+)\.0\b", r"\1", repr(value))


def code(text: str) -> str:
    return "`" + text.replace("|", "\\|").replace("`", "'") + "`"


def compact(value) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def shown(body) -> str:
    if isinstance(body, Lines):
        return " ⏎ ".join(code(compact(value)) for value in body.values)
    if isinstance(body, str):
        return code(body.replace("\n", " ⏎ ").strip()) if body else ""
    return code(compact(body["json"]))


def without_words(value):
    """A status whose message is not that of the script."""
    if isinstance(value, dict):
        value = {key: without_words(member) for key, member in sorted(value.items())}
        if "code" in value and value.get("message", SCRIPT_MESSAGE) != SCRIPT_MESSAGE:
            value["message"] = "…"
    elif isinstance(value, list):
        value = [without_words(member) for member in value]
    return value


def parse(content: bytes):
    text = content.decode(errors="replace")
    try:
        return {"json": without_words(json.loads(text))}
    except ValueError:
        pass
    try:
        return Lines([without_words(json.loads(line)) for line in text.splitlines() if line.strip()]) if text.strip() else text
    except ValueError:
        return text


def ask(address: str, request: dict) -> Answer:
    method, path = request["send"].split(" ", 1)
    body = request.get("body")
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in request.get("headers", {}).items():
        connection.putheader(name, value)
    if body is not None:
        media_type = request.get("type", "application/json")
        if media_type:
            connection.putheader("Content-Type", media_type)
        connection.putheader("Content-Length", str(len(body.encode())))
    connection.endheaders(body.encode() if body else None)
    response = connection.getresponse()
    fields = {name: response.headers[name] for name in FIELDS if name in response.headers}
    if "allow" in fields:
        fields["allow"] = ", ".join(sorted(fields["allow"].replace(" ", "").split(",")))
    media_type = (response.headers.get("content-type") or "").split(";")[0].lower()
    try:
        content = parse(response.read())
    except (http.client.IncompleteRead, ConnectionError):
        content = "the connection is cut"
    connection.close()
    return Answer(response.status, media_type, content, fields)


def followed(proxy: Answer, gateway: Answer, envoy: Answer) -> str:
    if proxy == gateway and proxy == envoy:
        return "both"
    if proxy == gateway:
        return "grpc-gateway"
    if proxy == envoy:
        return "Envoy"
    return "neither, which agree" if gateway == envoy else "neither"


def cells(answers: list) -> list:
    first, *others = answers
    return [str(first)] + ["the same" if str(other) == str(first) else str(other) for other in others]


def described(request: dict) -> str:
    parts = [code(request["send"])]
    if "body" in request:
        body = request["body"].strip().replace("\n", " ⏎ ")
        parts.append(code(body) if body else "a body of white space" if request["body"] else "an empty body")
    if "type" in request:
        parts.append(code("content-type: " + request["type"]) if request["type"] else "no content-type")
    parts += [code(f"{name}: {value}") for name, value in request.get("headers", {}).items()]
    return "<br>".join(parts)


def main() -> int:
    requests, *addresses = sys.argv[1:]
    with open(requests, "rb") as file:
        groups = tomllib.load(file)["group"]
    wrong = []
    counts: dict = {}
    for group in groups:
        print(f"\n## {group['title']}\n\n| request | {' | '.join(NAMES)} | followed |\n|---|---|---|---|---|")
        for request in group["request"]:
            answers = [ask(address, request) for address in addresses]
            verdict, note = followed(*answers), request.get("note", "")
            counts[verdict] = counts.get(verdict, 0) + 1
            if verdict.startswith("neither") and not note:
                wrong.append(f"{request['send']} needs a note that says why neither answer is followed")
            # It may be that of a difference that has gone.
            if verdict == "both" and note:
                wrong.append(f"{request['send']} needs no note: all answers are the same")
            print(f"| {described(request)} | {' | '.join(cells(answers))} | {verdict}{': ' if note else ''}{note} |")
    print(", ".join(f"{verdict}: {count}" for verdict, count in sorted(counts.items())), file=sys.stderr)
    for complaint in wrong:
        print(f"{requests}: {complaint}", file=sys.stderr)
    return 3 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
