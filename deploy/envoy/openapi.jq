# Of the document of all methods with HTTP rules, that of the ingress: see ingress/routes.yaml.

# Methods that only order calls.
del(.paths["/v1/items:reserve", "/v1/items:release"])
| del(.components.schemas[.components.schemas | keys[] | select(test("^item\\.(Reserve|Release)"))])

| .info.title = "Shop"
| .info.description += " Requests to users and orders may have other fields as well, which are ignored. A request's body may have 256 KiB."

# What writes needs a key.
| .components.securitySchemes = {
    key: {
      type: "apiKey", in: "header", name: "x-api-key",
      description: "Printed by script/run and script/deploy. Only requests that change something need it."
    }
  }
| .components.responses += (
    (.components.responses.Error.content) as $content
    | {
        NoKey: {description: "The request has no valid key. The code is UNAUTHENTICATED (16).", $content},
        TooLarge: {description: "The body has more than 256 KiB. The code is RESOURCE_EXHAUSTED (8).", $content},
        TooMany: {
          description: "There are too many requests with this key: 100 a second are allowed, and 200 at once. The code is RESOURCE_EXHAUSTED (8).",
          headers: {"retry-after": {description: "In seconds.", schema: {type: "integer"}}},
          $content
        }
      }
  )
| .paths |= map_values(with_entries(
    if .key != "get" and .value.operationId != "ItemService_LookupItems" then
      .value.security = [{key: []}]
      | .value.responses += {
          "401": {"$ref": "#/components/responses/NoKey"},
          "429": {"$ref": "#/components/responses/TooMany"}
        }
    else . end
    | if .value.requestBody then .value.responses["413"] = {"$ref": "#/components/responses/TooLarge"} else . end
  ))
