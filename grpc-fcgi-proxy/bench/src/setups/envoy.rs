//! Envoy: with its filter grpc_http1_reverse_bridge, in front of nginx; with grpc_json_transcoder, in front of the proxy; and
//! as a router to several gRPC servers.

use std::fs;

use anyhow::bail;
use grpc_fcgi_proxy::fastcgi::endpoint::Endpoint as Address;
use prost::Message;
use prost_reflect::prost_types::FileDescriptorSet;
use serde_json::{Value, json};

use super::address::{accepts, free_address};
use super::paths::{Paths, text};
use super::process::Process;

const EXTENSIONS: &str = "type.googleapis.com/envoy.extensions";

/// In front of nginx.
pub(super) fn start(
    paths: &Paths,
    files: &str,
    http: &Address,
) -> anyhow::Result<(Process, Address)> {
    let bridge = filter(
        "grpc_http1_reverse_bridge",
        "FilterConfig",
        &json!({"content_type": "application/grpc", "withhold_grpc_frames": true}),
    );
    let to_nginx = route("/", "server");
    let nginx = cluster("server", http)?;
    run(paths, files, &[bridge], &[to_nginx], &[nginx])
}

/// In front of a gRPC server with the item service: a POST of JSON to a method's path becomes a call.
pub(super) fn start_transcoder(
    paths: &Paths,
    files: &str,
    grpc: &Address,
) -> anyhow::Result<(Process, Address)> {
    // `auto_mapping` is for methods without a google.api.http rule. prost leaves out extensions, which rules are.
    let set = FileDescriptorSet::decode(&*fs::read(paths.item_descriptors())?)?;
    let descriptors = paths.folder.join("item-without-rules.binpb");
    fs::write(&descriptors, set.encode_to_vec())?;
    let transcoder = filter(
        "grpc_json_transcoder",
        "GrpcJsonTranscoder",
        &json!({
            "proto_descriptor": text(&descriptors),
            "services": ["item.ItemService"],
            "auto_mapping": true,
        }),
    );
    let to_proxy = route("/", "server");
    let proxy = grpc_cluster("server", grpc)?;
    run(paths, files, &[transcoder], &[to_proxy], &[proxy])
}

/// In front of gRPC servers, which this routes to by the begin of the path.
pub(super) fn start_router(
    paths: &Paths,
    files: &str,
    servers: &[(&str, &Address)],
) -> anyhow::Result<(Process, Address)> {
    let routes: Vec<Value> = servers.iter().map(|(path, _)| route(path, path)).collect();
    let clusters: Result<Vec<Value>, _> = servers
        .iter()
        .map(|(path, address)| grpc_cluster(path, address))
        .collect();
    run(paths, files, &[], &routes, &clusters?)
}

/// With these filters before these routes.
fn run(
    paths: &Paths,
    files: &str,
    filters: &[Value],
    routes: &[Value],
    clusters: &[Value],
) -> anyhow::Result<(Process, Address)> {
    let address = free_address()?;
    let config = paths.folder.join(format!("{files}-envoy.json"));
    let all = configuration(&address, filters, routes, clusters)?;
    fs::write(&config, all.to_string())?;
    let arguments = [
        "-c",
        &text(&config),
        "--disable-hot-restart",
        "--log-level",
        "warning",
    ]
    .map(str::to_owned);
    let name = format!("{files}-envoy");
    let mut process = Process::start(&paths.folder, &name, &paths.envoy, &arguments)?;
    process.wait_until(|| accepts(&address))?;
    Ok((process, address))
}

fn configuration(
    listen: &Address,
    filters: &[Value],
    routes: &[Value],
    clusters: &[Value],
) -> anyhow::Result<Value> {
    let router = filter("router", "Router", &json!({}));
    let filters: Vec<&Value> = filters.iter().chain([&router]).collect();
    let manager = json!({
        "@type": format!("{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "bench",
        "codec_type": "HTTP2",
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": routes,
        }]},
        "http_filters": filters,
    });
    Ok(json!({"static_resources": {
        "listeners": [{
            "address": socket(listen)?,
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": manager,
            }]}],
            // The filter holds the whole message in memory.
            "per_connection_buffer_limit_bytes": 16 << 20,
        }],
        "clusters": clusters,
    }}))
}

fn route(path: &str, cluster: &str) -> Value {
    json!({"match": {"prefix": path}, "route": {"cluster": cluster, "timeout": "0s"}})
}

/// The server at this address, by HTTP/2.
fn grpc_cluster(name: &str, address: &Address) -> anyhow::Result<Value> {
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let mut cluster = cluster(name, address)?;
    cluster["typed_extension_protocol_options"] = json!({options: {
        "@type": format!("type.googleapis.com/{options}"),
        "explicit_http_config": {"http2_protocol_options": {}},
    }});
    Ok(cluster)
}

/// The server at this address.
fn cluster(name: &str, address: &Address) -> anyhow::Result<Value> {
    let many = json!([{
        "max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000,
    }]);
    Ok(json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": many},
        "per_connection_buffer_limit_bytes": 16 << 20,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": socket(address)?}},
        ]}]},
    }))
}

fn filter(name: &str, kind: &str, settings: &Value) -> Value {
    let mut config = settings.clone();
    config["@type"] = format!("{EXTENSIONS}.filters.http.{name}.v3.{kind}").into();
    json!({"name": format!("envoy.filters.http.{name}"), "typed_config": config})
}

fn socket(address: &Address) -> anyhow::Result<Value> {
    let Address::Tcp(address) = address else {
        bail!("Envoy runs over TCP on both sides");
    };
    let (host, port) = address.rsplit_once(':').unwrap_or(("127.0.0.1", address));
    Ok(json!({"socket_address": {"address": host, "port_value": port.parse::<u16>()?}}))
}
