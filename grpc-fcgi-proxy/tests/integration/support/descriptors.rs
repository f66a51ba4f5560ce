//! A descriptor set with a method of each kind.

use prost::Message;
use prost_types::{
    FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
};

fn method(name: &str, client_streaming: bool, server_streaming: bool) -> MethodDescriptorProto {
    MethodDescriptorProto {
        name: Some(name.into()),
        client_streaming: Some(client_streaming),
        server_streaming: Some(server_streaming),
        ..MethodDescriptorProto::default()
    }
}

/// `test.Service`.
pub(crate) fn test_service() -> Vec<u8> {
    let service = ServiceDescriptorProto {
        name: Some("Service".into()),
        method: vec![
            method("ClientStream", true, false),
            method("ServerStream", false, true),
            method("BidiStream", true, true),
        ],
        ..ServiceDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("test.proto".into()),
        package: Some("test".into()),
        service: vec![service],
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}
