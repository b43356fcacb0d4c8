//! What a line of the list of cases becomes.

/// Makes the public entry of each case and the macro that turns all of them into tests. The functions themselves are
/// private, so a case that is not listed is dead code and does not pass the lints.
macro_rules! cases {
    ($dollar:tt; $($(#[doc = $doc:literal])+ $module:ident :: $name:ident;)+) => {
        /// The cases, for callers of [`crate::store_conformance!`].
        pub mod case {
            use z4j_core::store::Store;

            $(
                $(#[doc = $doc])+
                pub async fn $name(store: &dyn Store) {
                    super::super::$module::$name(store).await;
                }
            )+
        }

        /// Makes one test of each case. `$fresh` is an `async fn() -> Fresh<impl Store>`.
        #[macro_export]
        macro_rules! store_conformance {
            ($dollar fresh:path) => {
                $(
                    $(#[doc = $doc])+
                    #[test]
                    fn $name() {
                        $crate::conformance::run(async {
                            let fresh = $dollar fresh().await;
                            $crate::conformance::case::$name(fresh.part()).await;
                        });
                    }
                )+
            };
        }
    };
}
