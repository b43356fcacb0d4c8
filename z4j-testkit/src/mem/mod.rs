//! The reference store: every trait of the store seam over plain maps, to read and to test against.
