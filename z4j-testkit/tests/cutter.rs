//! A session between a real brain and an agent, cut after every byte in both directions. Each test takes every n-th
//! byte, so that they run side by side. Of the agent that delivers as the published ones do, every fourth byte is cut
//! each time and the others with `--include-ignored`: its frames differ from those of the Rust agent in little.
#![cfg(feature = "tcp")]
#![allow(
    clippy::unwrap_used,
    reason = "what a helper of a test cannot do fails the test"
)]

use z4j_testkit::cutter::{ByteCutter, Delivery, Recording, Way};

/// Tests that share the bytes of one direction.
const SHARES: u64 = 4;

fn length(recording: Recording, way: Way) -> u64 {
    match way {
        Way::ToBrain => recording.to_brain,
        Way::ToAgent => recording.to_agent,
    }
}

fn cut_everywhere(delivery: Delivery, way: Way, share: u64) {
    let cutter = ByteCutter::new(delivery);
    let bytes = length(cutter.record().unwrap(), way);
    assert!(bytes > 1_000, "a session of {bytes} bytes");
    let positions = (share..bytes).step_by(usize::try_from(SHARES).unwrap());
    let (mut cuts, mut uncut) = (0_u64, 0);
    cutter
        .cut_each(way, positions, |report| {
            assert!(report.violations.is_empty(), "{report}");
            if report.dials > 1 {
                cuts += 1;
            } else {
                // Lengths differ by a few bytes; a session may end before the byte that it was to be cut after.
                let after = report.cut.unwrap().1;
                assert!(length(report.first_connection, way) <= after, "{report}");
                uncut += 1;
            }
        })
        .unwrap();
    assert!(cuts > 100 && uncut < 10, "{cuts} cuts, {uncut} not");
    println!("{delivery:?} {way:?}: {cuts} of {bytes} bytes");
}

macro_rules! shares {
    ($($(#[$attribute:meta])* $name:ident = $delivery:ident $way:ident $share:literal,)+) => {
        $(#[test]
        $(#[$attribute])*
        fn $name() {
            cut_everywhere(Delivery::$delivery, Way::$way, $share);
        })+
    };
}

shares! {
    rust_agent_cut_after_each_byte_to_the_brain_0 = Rust ToBrain 0,
    rust_agent_cut_after_each_byte_to_the_brain_1 = Rust ToBrain 1,
    rust_agent_cut_after_each_byte_to_the_brain_2 = Rust ToBrain 2,
    rust_agent_cut_after_each_byte_to_the_brain_3 = Rust ToBrain 3,
    rust_agent_cut_after_each_byte_to_the_agent_0 = Rust ToAgent 0,
    rust_agent_cut_after_each_byte_to_the_agent_1 = Rust ToAgent 1,
    rust_agent_cut_after_each_byte_to_the_agent_2 = Rust ToAgent 2,
    rust_agent_cut_after_each_byte_to_the_agent_3 = Rust ToAgent 3,
    stock_agent_cut_after_each_byte_to_the_brain_0 = Stock ToBrain 0,
    #[ignore = "takes long: for cargo xtask soak"]
    stock_agent_cut_after_each_byte_to_the_brain_1 = Stock ToBrain 1,
    #[ignore = "takes long: for cargo xtask soak"]
    stock_agent_cut_after_each_byte_to_the_brain_2 = Stock ToBrain 2,
    #[ignore = "takes long: for cargo xtask soak"]
    stock_agent_cut_after_each_byte_to_the_brain_3 = Stock ToBrain 3,
    stock_agent_cut_after_each_byte_to_the_agent_0 = Stock ToAgent 0,
    #[ignore = "takes long: for cargo xtask soak"]
    stock_agent_cut_after_each_byte_to_the_agent_1 = Stock ToAgent 1,
    #[ignore = "takes long: for cargo xtask soak"]
    stock_agent_cut_after_each_byte_to_the_agent_2 = Stock ToAgent 2,
    #[ignore = "takes long: for cargo xtask soak"]
    stock_agent_cut_after_each_byte_to_the_agent_3 = Stock ToAgent 3,
}

#[test]
fn a_session_that_nobody_cuts_has_the_same_length_every_time() {
    for delivery in [Delivery::Rust, Delivery::Stock] {
        let cutter = ByteCutter::new(delivery);
        assert_eq!(cutter.record().unwrap(), cutter.record().unwrap());
    }
}
