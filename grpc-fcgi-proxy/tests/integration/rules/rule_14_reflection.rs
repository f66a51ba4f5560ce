//! Reflection, v1 and v1alpha: five kinds of request on one stream, errors in the response, and all files that a file imports.

use futures_util::stream::iter;
use prost::Message;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    ServiceDescriptorProto,
};
use tonic::transport::Channel;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{
    ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse,
};

use tonic::Code;

use crate::support::{Client, StreamingCall, serve, serve_descriptors};

const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const V1ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
/// Field 9999, which no descriptor has: an option that the proxy does not know.
const UNKNOWN_FIELD: &[u8] = b"\xfa\xf0\x04\x01x";

fn file(name: &str, imports: &[&str]) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(format!("{name}.proto")),
        package: Some("shop".into()),
        dependency: imports
            .iter()
            .map(|import| format!("{import}.proto"))
            .collect(),
        message_type: vec![DescriptorProto {
            name: Some(name.into()),
            ..DescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    }
}

/// `Top` imports `Left` and `Right`, and both `Base`, which `Left` extends.
fn files() -> Vec<Vec<u8>> {
    let mut top = file("Top", &["Left", "Right"]);
    top.service = vec![ServiceDescriptorProto {
        name: Some("Shop".into()),
        ..ServiceDescriptorProto::default()
    }];
    let mut left = file("Left", &["Base"]);
    left.extension = vec![FieldDescriptorProto {
        name: Some("extra".into()),
        extendee: Some(".shop.Base".into()),
        number: Some(100),
        ..FieldDescriptorProto::default()
    }];
    let files = [top, left, file("Right", &["Base"]), file("Base", &[])];
    let encode = |file: FileDescriptorProto| [&file.encode_to_vec(), UNKNOWN_FIELD].concat();
    files.map(encode).to_vec()
}

/// A FileDescriptorSet of encoded files.
fn set(files: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for file in files {
        prost::encoding::bytes::encode(1, file, &mut bytes);
    }
    assert!(FileDescriptorSet::decode(&bytes[..]).is_ok());
    bytes
}

async fn ask(stream: &mut StreamingCall, wanted: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest {
        host: "shop.example".into(),
        message_request: Some(wanted),
    };
    stream.send(&request.encode_to_vec());
    let response = stream.next().await.unwrap();
    let response = ServerReflectionResponse::decode(&response[..]).unwrap();
    assert_eq!(response.valid_host, "shop.example");
    assert_eq!(response.original_request, Some(request));
    response.message_response.unwrap()
}

async fn ask_for_files(stream: &mut StreamingCall, wanted: MessageRequest) -> Vec<Vec<u8>> {
    match ask(stream, wanted).await {
        MessageResponse::FileDescriptorResponse(response) => response.file_descriptor_proto,
        other => panic!("{other:?}"),
    }
}

async fn services(client: &Client, path: &str) -> Vec<String> {
    let mut stream = client.stream_at(path, &[]);
    let response = ask(&mut stream, MessageRequest::ListServices("*".into())).await;
    stream.half_close();
    assert_eq!(stream.status().await, (Code::Ok, String::new()));
    match response {
        MessageResponse::ListServicesResponse(list) => list
            .service
            .into_iter()
            .map(|service| service.name)
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn both_versions_list_the_services() {
    let (_php_fpm, proxy, client) = serve_descriptors(&set(&files()), "echo.php", &[]).await;
    // A generated client gets the same.
    let url = format!("http://{}", proxy.address);
    let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
    let mut generated = ServerReflectionClient::new(channel);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices("*".into())),
    };
    let responses = generated.server_reflection_info(iter([request])).await;
    let response = responses
        .unwrap()
        .get_mut()
        .message()
        .await
        .unwrap()
        .unwrap();
    match response.message_response {
        Some(MessageResponse::ListServicesResponse(list)) => assert_eq!(list.service.len(), 4),
        other => panic!("{other:?}"),
    }
    for path in [V1, V1ALPHA] {
        assert_eq!(
            services(&client, path).await,
            [
                "grpc.health.v1.Health",
                "grpc.reflection.v1.ServerReflection",
                "grpc.reflection.v1alpha.ServerReflection",
                "shop.Shop"
            ]
        );
    }
}

#[tokio::test]
async fn a_file_comes_unchanged_before_all_that_it_imports() {
    let expected = files();
    let (_php_fpm, _proxy, client) = serve_descriptors(&set(&expected), "echo.php", &[]).await;
    let mut stream = client.stream_at(V1, &[]);
    for wanted in [
        MessageRequest::FileByFilename("Top.proto".into()),
        MessageRequest::FileContainingSymbol("shop.Shop".into()),
    ] {
        let mut files = ask_for_files(&mut stream, wanted).await;
        assert_eq!(files[0], expected[0]);
        let mut expected = expected.clone();
        files.sort();
        expected.sort();
        assert_eq!(files, expected);
    }
}

#[tokio::test]
async fn extensions_are_found_by_their_message() {
    let expected = files();
    let (_php_fpm, _proxy, client) = serve_descriptors(&set(&expected), "echo.php", &[]).await;
    let mut stream = client.stream_at(V1, &[]);
    let extension = ExtensionRequest {
        containing_type: "shop.Base".into(),
        extension_number: 100,
    };
    let wanted = MessageRequest::FileContainingExtension(extension);
    let files = ask_for_files(&mut stream, wanted).await;
    assert_eq!(files, [expected[1].clone(), expected[3].clone()]);
    for (message, numbers) in [("shop.Base", vec![100]), ("shop.Top", vec![])] {
        let wanted = MessageRequest::AllExtensionNumbersOfType(message.into());
        match ask(&mut stream, wanted).await {
            MessageResponse::AllExtensionNumbersResponse(response) => {
                assert_eq!(response.base_type_name, message);
                assert_eq!(response.extension_number, numbers);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_unknown_name_is_an_error_in_the_response_and_the_call_goes_on() {
    let (_php_fpm, _proxy, client) = serve_descriptors(&set(&files()), "echo.php", &[]).await;
    let mut stream = client.stream_at(V1, &[]);
    let extension = ExtensionRequest {
        containing_type: "shop.Base".into(),
        extension_number: 101,
    };
    for wanted in [
        MessageRequest::FileByFilename("other.proto".into()),
        MessageRequest::FileContainingSymbol("shop.Other".into()),
        MessageRequest::FileContainingExtension(extension),
        MessageRequest::AllExtensionNumbersOfType("shop.Other".into()),
    ] {
        match ask(&mut stream, wanted).await {
            MessageResponse::ErrorResponse(error) => {
                assert_eq!(error.error_code, Code::NotFound as i32)
            }
            other => panic!("{other:?}"),
        }
    }
    stream.half_close();
    assert_eq!(stream.status().await.0, Code::Ok);
}

#[tokio::test]
async fn without_descriptor_sets_or_if_disabled_the_application_answers() {
    // A set that is not served may be incomplete.
    let incomplete = set(&files()[..1]);
    for (descriptors, flags) in [(None, &[][..]), (Some(incomplete), &["--no-reflection"])] {
        let (_php_fpm, _proxy, client) = match descriptors {
            None => serve("stream_echo.php", flags).await,
            Some(set) => serve_descriptors(&set, "stream_echo.php", flags).await,
        };
        // Its clients do not end their requests before they have all answers.
        let mut stream = client.stream_at(V1, &[]);
        stream.send(b"a");
        assert_eq!(stream.next().await.unwrap(), b"a");
        stream.half_close();
        assert_eq!(stream.status().await.0, Code::Ok);
    }
}
