//! The list that ships is the one that its generator makes.

#[path = "../../examples/make_suppression_list.rs"]
mod make_suppression_list;

const SHIPPED: &str = include_str!("../../examples/suppression-list.csv");

#[test]
fn the_shipped_list_is_the_generated_one() {
    // No assert_eq: a difference would print a megabyte twice.
    assert!(
        make_suppression_list::suppression_list() == SHIPPED,
        "run `cargo run --example make_suppression_list`"
    );
    assert!(SHIPPED.len() < 2 << 20);
    let rows = SHIPPED.lines().filter(|line| !line.starts_with('#'));
    assert!(rows.count() > 10_000);
    let known = "grace@example.com";
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(known));
    let row = SHIPPED.lines().find(|line| line.starts_with(&hash));
    assert!(row.is_some_and(|row| row.contains(",marketing.email,")));
}
