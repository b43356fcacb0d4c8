//! The WebSocket transport keeps what the testkit asks of every transport. The accepting end is the testkit's.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use z4j_agent::transport::WsTransport;
use z4j_core::transport::{Acceptor, Endpoint, FrameSource, Link, Transport, TransportError};
use z4j_testkit::Fresh;
use z4j_testkit::suite::transport::{TransportRig, WsAcceptor};

#[derive(Debug)]
struct Rig {
    transport: WsTransport,
    acceptor: WsAcceptor,
    deserted: String,
}

#[async_trait]
impl TransportRig for Rig {
    fn transport(&self) -> &dyn Transport {
        &self.transport
    }

    fn acceptor(&self) -> &dyn Acceptor {
        &self.acceptor
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.acceptor.url(), "a token")
    }

    fn deserted_endpoint(&self) -> Endpoint {
        Endpoint::new(self.deserted.as_str(), "a token")
    }
}

async fn rig() -> Rig {
    let left = WsAcceptor::bind().await.unwrap();
    let deserted = left.url().to_owned();
    drop(left);
    Rig {
        transport: WsTransport::new(false),
        acceptor: WsAcceptor::bind().await.unwrap(),
        deserted,
    }
}

async fn fresh() -> Fresh<Rig> {
    Fresh::new(rig().await)
}

z4j_testkit::transport_conformance!(fresh);

/// Takes a frame and then does something else before it hands it over: a wait that is given up there loses the frame.
#[derive(Debug)]
struct Forgetful(Rig);

#[derive(Debug)]
struct ForgetfulSource(Box<dyn FrameSource>);

#[async_trait]
impl FrameSource for ForgetfulSource {
    async fn recv(&mut self) -> Result<Option<Bytes>, TransportError> {
        let frame = self.0.recv().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        frame
    }
}

#[async_trait]
impl Acceptor for Forgetful {
    async fn accept(&self) -> Result<Link, TransportError> {
        let link = self.0.acceptor.accept().await?;
        Ok(Link {
            source: Box::new(ForgetfulSource(link.source)),
            ..link
        })
    }
}

#[async_trait]
impl TransportRig for Forgetful {
    fn transport(&self) -> &dyn Transport {
        self.0.transport()
    }

    fn acceptor(&self) -> &dyn Acceptor {
        self
    }

    fn endpoint(&self) -> Endpoint {
        self.0.endpoint()
    }

    fn deserted_endpoint(&self) -> Endpoint {
        self.0.deserted_endpoint()
    }
}

#[test]
#[should_panic(expected = "a wait that was given up loses no frame")]
fn transport_that_is_not_cancel_safe_fails_the_suite() {
    z4j_testkit::conformance::run(async {
        let rig = Forgetful(rig().await);
        z4j_testkit::suite::transport::case::receiving_is_cancel_safe(&rig).await;
    });
}
