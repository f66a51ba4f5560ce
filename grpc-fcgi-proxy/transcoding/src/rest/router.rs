//! The route of a path: a tree of the templates' segments.
//!
//! A lookup goes down one branch, and comes back for a less specific one only where the first has no route. It enters each
//! node at most once, and nodes only as deep as the path has segments.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::rule::ANY;
use super::template::Segment;
use super::{NotFound, Route, RuleError, escapes};

/// What follows a part of a path.
#[derive(Debug, Default)]
pub(super) struct Node {
    literals: HashMap<String, Node>,
    single: Option<Box<Node>>,
    /// The routes whose next and last segment is `**`.
    rest: Leaves,
    /// Those that have no more segments.
    here: Leaves,
}

/// By the `:verb` of their templates, which may be empty. A template has few HTTP verbs.
type Leaves = HashMap<String, Vec<Arc<Route>>>;

/// A path of a request, by its segments.
#[derive(Clone)]
pub(super) struct Path<'a> {
    encoded: Vec<&'a str>,
    decoded: Vec<Cow<'a, str>>,
}

impl<'a> Path<'a> {
    pub(super) fn parse(path: &'a str) -> Result<Self, NotFound> {
        let path = path.strip_prefix('/').ok_or(NotFound::Path)?;
        let encoded: Vec<_> = path.split('/').filter(|_| !path.is_empty()).collect();
        let decoded: Option<_> = encoded.iter().copied().map(escapes::decode).collect();
        Ok(Self {
            decoded: decoded.ok_or(NotFound::Malformed)?,
            encoded,
        })
    }

    /// The path before the last colon of the last segment, and the verb behind it. A colon that is percent-encoded is part
    /// of the segment.
    fn split_verb(&self) -> Option<(Self, &'a str)> {
        let (segment, verb) = self.encoded.last()?.rsplit_once(':')?;
        let mut path = self.clone();
        path.encoded.pop();
        path.decoded.pop();
        if !(segment.is_empty() && path.encoded.is_empty()) {
            path.decoded.push(escapes::decode(segment)?);
            path.encoded.push(segment);
        }
        Some((path, verb)).filter(|_| !verb.is_empty())
    }
}

/// A lookup, and the verbs of the routes that it has met.
struct Search<'a, 'r> {
    verb: &'a str,
    colon_verb: &'a str,
    allowed: Vec<&'r str>,
}

impl Node {
    pub(super) fn insert(&mut self, route: &Arc<Route>) -> Result<(), RuleError> {
        let leaves = self.leaves(route.template.segments());
        let routes = leaves.entry(route.template.verb().to_owned()).or_default();
        if let Some(first) = routes.iter().find(|first| first.verb == route.verb) {
            return Err(RuleError::collision(first, route));
        }
        routes.push(Arc::clone(route));
        Ok(())
    }

    fn leaves(&mut self, segments: &[Segment]) -> &mut Leaves {
        match segments.split_first() {
            None => &mut self.here,
            Some((Segment::Rest, _)) => &mut self.rest,
            Some((Segment::Single, after)) => self.single.get_or_insert_default().leaves(after),
            Some((Segment::Literal(text), after)) => {
                self.literals.entry(text.clone()).or_default().leaves(after)
            }
        }
    }

    /// The route of a path, and the segments that its template has matched.
    pub(super) fn find<'r, 'p>(
        &'r self,
        verb: &str,
        path: Path<'p>,
    ) -> Result<(&'r Arc<Route>, Vec<&'p str>), NotFound> {
        let mut search = Search {
            verb,
            colon_verb: "",
            allowed: Vec::new(),
        };
        if let Some((path, colon_verb)) = path.split_verb() {
            search.colon_verb = colon_verb;
            if let Some(route) = self.descend(&path.decoded, &mut search) {
                return Ok((route, path.encoded));
            }
            search.colon_verb = "";
        }
        if let Some(route) = self.descend(&path.decoded, &mut search) {
            return Ok((route, path.encoded));
        }
        Err(search.not_found())
    }

    fn descend<'r>(
        &'r self,
        segments: &[Cow<'_, str>],
        search: &mut Search<'_, 'r>,
    ) -> Option<&'r Arc<Route>> {
        let Some((segment, after)) = segments.split_first() else {
            let here = search.leaf(&self.here);
            return here.or_else(|| search.leaf(&self.rest));
        };
        let literal = self.literals.get(&**segment);
        let single = self.single.as_deref().filter(|_| !segment.is_empty());
        for node in [literal, single].into_iter().flatten() {
            if let Some(route) = node.descend(after, search) {
                return Some(route);
            }
        }
        search.leaf(&self.rest)
    }
}

impl<'r> Search<'_, 'r> {
    fn leaf(&mut self, leaves: &'r Leaves) -> Option<&'r Arc<Route>> {
        let routes = leaves.get(self.colon_verb)?;
        let of = |verb: &str| routes.iter().find(|route| route.verb == verb);
        let found = of(self.verb).or_else(|| of(ANY));
        if found.is_none() {
            self.allowed.extend(routes.iter().map(|route| &*route.verb));
        }
        found
    }

    fn not_found(mut self) -> NotFound {
        if self.allowed.is_empty() {
            return NotFound::Path;
        }
        self.allowed.sort_unstable();
        self.allowed.dedup();
        NotFound::Verb {
            allowed: self.allowed.into_iter().map(Into::into).collect(),
        }
    }
}
