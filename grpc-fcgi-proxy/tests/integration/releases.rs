//! Releases behind a symbolic link.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;
use tonic::Code;

use crate::support::{Client, PhpFpm, Proxy};

const RESOLVE: &str = "--resolve-symlinks";
const SCRIPT: &str =
    "<?php echo __DIR__, ' ', $_SERVER['DOCUMENT_ROOT'], ' ', $_SERVER['SCRIPT_FILENAME'];";

/// Two releases, and a link that leads to one of them.
struct Releases(TempDir);

impl Releases {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for release in ["1", "2"] {
            let root = folder.path().join(release);
            fs::create_dir(&root).unwrap();
            for script in ["index.php", "cart.php", "page.php"] {
                fs::write(root.join(script), SCRIPT).unwrap();
            }
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    /// Replaces the link at once, as a deployment does.
    fn deploy(&self, release: &str) {
        symlink(self.path(release), self.path("next")).unwrap();
        fs::rename(self.path("next"), self.path("current")).unwrap();
    }

    /// What the script answers.
    fn answer(&self, release: &str, script: &str) -> String {
        let root = self.path(release);
        let (root, script) = (root.display(), root.join(script));
        format!("{root} {root} {}", script.display())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_call_runs_the_release_to_which_the_link_leads() {
    let (php_fpm, releases) = (PhpFpm::start().await, Releases::new());
    releases.deploy("1");
    let current = releases.path("current");
    let route = format!("--route=shop.Cart={}", current.join("cart.php").display());
    let page = format!("--aux-path=/page={}", current.join("page.php").display());
    let flags = [RESOLVE, &route, &page];
    let script = current.join("index.php");
    let proxy = Proxy::start(&php_fpm.url(), text(&script), &flags).await;
    let client = Client::connect(proxy.address).await;
    for release in ["1", "2", "1"] {
        releases.deploy(release);
        // Each worker has a cache of resolved paths.
        for _ in 0..4 {
            let response = client.call(b"", &[]).await;
            let answer = releases.answer(release, "index.php");
            assert_eq!(response.content(), answer.as_bytes());
            let response = client.call_method("/shop.Cart/Add", b"", &[]).await;
            let answer = releases.answer(release, "cart.php");
            assert_eq!(response.content(), answer.as_bytes());
            let answer = releases.answer(release, "page.php");
            assert_eq!(proxy.get("/page").await.1, answer);
        }
    }
}

#[tokio::test]
async fn a_missing_release_is_unavailable_until_it_is_there() {
    let (php_fpm, releases) = (PhpFpm::start().await, Releases::new());
    releases.deploy("1");
    let script = releases.path("current").join("index.php");
    let mut proxy = Proxy::start(&php_fpm.url(), text(&script), &[RESOLVE]).await;
    let client = Client::connect(proxy.address).await;
    fs::remove_file(releases.path("current")).unwrap();
    let missing = "the application's script does not exist";
    let response = client.call(b"", &[]).await;
    assert_eq!(response.status(), (Code::Unavailable, missing));
    let failed = proxy
        .logged(|record| record["message"] == "call failed")
        .await;
    assert!(failed["error"].as_str().unwrap().contains(text(&script)));
    releases.deploy("2");
    let answer = releases.answer("2", "index.php");
    assert_eq!(client.call(b"", &[]).await.content(), answer.as_bytes());
}

#[tokio::test]
async fn files_that_the_proxy_does_not_see_are_refused_at_the_start() {
    for command in [&[][..], &["check"]] {
        let php_fpm = PhpFpm::start().await;
        let url = php_fpm.url();
        let arguments = [command, &["-f", &url, RESOLVE, "/elsewhere/index.php"]].concat();
        let output = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"))
            .args(arguments)
            .output()
            .await
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("--resolve-symlinks requires"), "{text}");
        assert!(text.contains("/elsewhere/index.php"), "{text}");
    }
}
