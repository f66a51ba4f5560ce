//! A call's request, before its messages.

use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use grpc_wire::encoding::{EncodingError, NamedEncoding};
use grpc_wire::method::{CallKind, Method};
use grpc_wire::{metadata, timeout};
use http::request::Parts;
use http::{HeaderMap, header};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::bridge::{Bridge, Client};
use super::error::CallError;
use super::observed::Observed;
use crate::binding::dialect::Dialect;
use crate::binding::variables::{FormattedAddress, Input, Variables};
use crate::share::Holdings;

/// A call's request, as far as its header fields describe it.
pub(super) struct CallRequest<'a> {
    pub(super) bridge: &'a Arc<Bridge>,
    pub(super) kind: CallKind,
    pub(super) deadline: Option<Instant>,
    dialect: Dialect,
    method: Method<'a>,
    head: &'a Parts,
    client: &'a Client,
    /// The client that a trusted proxy names.
    forwarded: Option<Box<FormattedAddress>>,
}

impl<'a> CallRequest<'a> {
    pub(super) fn read(
        bridge: &'a Arc<Bridge>,
        client: &'a Client,
        head: &'a Parts,
        kind: CallKind,
        observed: &Observed,
    ) -> Result<Self, CallError> {
        let method = Method::parse(head.uri.path())?;
        let timeout = timeout::requested(&head.headers)?;
        // As in grpc-go, even if no message turns out to be compressed.
        if NamedEncoding::of(&head.headers) == NamedEncoding::Unsupported {
            return Err(EncodingError::Unsupported.into());
        }
        Ok(Self {
            bridge,
            kind,
            dialect: observed.dialect(),
            deadline: timeout.and_then(|timeout| observed.start().checked_add(timeout)),
            method,
            head,
            client,
            forwarded: client.forwarding.client(&head.headers),
        })
    }

    pub(super) fn headers(&self) -> &'a HeaderMap {
        &self.head.headers
    }

    /// What the client's connection holds.
    pub(super) fn holdings(&self) -> &'a Holdings {
        &self.client.holdings
    }

    /// The deadline by the wall clock, which PHP shares.
    fn system_deadline(&self) -> Option<SystemTime> {
        let left = self.deadline?.saturating_duration_since(Instant::now());
        SystemTime::now().checked_add(left)
    }

    pub(super) fn variables(&self, input: Input) -> Variables<'_> {
        Variables {
            script: self.bridge.routes.script(self.method.service),
            kind: self.kind,
            method: self.method,
            authority: authority(self.head),
            headers: self.headers(),
            input,
            dialect: self.dialect,
            deadline: self.system_deadline(),
            peer: self.forwarded.as_deref().unwrap_or(&self.client.peer),
            local: &self.client.local,
            tls: self.client.tls.as_ref(),
        }
    }

    /// Runs `work` until the call is aborted. The caller pins it: moving it into this future would double its memory.
    pub(super) async fn in_time<T>(
        &self,
        work: Pin<&mut impl Future<Output = Result<T, CallError>>>,
    ) -> Result<T, CallError> {
        tokio::select! {
            biased;
            result = work => result,
            error = aborted(self.deadline, &self.bridge.stopping) => Err(error),
        }
    }
}

/// Checks the size of what the client sent, and adds the context of the call's span for PHP.
pub(super) fn prepare(
    bridge: &Bridge,
    head: &mut Parts,
    observed: &Observed,
) -> Result<(), CallError> {
    metadata::check_size(&head.headers, bridge.limits.metadata)?;
    observed.span().write_context(&mut head.headers);
    Ok(())
}

/// HTTP/2 has the authority in the URI, HTTP/1.1 in a header field. What is before an @ in it names no host.
pub(super) fn authority(head: &Parts) -> &str {
    let host = head.headers.get(header::HOST);
    let authority = match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => host.and_then(|host| host.to_str().ok()).unwrap_or_default(),
    };
    let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    host
}

/// Waits until the deadline or the time to drain has expired, which aborts the call.
pub(super) async fn aborted(deadline: Option<Instant>, stopping: &CancellationToken) -> CallError {
    let expired = async {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = expired => CallError::DeadlineExceeded,
        () = stopping.cancelled() => CallError::Stopping,
    }
}
