//! The calls that wait for a place, in their order.
//!
//! Connections take turns, each of several calls: first the first calls of all connections, in the order of arrival, then
//! their next ones, and so on. So a connection with a thousand waiting calls delays another one's call by one turn.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::queue::{Place, Purpose};
use crate::share::{Holding, Holdings};

/// The calls of one connection stay together as far as is fair: they share a thread, and the writes of one turn of it.
pub(super) const CALLS_IN_TURN: usize = 16;

/// The place of a call in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    turn: usize,
    number: u64,
}

/// A waiting call.
#[derive(Debug)]
pub(super) struct WaitingCall {
    pub(super) sender: oneshot::Sender<Place>,
    pub(super) client: Holdings,
    _held: Holding,
}

/// All waiting calls.
#[derive(Debug, Default)]
pub(super) struct WaitingCalls {
    unary: BTreeMap<Ticket, WaitingCall>,
    streams: BTreeMap<Ticket, WaitingCall>,
    /// The turn of the last call that got a place.
    turn: usize,
    next_number: u64,
}

impl WaitingCalls {
    pub(super) fn join(
        &mut self,
        purpose: Purpose,
        client: &Holdings,
        sender: oneshot::Sender<Place>,
    ) -> Ticket {
        let ticket = self.ticket(client);
        let call = WaitingCall {
            sender,
            client: client.clone(),
            _held: client.waiting.hold(),
        };
        self.of(purpose).insert(ticket, call);
        ticket
    }

    fn ticket(&mut self, client: &Holdings) -> Ticket {
        let turn = self.turn + 1 + client.waiting.count() / CALLS_IN_TURN;
        let number = self.next_number;
        self.next_number += 1;
        Ticket { turn, number }
    }

    pub(super) fn count(&self, purpose: Purpose) -> usize {
        match purpose {
            Purpose::Unary => self.unary.len(),
            Purpose::Stream => self.streams.len(),
        }
    }

    /// The purpose of the first call, then the other one.
    pub(super) fn order(&self) -> [Purpose; 2] {
        let unary = self.unary.keys().next();
        match self.streams.keys().next() {
            Some(stream) if unary.is_none_or(|unary| stream < unary) => {
                [Purpose::Stream, Purpose::Unary]
            }
            _ => [Purpose::Unary, Purpose::Stream],
        }
    }

    /// The first call whose connection is admitted.
    pub(super) fn first(
        &self,
        purpose: Purpose,
        admits: impl Fn(&Holdings) -> bool,
    ) -> Option<Ticket> {
        let mut calls = match purpose {
            Purpose::Unary => self.unary.iter(),
            Purpose::Stream => self.streams.iter(),
        };
        calls
            .find(|(_, call)| admits(&call.client))
            .map(|(ticket, _)| *ticket)
    }

    /// Removes a call that gets a place.
    pub(super) fn serve(&mut self, purpose: Purpose, ticket: Ticket) -> Option<WaitingCall> {
        self.turn = ticket.turn;
        self.leave(purpose, ticket)
    }

    /// Removes a call.
    pub(super) fn leave(&mut self, purpose: Purpose, ticket: Ticket) -> Option<WaitingCall> {
        self.of(purpose).remove(&ticket)
    }

    fn of(&mut self, purpose: Purpose) -> &mut BTreeMap<Ticket, WaitingCall> {
        match purpose {
            Purpose::Unary => &mut self.unary,
            Purpose::Stream => &mut self.streams,
        }
    }
}
