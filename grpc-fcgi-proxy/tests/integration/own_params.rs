//! FastCGI parameters of the operator's own.

use tokio::process::Command;

use crate::support::{Client, MODES, PhpFpm, Proxy, php, serve};

const FLAGS: &[&str] = &[
    "--param=APP_ENV=a, b=c",
    "--param=OF_THE_PROXY",
    "--param-override=PHP_VALUE",
    "--param-override=SERVER_SOFTWARE=own",
];

/// What a script sees of them, in a call by itself and in a resident worker.
#[tokio::test]
async fn a_script_has_own_params_in_server_and_getenv() {
    for mode in MODES {
        let php_fpm = PhpFpm::start().await;
        let mut program = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"));
        program.env("OF_THE_PROXY", "of\nthe proxy");
        program.env("PHP_VALUE", "precision=3\nserialize_precision=4");
        let script = php("fixtures/resident.php");
        let flags = [FLAGS, mode].concat();
        let (url, script) = (php_fpm.url(), script.to_str().unwrap());
        let proxy = Proxy::start_by(program, &url, script, &flags).await;
        let client = Client::connect(proxy.address).await;
        for (command, expected) in [
            ("variable APP_ENV", "a, b=c|a, b=c"),
            ("variable OF_THE_PROXY", "of\nthe proxy|of\nthe proxy"),
            ("variable SERVER_SOFTWARE", "own|own"),
            ("setting precision", "3"),
            ("setting serialize_precision", "4"),
        ] {
            let request = [
                &[0x0a, u8::try_from(command.len()).unwrap()],
                command.as_bytes(),
            ];
            let response = client.call(&request.concat(), &[]).await;
            let answer = String::from_utf8(response.content()[2..].to_vec()).unwrap();
            assert_eq!(answer, expected, "{command} {mode:?}");
        }
    }
}

#[tokio::test]
async fn a_client_cannot_replace_them() {
    let flags = ["--param-override=HTTP_X_TENANT=own", "--param=TENANT=own"];
    let (_php_fpm, _proxy, client) = serve("variables.php", &flags).await;
    let metadata = [("x-tenant", "forged"), ("tenant", "forged")];
    let variables = client.call(b"", &metadata).await.variables();
    assert_eq!(variables["HTTP_X_TENANT"], "own");
    assert_eq!(variables["TENANT"], "own");
}

#[tokio::test]
async fn auxiliary_paths_have_them_too() {
    let aux = format!("--aux-path=/a={}", php("fixtures/variables.php").display());
    let flags = [aux.as_str(), "--param=APP_ENV=production"];
    let (_php_fpm, proxy, _client) = serve("variables.php", &flags).await;
    let (_, body) = proxy.get("/a").await;
    let variables: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(variables["APP_ENV"], "production");
}

#[tokio::test]
async fn a_variable_that_is_not_set_is_refused_before_a_port_is_bound() {
    let output = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"))
        .args([
            "--param=NOT_SET_ANYWHERE",
            "--address=127.0.0.1:1",
            "/app/index.php",
        ])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("NOT_SET_ANYWHERE is not set: set it, or use"),
        "{error}"
    );
}
