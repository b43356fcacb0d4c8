//! Hands the embedded dashboard to the brain.

use std::borrow::Cow;

use z4j_brain::{Dashboard, DashboardAsset};

/// The dashboard that was built into this binary.
#[derive(Debug)]
pub(crate) struct EmbeddedDashboard;

impl Dashboard for EmbeddedDashboard {
    fn asset(&self, path: &str) -> Option<DashboardAsset> {
        let asset = z4j_ui::asset(path)?;
        Some(DashboardAsset {
            bytes: asset.bytes,
            content_type: asset.content_type,
            etag: asset.etag,
            immutable: asset.immutable,
            brotli: asset.brotli,
            gzip: asset.gzip,
        })
    }

    fn shell(&self, nonce: &str) -> String {
        z4j_ui::shell(nonce)
    }

    fn script_hashes(&self) -> &[String] {
        z4j_ui::script_hashes()
    }

    fn shell_below(&self, base: &str, nonce: &str) -> String {
        z4j_ui::shell_below(base, nonce)
    }

    fn script_hashes_below(&self, base: &str) -> Cow<'_, [String]> {
        z4j_ui::script_hashes_below(base)
    }
}
