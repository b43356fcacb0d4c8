//! Rebuilds this crate when the dashboard was built anew, and only then.
//!
//! `npm run build` writes a stamp into `crate/`, a folder that always exists; watching `dist/`
//! itself would rebuild everything above on every call while there is no `dist/`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=crate");
}
