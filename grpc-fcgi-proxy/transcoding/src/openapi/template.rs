//! Path templates as paths of OpenAPI, whose parameters are one segment each.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::rest::{Segment, Template, Variable};

/// What a path cannot contain, and the braces of OpenAPI's parameters.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A path with its parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// Between each two, and around them, a parameter.
    literals: Vec<String>,
    pub(super) parameters: Vec<Parameter>,
}

/// A segment that is not a literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: String,
    /// The variable, by its position in the template's, of which this is a segment.
    pub(super) variable: Option<usize>,
    /// Whether the value of the variable is this segment.
    pub(super) is_whole: bool,
    /// Whether it stands for any number of segments.
    pub(super) is_rest: bool,
}

impl Path {
    pub(super) fn of(template: &Template) -> Self {
        let mut path = Self {
            literals: Vec::new(),
            parameters: Vec::new(),
        };
        let mut literal = String::new();
        for (index, segment) in template.segments().iter().enumerate() {
            literal.push('/');
            if let Segment::Literal(text) = segment {
                literal.extend(utf8_percent_encode(text, ENCODED));
                continue;
            }
            path.literals.push(std::mem::take(&mut literal));
            let parameter = path.parameter(template, index);
            path.parameters.push(parameter);
        }
        if !template.verb().is_empty() {
            literal.push(':');
            literal.extend(utf8_percent_encode(template.verb(), ENCODED));
        }
        if template.segments().is_empty() && literal.is_empty() {
            literal.push('/');
        }
        path.literals.push(literal);
        path
    }

    fn parameter(&self, template: &Template, index: usize) -> Parameter {
        let variables = template.variables().iter().enumerate();
        let variable = variables
            .into_iter()
            .find(|(_, variable)| variable.segments.contains(&index));
        let mut name = match variable {
            Some((_, variable)) => name(template, variable, index),
            None => "segment".to_owned(),
        };
        while self.parameters.iter().any(|other| other.name == name) {
            name.push('_');
        }
        Parameter {
            name,
            variable: variable.map(|(position, _)| position),
            is_whole: variable.is_some_and(|(_, variable)| !variable.is_multiple),
            is_rest: template.segments()[index] == Segment::Rest,
        }
    }

    /// The same for paths that differ in names only, which OpenAPI takes for one.
    pub(super) fn shape(&self) -> String {
        self.literals.join("{}")
    }

    /// With the names of another path of this shape.
    pub(super) fn rename(&mut self, names: &[String]) {
        for (parameter, name) in self.parameters.iter_mut().zip(names) {
            name.clone_into(&mut parameter.name);
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut parameters = self.parameters.iter();
        for literal in &self.literals {
            text.push_str(literal);
            if let Some(parameter) = parameters.next() {
                text.push_str(&format!("{{{}}}", parameter.name));
            }
        }
        text
    }
}

/// The name of the field, with a number if several segments of it are parameters. Clients that are generated take no dots.
fn name(template: &Template, variable: &Variable, index: usize) -> String {
    let is_parameter = |index: &usize| !matches!(template.segments()[*index], Segment::Literal(_));
    let parameters: Vec<_> = variable.segments.clone().filter(is_parameter).collect();
    let name = variable.field.replace('.', "_");
    match parameters.iter().position(|other| *other == index) {
        Some(position) if parameters.len() > 1 => format!("{name}_{}", position + 1),
        _ => name,
    }
}
