//! Path templates: `/v1/{name=shelves/*/books/**}:verb`.
//!
//! The crate `http_path_template` reads the same grammar, but requires a newer compiler than this workspace.

use std::fmt;
use std::ops::Range;

use super::escapes;

/// The paths of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
    verb: String,
}

/// What a segment of a path is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// This, decoded.
    Literal(String),
    /// `*`: anything but nothing.
    Single,
    /// `**`: all segments that are left. It is the last one.
    Rest,
}

/// Segments that are the value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The field, with those that contain it: `book.name`.
    pub field: String,
    /// Its segments in the template's.
    pub segments: Range<usize>,
    /// Whether it can have several segments. A slash within one of them stays percent-encoded in its value.
    pub is_multiple: bool,
    /// Whether it ends with `**`.
    has_rest: bool,
}

impl Template {
    /// Reads a template. An error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let path = text.strip_prefix('/').ok_or("it does not begin with /")?;
        let (path, verb) = split_verb(path)?;
        let mut template = Self {
            text: text.to_owned(),
            segments: Vec::new(),
            variables: Vec::new(),
            verb: verb.to_owned(),
        };
        template.parts(path)?;
        let count = template.segments.len();
        let rest = template.segments.iter().position(|s| *s == Segment::Rest);
        if rest.is_some_and(|index| index + 1 < count) {
            return Err("** is not its last segment".to_owned());
        }
        Ok(template)
    }

    /// Segments and variables.
    fn parts(&mut self, mut path: &str) -> Result<(), String> {
        if path.is_empty() {
            return Ok(());
        }
        loop {
            let rest = if let Some(variable) = path.strip_prefix('{') {
                let (variable, rest) = variable
                    .split_once('}')
                    .ok_or("a variable lacks its closing brace")?;
                self.variable(variable)?;
                rest
            } else {
                let end = path.find('/').unwrap_or(path.len());
                let (segment, rest) = path.split_at(end);
                self.segments.push(Segment::parse(segment)?);
                rest
            };
            if rest.is_empty() {
                return Ok(());
            }
            path = rest
                .strip_prefix('/')
                .ok_or("a variable is not followed by /")?;
        }
    }

    fn variable(&mut self, text: &str) -> Result<(), String> {
        let (field, pattern) = text.split_once('=').unwrap_or((text, "*"));
        let start = self.segments.len();
        for segment in pattern.split('/') {
            self.segments.push(Segment::parse(segment)?);
        }
        let segments = start..self.segments.len();
        let has_rest = self.segments.last() == Some(&Segment::Rest);
        let is_multiple = has_rest || segments.len() > 1;
        self.variables.push(Variable {
            field: field.to_owned(),
            segments,
            is_multiple,
            has_rest,
        });
        Ok(())
    }

    /// What a path's segments are to be.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The variables, in the order of their segments.
    #[must_use]
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// What follows the colon at its end; empty if there is none.
    #[must_use]
    pub fn verb(&self) -> &str {
        &self.verb
    }

    /// The one path that it matches, if that is all.
    pub(super) fn literal(&self) -> Option<String> {
        let mut path = String::new();
        for segment in &self.segments {
            let Segment::Literal(literal) = segment else {
                return None;
            };
            path.push('/');
            path.push_str(literal);
        }
        self.verb.is_empty().then_some(path)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str(&self.text)
    }
}

/// Splits the verb off, which follows the last colon of the last segment. A colon elsewhere is that of a literal.
fn split_verb(path: &str) -> Result<(&str, &str), String> {
    let last = path.rfind(['/', '}']).map_or(0, |index| index + 1);
    match path[last..].rfind(':') {
        None => Ok((path, "")),
        Some(colon) => {
            let (path, verb) = (&path[..last + colon], &path[last + colon + 1..]);
            if verb.is_empty() || verb.contains(['*', '{']) {
                return Err("its verb is not a literal".to_owned());
            }
            Ok((path, verb))
        }
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "*" => Ok(Self::Single),
            "**" => Ok(Self::Rest),
            "" => Err("it has an empty segment".to_owned()),
            _ => {
                let is_literal = |character: char| {
                    !character.is_whitespace()
                        && !character.is_control()
                        && !"{}*?#".contains(character)
                };
                let literal = escapes::decode(text).filter(|_| text.chars().all(is_literal));
                let literal = literal.ok_or_else(|| {
                    format!("{text:?} is neither a literal nor *, ** or a variable")
                })?;
                Ok(Self::Literal(literal.into_owned()))
            }
        }
    }
}

impl Variable {
    /// The value in a path that the template matches, whose escapes are well-formed.
    pub(super) fn value(&self, segments: &[&str]) -> String {
        let Range { start, end } = self.segments;
        // The template ends with **, which is any number of segments of the path.
        let end = if self.has_rest { segments.len() } else { end };
        let text = segments[start..end].join("/");
        let decoded = if self.is_multiple {
            escapes::decode_segments(&text)
        } else {
            escapes::decode(&text).map(Into::into)
        };
        decoded.unwrap_or(text)
    }
}
