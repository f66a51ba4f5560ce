"""Validates OpenAPI documents: openapi.py TABLE DOCUMENT...

The first document has the message types.Types, whose schema must allow what the table's "accepted" contains, and nothing of
"refused". A unit test of the crate transcoding compares the same table with the mapping of JSON.
"""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def check_table(table, document):
    schema = {"$ref": "#/components/schemas/types.Types", "components": document["components"]}
    validator = Draft202012Validator(schema)
    for value in table["accepted"]:
        for error in validator.iter_errors(value):
            yield f"{json.dumps(value)} is accepted, but the schema forbids it: {error.message}"
    for value in table["refused"]:
        if validator.is_valid(value):
            yield f"{json.dumps(value)} is refused, but the schema allows it"


def main():
    table, documents = read(sys.argv[1]), [read(path) for path in sys.argv[2:]]
    for document in documents:
        validate(document)
    errors = list(check_table(table, documents[0]))
    print(*errors, sep="\n", end="\n" if errors else "")
    operations = sum(len(item) for document in documents for item in document["paths"].values())
    values = sum(len(values) for values in table.values())
    print(f"{len(documents)} documents with {operations} operations are valid; {values} values were compared")
    sys.exit(1 if errors else 0)


main()
