//! Real servers are started, killed, paused and restarted, and keep what they acknowledged.
#![cfg(unix)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use seawall_testkit::server::{self, Server};

/// How long a server that answers may take, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one is waited for that will not answer.
const SILENCE: Duration = Duration::from_millis(300);

#[test]
#[ignore = "needs redis-server: apt-get install redis-server"]
fn redis_keeps_what_it_acknowledged_through_a_kill_and_a_restart() {
    let mut redis = server::redis().expect("redis starts");
    assert_eq!(redis.url(), format!("redis://127.0.0.1:{}/", redis.port()));
    assert_eq!(ask(redis.port(), "SET order-1 paid").expect("it answers"), "+OK\r\n");

    let port = redis.port();
    redis.kill();
    assert!(!redis.is_running());
    assert_eq!(
        TcpStream::connect(("127.0.0.1", port)).expect_err("nobody listens").kind(),
        ErrorKind::ConnectionRefused
    );

    redis.restart().expect("redis starts again");
    assert_eq!(redis.port(), port);
    assert_eq!(ask(port, "GET order-1").expect("it answers"), "$4\r\npaid\r\n");

    redis.restart().expect("a running server restarts as well");
    assert_eq!(ask(port, "GET order-1").expect("it answers"), "$4\r\npaid\r\n");
}

#[test]
#[ignore = "needs redis-server: apt-get install redis-server"]
fn a_paused_redis_takes_connections_and_answers_once_it_is_resumed() {
    let mut redis = server::redis().expect("redis starts");
    redis.pause();
    assert!(redis.is_running());
    let error = ask_within(SILENCE, redis.port(), "PING").expect_err("a stopped process answers nothing");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    redis.resume();
    assert_eq!(ask(redis.port(), "PING").expect("it answers again"), "+PONG\r\n");
}

#[test]
#[ignore = "needs redis-server: apt-get install redis-server"]
fn two_servers_are_apart_and_nothing_of_them_stays() {
    let [one, two] = [(); 2].map(|()| server::redis().expect("redis starts"));
    assert_ne!(one.port(), two.port());
    ask(one.port(), "SET key one").expect("it answers");
    assert_eq!(ask(two.port(), "GET key").expect("it answers"), "$-1\r\n");

    let folder = redis_folder(one.port());
    assert!(folder.join("server.log").is_file());
    let port = one.port();
    drop(one);
    assert!(!folder.exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert_eq!(ask(two.port(), "PING").expect("the other one lives"), "+PONG\r\n");
}

#[test]
#[ignore = "needs redis-server: apt-get install redis-server"]
fn a_paused_or_killed_server_can_be_dropped() {
    let [mut paused, mut killed] = [(); 2].map(|()| server::redis().expect("redis starts"));
    let folders = [redis_folder(paused.port()), redis_folder(killed.port())];
    paused.pause();
    killed.kill();
    killed.kill();
    drop((paused, killed));
    assert!(folders.iter().all(|folder| !folder.exists()));
}

#[test]
#[ignore = "needs postgresql: apt-get install postgresql"]
fn postgres_keeps_what_it_committed_through_a_kill_and_a_restart() {
    let mut postgres = server::postgres().expect("postgres starts");
    assert_eq!(sql(&postgres, "show fsync"), "on");
    sql(&postgres, "create table orders (id text primary key)");
    sql(&postgres, "insert into orders values ('order-1')");

    postgres.kill();
    assert!(!psql(&postgres, "select 1").status.success());

    let url = postgres.url().to_owned();
    postgres.restart().expect("postgres recovers");
    assert_eq!(postgres.url(), url);
    assert!(postgres.log().contains("automatic recovery in progress"), "{}", postgres.log());
    assert_eq!(sql(&postgres, "select id from orders"), "order-1");

    postgres.restart().expect("a running server restarts as well");
    assert_eq!(sql(&postgres, "select id from orders"), "order-1");
}

#[test]
#[ignore = "needs postgresql: apt-get install postgresql"]
fn a_paused_postgres_stalls_the_connections_that_it_has() {
    let mut postgres = server::postgres().expect("postgres starts");
    let mut session = session(&postgres);
    query(&mut session, "select 1").expect("it answers");

    postgres.pause();
    session.set_read_timeout(Some(SILENCE)).expect("a valid timeout");
    let error = query(&mut session, "select 2").expect_err("a stopped worker answers nothing");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");

    postgres.resume();
    session.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    assert!(session.read(&mut [0; 64]).is_ok_and(|bytes| bytes > 0), "the stalled query is answered");
    assert_eq!(sql(&postgres, "select 3"), "3");
}

#[test]
#[ignore = "needs postgresql: apt-get install postgresql"]
fn a_killed_postgres_leaves_nothing() {
    let mut postgres = server::postgres().expect("postgres starts");
    let folder = PathBuf::from(sql(&postgres, "show data_directory"));
    let pid = std::fs::read_to_string(folder.join("postmaster.pid")).expect("a running server has its lock file");
    let segment =
        pid.lines().nth(6).and_then(|line| line.split_whitespace().nth(1)).expect("its shared memory").to_owned();
    assert!(shared_memory_segments().contains(&segment));
    postgres.kill();
    drop(postgres);
    assert!(!folder.exists());
    assert!(!shared_memory_segments().contains(&segment));
}

/// One command to Redis on a connection of its own, and the first bytes of the answer.
fn ask(port: u16, command: &str) -> std::io::Result<String> {
    ask_within(PATIENCE, port, command)
}

fn ask_within(patience: Duration, port: u16, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = vec![0; 512];
    let length = stream.read(&mut answer)?;
    answer.truncate(length);
    Ok(String::from_utf8(answer).expect("the answers here are text"))
}

fn redis_folder(port: u16) -> PathBuf {
    let answer = ask(port, "CONFIG GET dir").expect("it answers");
    PathBuf::from(answer.lines().nth(4).expect("the fifth line is the value"))
}

fn psql(server: &Server, statement: &str) -> Output {
    let arguments = ["--no-psqlrc", "--tuples-only", "--no-align", "--command", statement, server.url()];
    Command::new("psql")
        .args(arguments)
        .env("PGCONNECT_TIMEOUT", "20")
        .output()
        .expect("psql is installed with PostgreSQL")
}

fn sql(server: &Server, statement: &str) -> String {
    let output = psql(server, statement);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("psql writes text").trim().to_owned()
}

/// A connection in the wire protocol itself, which a test can leave waiting for an answer.
fn session(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    let startup = b"\0\0\0\x17\0\x03\0\0user\0postgres\0\0";
    stream.write_all(startup).expect("it reads");
    read_until_ready(&mut stream).expect("it lets the superuser in");
    stream
}

fn query(stream: &mut TcpStream, statement: &str) -> std::io::Result<()> {
    let length = u32::try_from(4 + statement.len() + 1).expect("a short statement");
    stream.write_all(&[b"Q", &length.to_be_bytes()[..], statement.as_bytes(), b"\0"].concat())?;
    read_until_ready(stream)
}

/// Reads messages up to the one that says that the server waits for the next query.
fn read_until_ready(stream: &mut TcpStream) -> std::io::Result<()> {
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; length as usize - 4];
        stream.read_exact(&mut body)?;
        match head[0] {
            b'Z' => return Ok(()),
            b'E' => panic!("the server answers {}", String::from_utf8_lossy(&body)),
            _ => {}
        }
    }
}

fn shared_memory_segments() -> Vec<String> {
    let output = Command::new("ipcs").arg("-m").output().expect("ipcs is part of every Debian");
    let text = String::from_utf8(output.stdout).expect("ipcs writes text");
    text.lines().filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned)).collect()
}
