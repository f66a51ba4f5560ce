//! The program: its exit codes, signals and output.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use chassis::testing::TestDatabase;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::time::Instant;

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_user"));
    command.env_remove("RUST_LOG");
    command
}

fn stderr(output: Output) -> String {
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn invalid_flags_are_refused_with_an_example() {
    for (flag, value, example) in [
        ("--address", "localhost", "127.0.0.1:9090"),
        ("--drain-timeout", "soon", "5s"),
        (
            "--database-url",
            "mysql://me:s3cret@db/users",
            "postgres://",
        ),
    ] {
        let output = program().args([flag, value]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let stderr = stderr(output);
        assert!(
            stderr.contains(flag) && stderr.contains(example),
            "{stderr}"
        );
        assert!(!stderr.contains("s3cret"), "{stderr}");
    }
}

#[test]
fn the_environment_sets_a_flag_and_help_does_not_print_its_value() {
    let output = program()
        .env("USER_DATABASE_URL", "postgres://me:s3cret@db/users")
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(
        help.contains("USER_DATABASE_URL") && !help.contains("s3cret"),
        "{help}"
    );

    let output = program().env("USER_AUX_ADDRESS", "here").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn sigterm_ends_the_program_successfully() {
    let database = TestDatabase::sqlite();
    let mut child = program()
        .args(["--address", "127.0.0.1:0", "--aux-address", "127.0.0.1:0"])
        .args(["--database-url", &database.url])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    assert!(lines.any(|line| line["message"] == "serving user.UserService"));
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    assert!(lines.any(|line| line["message"] == "stopped"));
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_log_that_nobody_reads_holds_up_neither_start_nor_end() {
    let database = TestDatabase::sqlite();
    let (_unread, mut full) = std::io::pipe().unwrap();
    // What a pipe holds.
    full.write_all(&[b'x'; 64 * 1024]).unwrap();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let [address, aux_address] = [free(), free()].map(Result::unwrap);
    let mut child = program()
        .args(["--address", &address.to_string()])
        .args(["--aux-address", &aux_address.to_string()])
        .args(["--database-url", &database.url])
        .stderr(full)
        .spawn()
        .unwrap();
    let start = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(aux_address) {
            Ok(stream) => break stream,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
        }
    };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait()));
    let exit = ended
        .recv_timeout(PATIENCE)
        .expect("the program does not end");
    assert!(exit.unwrap().success());
}
