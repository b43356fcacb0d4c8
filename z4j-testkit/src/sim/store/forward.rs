//! The traits of the store seam for a store with hooks. Every method is named, so that none is passed over.

mod data;
mod fleet;
mod people;
mod work;
