//! Which reconnect schedule a failed link belongs to.

use z4j_core::session::FailureClass;
use z4j_core::transport::TransportErrorKind;
use z4j_core::wire::CloseCode;

/// The class of a dial that failed, or of a link that ended before (`is_live` false) or after hello_ack.
pub(super) fn class_of(kind: &TransportErrorKind, is_live: bool) -> FailureClass {
    match kind {
        TransportErrorKind::Refused(status) => FailureClass::of_http_status(*status),
        TransportErrorKind::Closed(reason) => {
            FailureClass::of_close(CloseCode::from_code(reason.code), is_live)
        }
        // Only other settings help.
        TransportErrorKind::Forbidden => FailureClass::Incompatible,
        _ => FailureClass::Connection,
    }
}
