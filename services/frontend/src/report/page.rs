//! A page of the report. A user whose orders span pages is on each of them.
//!
//! A page may end early: after the last user of a page of users, or before its text becomes too long. It is empty if only
//! users have come whose place is before its begin.

use std::ops::ControlFlow;

use chassis::{context::CallContext, paging::PageRequest};
use futures_util::future::try_join_all;
use proto::{
    order::{GetOrderDetailResponse, ListOrderDetailsResponse},
    user::User,
};
use serde::Serialize;
use tonic::Code;

use super::{ReportEntry, ReportError, USERS, json::Rows, position::Position};
use crate::{extent::Extent, peers::Peers};

/// A part of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    entries: Vec<ReportEntry>,
    /// Empty on the last page.
    next_page_token: String,
}

/// Reads a page of users, and their orders until the page is full.
pub(crate) async fn collect(
    peers: &Peers,
    context: &CallContext,
    request: &PageRequest,
    extent: Extent,
) -> Result<Page, ReportError> {
    let begin = match &*request.after {
        "" => Position::default(),
        position => serde_json::from_str(position).map_err(|_| ReportError::Token)?,
    };
    let mut page = Unfinished {
        peers: peers.limited(extent.message),
        context,
        extent,
        room: request.size.min(extent.orders),
        // The entries are the elements of a list in an object.
        rows: Rows::new(4, extent.text),
        entries: Vec::new(),
        last: String::new(),
    };
    let next = page.fill(begin).await.map_err(|error| match error {
        // Only the parts of the client's token can be invalid.
        ReportError::Peer(error)
            if error.status.code() == Code::InvalidArgument && !request.after.is_empty() =>
        {
            ReportError::Token
        }
        error => error,
    })?;
    let next = next.map(|next| serde_json::to_string(&next)).transpose()?;
    Ok(Page {
        entries: page.entries,
        next_page_token: next.map_or_else(String::new, |next| request.token(&next)),
    })
}

/// A page that is being read.
struct Unfinished<'a> {
    peers: Peers,
    context: &'a CallContext,
    extent: Extent,
    /// The orders that fit in; a user without orders takes the room of one.
    room: usize,
    /// Writes what fits in.
    rows: Rows,
    entries: Vec<ReportEntry>,
    /// The id of the user of the last entry.
    last: String,
}

impl Unfinished<'_> {
    /// Returns where the next page begins; `None` after the last user.
    async fn fill(&mut self, begin: Position) -> Result<Option<Position>, ReportError> {
        let users = self.peers.users(self.context, USERS, begin.users()).await?;
        let Some((mut rest, mut at)) = begin.resume(&users.users) else {
            return Ok(begin.on(users.next_page_token));
        };
        while !rest.is_empty() {
            if self.room == 0 {
                return Ok(Some(at));
            }
            // A user whose orders are many is read alone: it leaves no room for others.
            let count = match &*at.orders {
                "" => self.extent.lists.min(self.room).min(rest.len()),
                _ => 1,
            };
            let (batch, others) = rest.split_at(count);
            let share = self.room / count;
            let first = |user| self.orders(user, share, &at.orders);
            let lists = try_join_all(batch.iter().map(first)).await?;
            for (user, list) in batch.iter().zip(lists) {
                match self.add_user(user, list, at).await? {
                    ControlFlow::Continue(next) => at = next,
                    ControlFlow::Break(next) => return Ok(Some(next)),
                }
            }
            rest = others;
        }
        Ok(Position::default().on(users.next_page_token))
    }

    /// Adds a user whose orders begin at a position with this list. Breaks where the next page begins.
    async fn add_user(
        &mut self,
        user: &User,
        mut list: ListOrderDetailsResponse,
        mut at: Position,
    ) -> Result<ControlFlow<Position, Position>, ReportError> {
        loop {
            if !self.add(user, list.details, !at.orders.is_empty())? {
                return Ok(ControlFlow::Break(at));
            }
            at = at.within(user, list.next_page_token);
            if at.orders.is_empty() {
                return Ok(ControlFlow::Continue(at));
            }
            if self.room == 0 {
                return Ok(ControlFlow::Break(at));
            }
            list = self.orders(user, self.room, &at.orders).await?;
        }
    }

    async fn orders(
        &self,
        user: &User,
        room: usize,
        token: &str,
    ) -> Result<ListOrderDetailsResponse, ReportError> {
        let (size, token) = (room.min(self.extent.rows), token.to_owned());
        let list = self.peers.orders(self.context, &user.id, size, token).await;
        Ok(list?)
    }

    /// Adds orders of a user; returns false if they do not fit in. Fails if their text does not fit into an empty page.
    fn add(
        &mut self,
        user: &User,
        details: Vec<GetOrderDetailResponse>,
        continued: bool,
    ) -> Result<bool, ReportError> {
        if continued && details.is_empty() {
            return Ok(true);
        }
        let count = details.len().max(1);
        let is_empty = self.entries.is_empty();
        if self.room < count && !is_empty {
            return Ok(false);
        }
        let is_new = self.last != user.id;
        let row = is_new.then(|| self.rows.user(user.clone())).transpose();
        let orders = details.into_iter().map(|detail| self.rows.order(detail));
        let added = row.and_then(|row| Ok((row, orders.collect::<Result<Vec<_>, _>>()?)));
        let (row, orders) = match added {
            Err(ReportError::TooLarge) if !is_empty => return Ok(false),
            added => added?,
        };
        self.room = self.room.saturating_sub(count);
        if let Some(row) = row {
            self.last.clone_from(&user.id);
            self.entries.push(ReportEntry { user: row, orders });
        } else if let Some(entry) = self.entries.last_mut() {
            entry.orders.extend(orders);
        }
        Ok(true)
    }
}
