//! The service that sends load reports out of band.

use tonic::Code;

use super::{SCRIPT, next, out_of_band};
use crate::support::{serve, serve_streams};

#[tokio::test]
async fn streams_of_reports_take_no_place_of_a_call_and_are_bounded() {
    let flags = [
        &SCRIPT[..],
        &["--max-calls", "4", "--connection-share", "100"],
    ]
    .concat();
    let (_php_fpm, proxy, client) = serve("echo.php", &flags).await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut stream = out_of_band(&client);
        next(&mut stream).await;
        streams.push(stream);
    }
    proxy.metric_becomes("grpc_server_builtin_calls", 4.0).await;
    assert_eq!(
        out_of_band(&client).status().await.0,
        Code::ResourceExhausted
    );
    assert_eq!(client.call(b"x", &[]).await.status().0, Code::Ok);
    drop(streams);
    proxy.metric_becomes("grpc_server_builtin_calls", 0.0).await;
}

#[tokio::test]
async fn the_drain_ends_streams_of_reports() {
    let (_php_fpm, mut proxy, client) = serve("echo.php", &SCRIPT).await;
    let mut reports = out_of_band(&client);
    next(&mut reports).await;
    proxy.terminate();
    let status = async {
        while reports.next().await.is_some() {}
        reports.status().await.0
    };
    assert_eq!(status.await, Code::Unavailable);
    assert!(proxy.wait().await.success());
}

#[tokio::test]
async fn reflection_lists_the_service() {
    // list_services, of any host.
    const LIST: [u8; 2] = [0x3a, 0];
    for (flags, listed) in [(&[][..], false), (&SCRIPT, true)] {
        let (_php_fpm, _proxy, client) = serve_streams("echo.php", flags).await;
        let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        let mut reflection = client.stream_at(path, &[]);
        reflection.send(&LIST);
        let services = reflection.next().await.unwrap();
        let services = String::from_utf8_lossy(&services);
        assert!(services.contains("grpc.health.v1.Health"));
        let name = "xds.service.orca.v3.OpenRcaService";
        assert_eq!(services.contains(name), listed);
    }
}
