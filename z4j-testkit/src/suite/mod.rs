//! What every engine adapter, transport and redactor must do, as named test cases.
//!
//! Each suite asks for a *rig*: the part under test together with the means to make something happen to it. A suite is
//! used like the one for stores:
//!
//! ```
//! // tests/conformance.rs
//! use z4j_core::redact::DefaultRedactor;
//! use z4j_testkit::Fresh;
//!
//! async fn fresh() -> Fresh<DefaultRedactor> {
//!     Fresh::new(DefaultRedactor::strict())
//! }
//! z4j_testkit::redactor_conformance!(fresh);
//! # fn main() {}
//! ```

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a case is a test: it says what is wrong by panicking"
)]

/// Makes the public entry of each case of one suite, and the macro that turns all of them into tests. The functions
/// themselves are private, so a case that is not listed is dead code and does not pass the lints.
macro_rules! suite {
    ($dollar:tt; $macro:ident of $part:ty, in $home:ident; $($(#[doc = $doc:literal])+ $module:ident :: $name:ident;)+) => {
        /// The cases, each for one fresh part.
        pub mod case {
            use super::*;

            $(
                $(#[doc = $doc])+
                pub async fn $name(part: &$part) {
                    super::$module::$name(part).await;
                }
            )+
        }

        /// Makes one test of each case. `$fresh` is an `async fn` that gives a `z4j_testkit::Fresh` with the part.
        #[macro_export]
        macro_rules! $macro {
            ($dollar fresh:path) => {
                $(
                    $(#[doc = $doc])+
                    #[test]
                    fn $name() {
                        $crate::conformance::run(async {
                            let fresh = $dollar fresh().await;
                            $crate::suite::$home::case::$name(fresh.part()).await;
                        });
                    }
                )+
            };
        }
    };
}

pub mod engine;
pub mod redactor;
pub mod transport;
