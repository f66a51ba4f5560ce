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

fn file(package: &str, method: Vec<MethodDescriptorProto>) -> FileDescriptorProto {
    let service = ServiceDescriptorProto {
        name: Some("Service".into()),
        method,
        ..ServiceDescriptorProto::default()
    };
    FileDescriptorProto {
        name: Some(format!("{package}.proto")),
        package: Some(package.into()),
        service: vec![service],
        ..FileDescriptorProto::default()
    }
}

/// `test.Service`, and `probe.Service` for calls that check that the proxy still works.
pub(crate) fn test_service() -> Vec<u8> {
    let test = vec![
        method("ClientStream", true, false),
        method("ServerStream", false, true),
        method("BidiStream", true, true),
    ];
    let probe = vec![method("BidiStream", true, true)];
    FileDescriptorSet {
        file: vec![file("test", test), file("probe", probe)],
    }
    .encode_to_vec()
}
