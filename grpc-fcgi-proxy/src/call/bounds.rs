//! Bounds what the application puts into the header fields and the trailers of a response. Clients refuse longer lists,
//! and some of them the whole connection: then not even the code arrives.

use grpc_wire::metadata::{field_size, list_size};
use grpc_wire::status::{Code, GRPC_MESSAGE, GRPC_STATUS, GRPC_STATUS_DETAILS, Status};
use http::{HeaderMap, HeaderName};

use super::error::CallError;
use super::observed::Observed;
use super::response::Outcome;
use crate::binding::dropped::DroppedFields;

/// Left for the fields of the protocols, and for those that proxies on the way add.
const ROOM: usize = 512;

/// Refuses initial metadata over the limit.
pub(super) fn check(metadata: &HeaderMap, limit: usize) -> Result<(), CallError> {
    if list_size(metadata) <= limit {
        return Ok(());
    }
    let mut names = DroppedFields::default();
    for (_, name) in by_size(metadata) {
        names.add(name.as_str());
    }
    Err(CallError::ResponseMetadataTooLarge(names))
}

impl Outcome {
    /// Shortens the outcome to the limit. The code of a failed call always arrives; a call that would lose metadata cannot
    /// succeed.
    pub(super) fn bounded(mut self, limit: usize, observed: &Observed) -> Result<Self, CallError> {
        let room = limit - ROOM;
        let within = if self.is_trailers_only() {
            list_size(&self.metadata) + status_size(&self.status) <= room
        } else {
            list_size(&self.metadata) <= room
                && list_size(&self.trailers) + status_size(&self.status) <= room
        };
        if !within {
            let mut shortened = DroppedFields::default();
            if self.status.code == Code::Ok {
                check(&self.metadata, limit)?;
                check(&self.trailers, limit)?;
            } else {
                self.drop_largest(room, &mut shortened);
            }
            self.shorten_status(room, &mut shortened);
            if !shortened.is_empty() {
                observed.report_shortened(&shortened);
            }
        }
        Ok(self)
    }

    /// Leaves a quarter of the room for the message.
    fn drop_largest(&mut self, room: usize, shortened: &mut DroppedFields) {
        let message = message_size(&self.status).min(room / 4);
        let beside_message = room - code_size() - message;
        if !self.is_trailers_only() {
            drop_largest(&mut self.metadata, room, shortened);
            drop_largest(&mut self.trailers, beside_message, shortened);
            return;
        }
        drop_largest(&mut self.metadata, beside_message, shortened);
    }

    /// Drops the details if they do not fit, and cuts the message to what is left.
    fn shorten_status(&mut self, room: usize, shortened: &mut DroppedFields) {
        let list = if self.is_trailers_only() {
            &self.metadata
        } else {
            &self.trailers
        };
        let room = room.saturating_sub(list_size(list) + code_size());
        let message = message_size(&self.status).min(room / 4);
        if details_size(&self.status) + message > room {
            self.status.details = None;
            shortened.add(GRPC_STATUS_DETAILS.as_str());
        }
        let room = room - details_size(&self.status);
        if self
            .status
            .cut_message(room.saturating_sub(field_size(&GRPC_MESSAGE, 0)))
        {
            shortened.add(GRPC_MESSAGE.as_str());
        }
    }
}

fn drop_largest(metadata: &mut HeaderMap, room: usize, shortened: &mut DroppedFields) {
    let mut size = list_size(metadata);
    if size <= room {
        return;
    }
    for (field, name) in by_size(metadata) {
        if size <= room {
            break;
        }
        size -= field;
        metadata.remove(&name);
        shortened.add(name.as_str());
    }
}

/// The keys and the sizes of their values, the largest first.
fn by_size(metadata: &HeaderMap) -> Vec<(usize, HeaderName)> {
    let size = |name: &HeaderName| {
        let values = metadata.get_all(name).iter();
        values
            .map(|value| field_size(name, value.len()))
            .sum::<usize>()
    };
    let mut fields: Vec<_> = metadata
        .keys()
        .map(|name| (size(name), name.clone()))
        .collect();
    fields.sort_by(|(a, _), (b, _)| b.cmp(a));
    fields
}

pub(super) fn status_size(status: &Status) -> usize {
    code_size() + message_size(status) + details_size(status)
}

fn code_size() -> usize {
    field_size(&GRPC_STATUS, 2)
}

fn message_size(status: &Status) -> usize {
    match status.message_length() {
        0 => 0,
        length => field_size(&GRPC_MESSAGE, length),
    }
}

fn details_size(status: &Status) -> usize {
    let details = status.details.as_ref();
    details.map_or(0, |details| field_size(&GRPC_STATUS_DETAILS, details.len()))
}
