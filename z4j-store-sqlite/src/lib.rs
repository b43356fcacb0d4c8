//! The z4j store on SQLite: one file, one writer, the embedded default.
