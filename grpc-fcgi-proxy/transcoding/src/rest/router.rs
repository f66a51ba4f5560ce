//! The route of a path: a tree of the templates' segments.
//!
//! A lookup goes down one branch, and comes back for a less specific one only where the first has no route. It enters each
//! node at most once, and nodes only as deep as the path has segments.

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

/// The segments of a request's path, percent-encoded.
pub(super) struct Path<'a>(Vec<&'a str>);

impl<'a> Path<'a> {
    pub(super) fn parse(path: &'a str) -> Result<Self, NotFound> {
        let segments = path.strip_prefix('/').ok_or(NotFound::Path)?;
        // Whole, it is text exactly if each segment is.
        escapes::decode(segments).ok_or(NotFound::Malformed)?;
        Ok(Self(match segments {
            "" => Vec::new(),
            _ => segments.split('/').collect(),
        }))
    }

    /// The path before the last colon of the last segment, and the verb behind it. A colon that is percent-encoded is part
    /// of the segment.
    fn split_verb(&self) -> Option<(Self, &'a str)> {
        let (last, before) = self.0.split_last()?;
        let (segment, verb) = last.rsplit_once(':').filter(|(_, verb)| !verb.is_empty())?;
        let mut segments = before.to_vec();
        if !(segment.is_empty() && before.is_empty()) {
            segments.push(segment);
        }
        Some((Self(segments), verb))
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
            if let Some(route) = self.descend(&path.0, &mut search) {
                return Ok((route, path.0));
            }
            search.colon_verb = "";
        }
        if let Some(route) = self.descend(&path.0, &mut search) {
            return Ok((route, path.0));
        }
        Err(search.not_found())
    }

    fn descend<'r>(
        &'r self,
        segments: &[&str],
        search: &mut Search<'_, 'r>,
    ) -> Option<&'r Arc<Route>> {
        let Some((segment, after)) = segments.split_first() else {
            let here = search.leaf(&self.here);
            return here.or_else(|| search.leaf(&self.rest));
        };
        let literal = escapes::decode(segment).and_then(|text| self.literals.get(&*text));
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
