//! Server reflection, by which clients such as grpcurl discover services and messages.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/server-reflection.md>

use std::sync::Arc;

use futures_util::stream::{BoxStream, StreamExt};
use http::Uri;
use http::uri::PathAndQuery;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::server_reflection_server::{
    ServerReflection, ServerReflectionServer,
};
use tonic_reflection::pb::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};

use super::index::Index;

/// The name of the service.
pub(super) const V1: &str = "grpc.reflection.v1.ServerReflection";
/// Its former name. The messages are the same.
pub(super) const V1ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

/// The contracts of both.
pub(super) const CONTRACTS: [&[u8]; 2] = [
    tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
];

/// The service.
#[derive(Debug)]
pub(crate) struct Reflection {
    index: Arc<Index>,
}

impl Reflection {
    /// Serves the index, and the contracts of the proxy's own services.
    pub(super) fn server(
        mut index: Index,
        own: impl Iterator<Item = &'static [u8]>,
    ) -> Result<ServerReflectionServer<Self>, prost::DecodeError> {
        for set in CONTRACTS.into_iter().chain(own) {
            index.add(set.into())?;
        }
        let index = Arc::new(index);
        Ok(ServerReflectionServer::new(Self { index }))
    }
}

/// The generated server accepts calls under its own name only.
pub(super) fn rename_to_v1(uri: &mut Uri) {
    let mut parts = uri.clone().into_parts();
    let path = uri.path().replacen(V1ALPHA, V1, 1);
    parts.path_and_query = PathAndQuery::try_from(path).ok();
    if let Ok(renamed) = Uri::from_parts(parts) {
        *uri = renamed;
    }
}

#[tonic::async_trait]
impl ServerReflection for Reflection {
    type ServerReflectionInfoStream = BoxStream<'static, Result<ServerReflectionResponse, Status>>;

    async fn server_reflection_info(
        &self,
        request: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let index = Arc::clone(&self.index);
        let answers = request
            .into_inner()
            .map(move |request| Ok(answer(&index, request?)));
        Ok(Response::new(answers.boxed()))
    }
}

fn answer(index: &Index, request: ServerReflectionRequest) -> ServerReflectionResponse {
    let response = match &request.message_request {
        Some(wanted) => find(index, wanted).unwrap_or_else(|| error(Code::NotFound, "not found")),
        None => error(Code::InvalidArgument, "the request is empty"),
    };
    ServerReflectionResponse {
        valid_host: request.host.clone(),
        original_request: Some(request),
        message_response: Some(response),
    }
}

fn find(index: &Index, wanted: &MessageRequest) -> Option<MessageResponse> {
    match wanted {
        MessageRequest::FileByFilename(name) => index.file(name).map(files),
        MessageRequest::FileContainingSymbol(symbol) => index.file_of_symbol(symbol).map(files),
        MessageRequest::FileContainingExtension(extension) => index
            .file_of_extension(&extension.containing_type, extension.extension_number)
            .map(files),
        MessageRequest::AllExtensionNumbersOfType(message) => {
            let response = ExtensionNumberResponse {
                base_type_name: message.clone(),
                extension_number: index.extension_numbers(message)?,
            };
            Some(MessageResponse::AllExtensionNumbersResponse(response))
        }
        MessageRequest::ListServices(_) => {
            let name = |name: &str| ServiceResponse { name: name.into() };
            let service = index.services().map(name).collect();
            Some(MessageResponse::ListServicesResponse(ListServiceResponse {
                service,
            }))
        }
    }
}

fn files(file_descriptor_proto: Vec<Vec<u8>>) -> MessageResponse {
    MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
        file_descriptor_proto,
    })
}

fn error(code: Code, message: &str) -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse {
        error_code: code.into(),
        error_message: message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_former_name_becomes_the_current_one() {
        let path = "/ServerReflectionInfo";
        let mut uri: Uri = format!("http://a.b/{V1ALPHA}{path}").parse().unwrap();
        rename_to_v1(&mut uri);
        assert_eq!(uri.to_string(), format!("http://a.b/{V1}{path}"));
    }
}
