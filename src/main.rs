//! `jobticket-sync`: see the library's documentation.
fn main() {}
