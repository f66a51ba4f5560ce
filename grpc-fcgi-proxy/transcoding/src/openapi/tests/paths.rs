//! The paths of rules of every kind, and what is in their operations.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::json::Unknown;
use crate::openapi::document;
use crate::rest::Routes;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let schema = super::schema(&["odd.proto"]);
    let routes = Routes::of(&schema).unwrap();
    let document = document(&schema, &routes, Unknown::Refuse, "The title", "1.2");
    serde_json::from_slice(&document).unwrap()
});

fn operation(verb: &str, path: &str) -> &'static Value {
    let operation = &DOCUMENT["paths"][path][verb];
    assert!(operation.is_object(), "{verb} {path}");
    operation
}

fn parameters(verb: &str, path: &str, place: &str) -> Vec<&'static Value> {
    let all = operation(verb, path)["parameters"].as_array().unwrap();
    all.iter().filter(|one| one["in"] == place).collect()
}

fn names(verb: &str, path: &str, place: &str) -> Vec<&'static str> {
    let parameters = parameters(verb, path, place).into_iter();
    parameters
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect()
}

fn parameter(verb: &str, path: &str, name: &str) -> &'static Value {
    let all = operation(verb, path)["parameters"].as_array().unwrap();
    all.iter().find(|one| one["name"] == name).unwrap()
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

#[test]
fn the_document_has_its_title_and_version() {
    assert_eq!(DOCUMENT["openapi"], "3.1.0");
    assert_eq!(DOCUMENT["info"]["title"], "The title");
    assert_eq!(DOCUMENT["info"]["version"], "1.2");
    assert_eq!(
        DOCUMENT["tags"],
        json!([{"name": "odd.Odd", "description": "Every kind of rule."}])
    );
}

#[test]
fn the_document_is_the_same_each_time() {
    let schema = super::schema(&["odd.proto"]);
    let routes = Routes::of(&schema).unwrap();
    let again = document(&schema, &routes, Unknown::Refuse, "The title", "1.2");
    assert_eq!(again, DOCUMENT.to_string().into_bytes());
}

#[test]
fn variables_are_parameters_of_one_segment() {
    let path = "/v1/shelves/{name_1}/books/{name_2}";
    assert_eq!(names("get", path, "path"), ["name_1", "name_2"]);
    assert_eq!(
        parameter("get", path, "name_1"),
        &json!({
            "name": "name_1",
            "in": "path",
            "required": true,
            "schema": {"type": "string", "minLength": 1},
            "description": "In place of a `*` in `/v1/{name=shelves/*/books/*}`.",
        })
    );
    assert_eq!(names("get", "/v1/shelves/{name}", "path"), ["name"]);
    assert_eq!(
        names("put", "/v1/books/{id}/{book_shelf}", "path"),
        ["id", "book_shelf"]
    );
}

#[test]
fn a_parameter_of_the_path_has_the_type_of_its_field() {
    let number = parameter("delete", "/v1/books/{number}", "number");
    assert_eq!(number["schema"]["$ref"], reference("proto-uint32")["$ref"]);
    let name = parameter("delete", "/v1/books/{name}/all", "name");
    assert_eq!(name["description"], "The name of the book.");
    assert_eq!(name["schema"], json!({"type": "string", "minLength": 1}));
}

/// OpenAPI takes paths that differ in the names of their parameters for one.
#[test]
fn paths_that_are_the_same_for_openapi_are_one() {
    let item = &DOCUMENT["paths"]["/v1/shelves/{book_shelf}/{id}"];
    assert_eq!(item["patch"]["operationId"], "Odd_Change");
    assert_eq!(item["put"]["operationId"], "Odd_Rest");
    assert_eq!(
        names("put", "/v1/shelves/{book_shelf}/{id}", "path"),
        ["book_shelf", "id"]
    );
}

#[test]
fn of_two_rules_with_one_path_and_verb_the_most_specific_one_is_there() {
    assert_eq!(
        operation("get", "/v1/books/{number}")["operationId"],
        "Odd_Read_3"
    );
    assert_eq!(
        operation("get", "/v1/any/{number}")["operationId"],
        "Odd_Rest_6"
    );
    assert_eq!(
        operation("delete", "/v1/any/{number}")["operationId"],
        "Odd_Rest_2"
    );
}

#[test]
fn names_of_operations_are_unique() {
    let items = DOCUMENT["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    let mut names: Vec<_> = operations
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn verbs_and_literals_are_those_of_the_template() {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    assert!(paths["/v1/books/{number}:cancel"]["post"].is_object());
    assert!(paths["/v1/caf%C3%A9/%7Bid%7D"]["get"].is_object());
    assert!(paths["/"]["get"].is_object());
    assert!(
        paths["/v1/head"]["head"]["responses"]["200"]
            .get("content")
            .is_none()
    );
    assert!(!paths.contains_key("/v1/list"));
}

#[test]
fn a_query_has_what_neither_the_path_nor_the_body_has() {
    assert_eq!(
        names("get", "/v1/follow", "query"),
        [
            "name",
            "number",
            "changedAfter",
            "mask",
            "sold",
            "genres",
            "durations",
            "nothing",
            "filter.prefix",
            "place",
            "filter.order",
        ]
    );
    assert_eq!(
        names("post", "/v1/shelves/{book_shelf}/books", "query"),
        ["id", "checkOnly"]
    );
    assert_eq!(
        names("patch", "/v1/all", "query"),
        [
            "id",
            "checkOnly",
            "book.shelf",
            "book.title",
            "book.authors"
        ]
    );
    assert!(names("put", "/v1/books/{id}/{book_shelf}", "query").is_empty());
}

#[test]
fn a_parameter_of_the_query_has_the_type_of_its_field() {
    assert_eq!(
        parameter("get", "/v1/follow", "changedAfter"),
        &json!({
            "name": "changedAfter",
            "in": "query",
            "deprecated": true,
            "schema": reference("google.protobuf.Timestamp"),
        })
    );
    assert_eq!(
        parameter("get", "/v1/follow", "genres")["schema"],
        json!({"type": "array", "items": reference("odd.Genre")})
    );
    assert_eq!(
        parameter("get", "/v1/follow", "sold")["schema"],
        reference("google.protobuf.BoolValue")
    );
}

#[test]
fn fields_that_exclude_each_other_are_one_object_of_the_query() {
    let order = parameter("get", "/v1/follow", "filter.order");
    assert_eq!(order["explode"], true);
    assert_eq!(
        order["schema"],
        json!({
            "type": "object",
            "properties": {
                "filter.byName": {"type": "boolean"},
                "filter.byNumber": {"type": "boolean", "description": "The default."},
            },
            "additionalProperties": false,
            "maxProperties": 1,
        })
    );
    assert_eq!(
        parameter("get", "/v1/follow", "place")["schema"]["anyOf"],
        json!([
            {"propertyNames": {"enum": ["town"]}},
            {"propertyNames": {"enum": ["address.street", "address.town"]}},
        ])
    );
}

#[test]
fn a_body_is_the_message_or_a_field_without_what_the_path_has() {
    let whole = body("put", "/v1/books/{id}/{book_shelf}");
    let properties = whole["properties"].as_object().unwrap();
    assert_eq!(
        properties.keys().collect::<Vec<_>>(),
        ["book", "checkOnly", "list"]
    );
    let book = body("post", "/v1/shelves/{book_shelf}/books");
    for book in [&properties["book"], book] {
        let properties = book["anyOf"][0]["properties"].as_object();
        let properties = properties.or(book["properties"].as_object()).unwrap();
        assert_eq!(properties.keys().collect::<Vec<_>>(), ["authors", "title"]);
    }
    assert_eq!(body("post", "/v1/types"), &reference("types.Types"));
    assert_eq!(
        body("patch", "/v1/all"),
        &json!({"type": ["array", "null"], "items": reference("odd.Book")})
    );
    assert!(operation("get", "/v1/follow").get("requestBody").is_none());
}

fn body(verb: &str, path: &str) -> &'static Value {
    &operation(verb, path)["requestBody"]["content"]["application/json"]["schema"]
}

#[test]
fn a_response_is_the_message_or_a_field() {
    let content = |verb, path| &operation(verb, path)["responses"]["200"]["content"];
    assert_eq!(
        content("get", "/v1/shelves/{name}"),
        &json!({"application/json": {"schema": reference("odd.Book")}})
    );
    assert_eq!(
        content("patch", "/v1/shelves/{book_shelf}/{id}"),
        &json!({"application/json": {"schema": {"type": ["string", "null"]}}})
    );
}

#[test]
fn http_bodies_are_any_content() {
    let any = json!({"*/*": {}});
    assert_eq!(
        operation("post", "/v1/files")["requestBody"]["content"],
        any
    );
    let download = operation("get", "/v1/files/{name}");
    assert_eq!(download["responses"]["200"]["content"], any);
}

#[test]
fn streams_are_lines_or_events() {
    let content = &operation("get", "/v1/follow")["responses"]["200"]["content"];
    assert_eq!(
        content["application/x-ndjson"]["schema"]["items"]["anyOf"][0],
        reference("odd.Book")
    );
    let event = &content["text/event-stream"]["schema"]["items"]["anyOf"][0];
    assert_eq!(
        event["properties"]["data"]["contentSchema"],
        reference("odd.Book")
    );
    let sent = &operation("post", "/v1/send")["requestBody"]["content"];
    assert_eq!(
        sent["application/x-ndjson"]["schema"],
        json!({"type": "array", "items": reference("odd.CreateRequest")})
    );
}

#[test]
fn errors_are_a_status() {
    let responses = &operation("get", "/v1/follow")["responses"];
    assert_eq!(responses["default"]["$ref"], "#/components/responses/Error");
    let error = &DOCUMENT["components"]["responses"]["Error"]["content"];
    assert_eq!(
        error["application/json"]["schema"],
        reference("google.rpc.Status")
    );
    let status = &DOCUMENT["components"]["schemas"]["google.rpc.Status"];
    assert_eq!(
        status["properties"]["details"]["items"],
        reference("google.protobuf.Any")
    );
}

#[test]
fn methods_have_their_comments_and_deprecation() {
    assert_eq!(
        operation("get", "/v1/shelves/{name}")["description"],
        "Reads a book."
    );
    assert_eq!(operation("patch", "/v1/all")["deprecated"], true);
}
