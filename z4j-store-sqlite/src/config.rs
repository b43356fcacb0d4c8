//! What a store needs to know before it opens.

use std::path::PathBuf;

/// Where the database is, and how much of the machine it may use.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SqliteConfig {
    /// The database file; made when it is absent.
    pub path: PathBuf,
    /// Connections that read. Each is one thread.
    pub readers: usize,
    /// Page cache of the writer in KiB; it grows with use only.
    pub writer_cache_kib: u32,
    /// Page cache of each reader in KiB; it grows with use only.
    pub reader_cache_kib: u32,
    /// The write-ahead log is folded into the database once it has this many pages.
    pub checkpoint_pages: u32,
    /// Largest database in pages of 4 KiB; `None` leaves it to the disk.
    pub pages_max: Option<u32>,
}

impl SqliteConfig {
    /// The usual settings for the database at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            readers: 3,
            writer_cache_kib: 64 << 10,
            reader_cache_kib: 16 << 10,
            checkpoint_pages: 32_000,
            pages_max: None,
        }
    }

    /// The same with this many readers, at least one.
    #[must_use]
    pub const fn with_readers(mut self, readers: usize) -> Self {
        self.readers = if readers == 0 { 1 } else { readers };
        self
    }

    /// The same with this page cache for the writer.
    #[must_use]
    pub const fn with_writer_cache_kib(mut self, kib: u32) -> Self {
        self.writer_cache_kib = kib;
        self
    }

    /// The same with this checkpoint interval.
    #[must_use]
    pub const fn with_checkpoint_pages(mut self, pages: u32) -> Self {
        self.checkpoint_pages = pages;
        self
    }

    /// The same with a quota: a write beyond it is refused as [`z4j_core::store::StoreErrorKind::Full`].
    #[must_use]
    pub const fn with_pages_max(mut self, pages: u32) -> Self {
        self.pages_max = Some(pages);
        self
    }
}
