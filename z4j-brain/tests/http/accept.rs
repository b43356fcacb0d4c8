//! The accept loop, over real sockets.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use z4j_brain::access::PasswordSignIn;

use crate::site::{ADMIN, Site, config};

const WAIT: Duration = Duration::from_secs(20);

struct Server {
    site: Site,
    address: std::net::SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

async fn server() -> Server {
    let site = Site::idle(config(), PasswordSignIn::new(), |builder| builder);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(z4j_brain::serve(listener, site.brain.clone(), stop.clone()));
    Server {
        site,
        address,
        stop,
        serving,
    }
}

async fn ask(stream: &mut TcpStream, path: &str, more: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    while !text.contains("\r\n\r\n") {
        let mut bytes = [0; 4096];
        let read = timeout(WAIT, stream.read(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        assert!(read > 0, "the connection ended: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    text
}

#[tokio::test]
async fn one_connection_takes_several_requests() {
    let server = server().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..3 {
        assert!(
            ask(&mut stream, "/health", "")
                .await
                .starts_with("HTTP/1.1 200 ")
        );
    }
}

#[tokio::test]
async fn slowloris_a_peer_that_says_nothing_is_let_go() {
    let server = server().await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let began = tokio::time::Instant::now();
    let mut rest = Vec::new();
    timeout(WAIT, silent.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert!(rest.is_empty());
    assert!(
        began.elapsed() >= Duration::from_secs(4),
        "it had five seconds"
    );
}

#[tokio::test]
async fn slowloris_headers_that_never_end_are_cut_off() {
    let server = server().await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET /health HTTP/1.1\r\nhost: local")
        .await
        .unwrap();
    let mut rest = Vec::new();
    timeout(WAIT, slow.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
}

#[tokio::test]
async fn a_stop_ends_streams_and_idle_connections_and_then_returns() {
    let server = server().await;
    server
        .site
        .operator()
        .bootstrap_admin(ADMIN, &crate::site::password())
        .await
        .unwrap();
    let cookie = server.site.sign_in(ADMIN).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    ask(&mut idle, "/health", "").await;
    let mut live = TcpStream::connect(server.address).await.unwrap();
    let headers = format!("cookie: {cookie}\r\n");
    let head = ask(&mut live, "/api/v1/projects/default/stream", &headers).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    server.stop.cancel();
    timeout(Duration::from_secs(8), server.serving)
        .await
        .expect("well within ten seconds")
        .unwrap()
        .unwrap();
    let mut rest = Vec::new();
    timeout(WAIT, live.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}
