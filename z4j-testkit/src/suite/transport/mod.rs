//! What every transport must do. The part under test is a [`TransportRig`]: both ends of it.

mod ends;
mod frames;
mod rig;
mod ws;

pub use rig::TransportRig;
pub use ws::WsAcceptor;

suite! {$;
    transport_conformance of dyn TransportRig, in transport;
    /// Frames arrive whole and in order, in both directions.
    frames::frames_arrive_whole_and_in_order;
    /// A frame of the largest size passes.
    frames::largest_frame_passes;
    /// Bytes of any value pass unchanged.
    frames::any_bytes_pass;
    /// Frames of both directions do not wait for each other.
    frames::directions_are_independent;
    /// A wait that is given up loses no frame.
    frames::receiving_is_cancel_safe;
    /// What an end that does not read is sent waits at the sender and is not piled up without bound.
    frames::unread_frames_hold_the_sender_up;
    /// Links do not mix their frames.
    frames::links_do_not_mix;
    /// The accepting end learns why the dialling end closed, or at least that it did.
    ends::dialling_end_closes;
    /// The dialling end learns the code with which the accepting end closed.
    ends::accepting_end_closes_with_its_code;
    /// Frames sent before a close arrive before it.
    ends::frames_before_a_close_arrive;
    /// An end that is dropped without a word ends the other one.
    ends::dropped_end_is_noticed;
    /// A link that is closed takes no frame.
    ends::closed_link_takes_no_frame;
    /// Dialling where nobody listens fails as unreachable.
    ends::dialling_nobody_is_unreachable;
}
