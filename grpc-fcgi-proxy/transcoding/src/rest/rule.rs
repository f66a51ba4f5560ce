//! The rules: the option `google.api.http` of methods.

use prost_reflect::{DynamicMessage, ExtensionDescriptor, MethodDescriptor, Value};

use super::Route;
use super::body::{RequestPart, ResponsePart};
use super::fields::{FieldPath, Fields};
use super::template::Template;
use crate::schema::{Form, MessageId, MethodSchema, Schema, ValueType, path};

/// The kind of a custom pattern that has any verb.
pub(super) const ANY: &str = "*";

/// A rule that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It is malformed, or does not fit its message.
    #[error("the google.api.http rule {template:?} of {method}: {reason}")]
    Invalid {
        /// The path of its gRPC method.
        method: String,
        /// Its path, as far as it has one.
        template: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Two rules have the same paths.
    #[error(
        "the google.api.http rules {first} and {second} match the same requests: change one of them"
    )]
    Collision {
        /// Verb, template and method.
        first: String,
        /// Verb, template and method.
        second: String,
    },
}

impl RuleError {
    pub(super) fn collision(first: &Route, second: &Route) -> Self {
        let name = |route: &Route| {
            let Route {
                verb,
                template,
                method,
                ..
            } = route;
            format!("{verb} {template} of {method}")
        };
        Self::Collision {
            first: name(first),
            second: name(second),
        }
    }
}

/// The routes of all methods.
pub(super) fn routes(schema: &Schema) -> Result<Vec<Route>, RuleError> {
    let mut routes = Vec::new();
    let Some(option) = schema.pool().get_extension_by_name("google.api.http") else {
        return Ok(routes);
    };
    for service in schema.pool().services() {
        for method in service.methods() {
            let rules = rules(&method, &option).map_err(|reason| RuleError::Invalid {
                method: path(&method),
                template: String::new(),
                reason,
            })?;
            for rule in rules {
                routes.push(route(schema, &method, &rule)?);
            }
        }
    }
    Ok(routes)
}

/// A rule as it is written.
struct Rule {
    verb: String,
    template: String,
    body: String,
    response_body: String,
}

/// The rule of a method and its additional bindings.
fn rules(method: &MethodDescriptor, option: &ExtensionDescriptor) -> Result<Vec<Rule>, String> {
    let options = method.options();
    if !options.has_extension(option) {
        return Ok(Vec::new());
    }
    let value = options.get_extension(option);
    let message = value.as_message().ok_or("it is not a message")?;
    let mut rules = vec![Rule::of(message)?];
    for binding in bindings(message) {
        let binding = binding.as_message().ok_or("a binding is not a message")?;
        if !bindings(binding).is_empty() {
            return Err("additional_bindings contain additional_bindings".to_owned());
        }
        rules.push(Rule::of(binding)?);
    }
    Ok(rules)
}

fn bindings(rule: &DynamicMessage) -> Vec<Value> {
    let bindings = rule.get_field_by_name("additional_bindings");
    let bindings = bindings.as_ref().and_then(|bindings| bindings.as_list());
    bindings.map(<[Value]>::to_vec).unwrap_or_default()
}

impl Rule {
    fn of(rule: &DynamicMessage) -> Result<Self, String> {
        let (verb, template) =
            pattern(rule).ok_or("it has no path: set get, put, post, delete, patch or custom")?;
        Ok(Self {
            verb,
            template,
            body: text(rule, "body"),
            response_body: text(rule, "response_body"),
        })
    }
}

fn pattern(rule: &DynamicMessage) -> Option<(String, String)> {
    for name in ["get", "put", "post", "delete", "patch"] {
        if rule.has_field_by_name(name) {
            return Some((name.to_uppercase(), text(rule, name)));
        }
    }
    let custom = rule.get_field_by_name("custom")?;
    let custom = custom
        .as_message()
        .filter(|_| rule.has_field_by_name("custom"))?;
    Some((text(custom, "kind"), text(custom, "path")))
}

fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    let text = value.as_ref().and_then(|value| value.as_str());
    text.unwrap_or_default().to_owned()
}

fn route(schema: &Schema, method: &MethodDescriptor, rule: &Rule) -> Result<Route, RuleError> {
    let name = path(method);
    let invalid = |reason: String| RuleError::Invalid {
        method: name.clone(),
        template: rule.template.clone(),
        reason,
    };
    let types = schema.method(&name);
    let types = types.ok_or_else(|| invalid("the method is unknown".to_owned()))?;
    let template = Template::parse(&rule.template).map_err(invalid)?;
    if let Some(called) = template.literal()
        && schema.method(&called).is_some()
    {
        return Err(RuleError::Collision {
            first: format!("{} {template} of {name}", rule.verb),
            second: format!("that of gRPC, POST {called}"),
        });
    }
    let parts = Parts::of(schema, types, &template, rule).map_err(invalid)?;
    Ok(Route {
        client_streaming: method.is_client_streaming(),
        server_streaming: method.is_server_streaming(),
        verb: rule.verb.clone(),
        template,
        request: types.request,
        response: types.response,
        variables: parts.variables,
        body: parts.body,
        response_body: parts.response_body,
        method: name,
    })
}

/// The fields of a rule.
struct Parts {
    variables: Vec<FieldPath>,
    body: RequestPart,
    response_body: ResponsePart,
}

impl Parts {
    fn of(
        schema: &Schema,
        types: &MethodSchema,
        template: &Template,
        rule: &Rule,
    ) -> Result<Self, String> {
        check_verb(rule)?;
        let Rule {
            body,
            response_body,
            ..
        } = rule;
        let (request, response) = (types.request, types.response);
        Ok(Self {
            variables: variables(schema, request, template)?,
            body: match &**body {
                "" => RequestPart::Nothing,
                "*" => RequestPart::message(schema, request),
                name => {
                    let index = field(schema, request, "body", name)?;
                    RequestPart::field_of(schema, request, index)
                }
            },
            response_body: match &**response_body {
                // The asterisk as in grpc-gateway.
                "" | "*" => ResponsePart::message(schema, response),
                name => {
                    let index = field(schema, response, "response_body", name)?;
                    ResponsePart::field_of(schema, response, index)
                }
            },
        })
    }
}

/// <https://www.rfc-editor.org/rfc/rfc9110#section-9.3.1> gives the content of GET and HEAD no meaning. It says the same of
/// DELETE, but there are APIs with such rules: Envoy's transcoder accepts them, and so does grpc-gateway if told to.
fn check_verb(rule: &Rule) -> Result<(), String> {
    let verb = &*rule.verb;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if verb.is_empty() || !verb.bytes().all(is_token) {
        return Err(format!("its kind {verb:?} is not an HTTP method"));
    }
    if matches!(verb, "GET" | "HEAD") && !rule.body.is_empty() {
        return Err(format!(
            "{verb} has no body: remove `body`, or use another HTTP method"
        ));
    }
    Ok(())
}

fn variables(
    schema: &Schema,
    request: MessageId,
    template: &Template,
) -> Result<Vec<FieldPath>, String> {
    let mut variables = Vec::new();
    let mut fields = Fields::default();
    for variable in template.variables() {
        let refused = |reason: &str| format!("its variable {:?} {reason}", variable.field);
        let path = FieldPath::resolve(schema, request, &variable.field)
            .map_err(|error| refused(&error.to_string()))?;
        let field = path.last(schema, request);
        if field.is_some_and(|field| field.is_repeated()) {
            return Err(refused("is repeated: a path has one value for it"));
        }
        if let Some(ValueType::Message(id)) = field.map(|field| field.value)
            && schema.message_type(id).form == Form::Mask
        {
            return Err(refused("is a FieldMask: make it a query parameter"));
        }
        fields
            .add(schema, request, &path, &[0])
            .map_err(|error| refused(&error.to_string()))?;
        variables.push(path);
    }
    Ok(variables)
}

/// The top-level field of a message that an option of a rule names.
fn field(schema: &Schema, message: MessageId, option: &str, name: &str) -> Result<usize, String> {
    let message = schema.message_type(message);
    let full_name = message.descriptor.full_name();
    let index = message
        .field_of_name(name)
        .ok_or_else(|| format!("its {option} {name:?} is not a top-level field of {full_name}"))?;
    if message.is_group(&message.fields[index]) {
        return Err(format!("its {option} {name:?} is a group, not a message"));
    }
    Ok(index)
}
