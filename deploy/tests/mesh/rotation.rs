//! Certificate rotation: Envoy loads new certificates from a changed Secret, mounted as Kubernetes mounts it, without a restart.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::pods::{POD_USER, address, report, state, until};

/// The serial number of the certificate in a PEM file.
fn serial(pem: &Path) -> String {
    let arguments = ["x509", "-noout", "-serial", "-in"];
    output(Command::new("openssl").args(arguments).arg(pem))
}

/// The serial number of the certificate that the item pod's Envoy presents to order.
fn served_serial() -> String {
    let pem = |name: &str| state(&format!("certs/order/{name}")).into_os_string();
    let mut client = Command::new("openssl");
    client.args(["s_client", "-servername", "item", "-connect"]);
    client.arg(format!("{}:8080", address("item-1")));
    client.arg("-cert").arg(pem("tls.crt"));
    client.arg("-key").arg(pem("tls.key"));
    client.arg("-CAfile").arg(pem("ca.crt"));
    let shown = state("shown.pem");
    fs::write(&shown, output(&mut client)).unwrap();
    serial(&shown)
}

fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The process id and the start time of the pod's Envoy.
fn start_of_envoy() -> String {
    let pid = fs::read_to_string(state("pods/item-1/envoy.pid")).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap();
    let fields: Vec<_> = stat.split(' ').collect();
    format!("{} {}", fields[0], fields[21])
}

/// Makes a new certificate of the same authority, and returns its folder.
fn renew() -> PathBuf {
    let certificate = state("certs/item");
    fs::remove_file(certificate.join("tls.crt")).unwrap();
    let status = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../script/certs"))
        .arg("--dir")
        .arg(state("certs"))
        .status();
    assert!(status.unwrap().success());
    certificate
}

/// Changes the mounted Secret as the kubelet does: all files at once, by a rename of `..data`.
fn remount(secret: &Path) {
    let mount = state("pods/item-1/etc/certs");
    let version = mount.join("..renewed");
    fs::create_dir(&version).unwrap();
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        fs::copy(secret.join(name), version.join(name)).unwrap();
        chown(version.join(name), Some(POD_USER), None).unwrap();
    }
    symlink("..renewed", mount.join("..data.new")).unwrap();
    fs::rename(mount.join("..data.new"), mount.join("..data")).unwrap();
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn envoy_presents_a_renewed_certificate_without_a_restart() {
    let started = start_of_envoy();
    let before = served_serial();
    let renewed = renew();
    let expected = serial(&renewed.join("tls.crt"));
    assert_ne!(before, expected);
    remount(&renewed);
    until("Envoy presents the new certificate", || {
        served_serial() == expected
    });
    assert_eq!(start_of_envoy(), started);
    report();
}
