//! Links to a brain. The default is a WebSocket; others implement [`z4j_core::transport::Transport`].

mod dial;
mod ws;
mod ws_url;

pub use dial::{ByteStream, Dialler};
pub use ws::WsTransport;
pub(crate) use ws_url::WsUrl;
