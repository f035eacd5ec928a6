//! The house rules, held over the whole source tree; each rule is also shown to fail on a bad sample, beside it.
//!
//! Nothing of the product is linked here: the rules read files.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dependencies;
mod documents;
mod imports;
mod mutations;
mod paths;
mod proto;
mod rules;
#[path = "../processes/skip.rs"]
mod skip;
mod source;

use std::fs;

use source::{File, files, has_extension, root, rust_files};

/// Fails with every violation, one a line.
#[track_caller]
fn hold(violations: impl IntoIterator<Item = String>) {
    let violations: Vec<String> = violations.into_iter().collect();
    assert!(violations.is_empty(), "\n  {}\n", violations.join("\n  "));
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

#[test]
fn every_file_opens_with_one_sentence() {
    hold(rust_files().iter().flat_map(rules::opening));
}

#[test]
fn no_file_is_too_long() {
    hold(rust_files().iter().flat_map(rules::length));
}

#[test]
fn names_say_what_is_inside() {
    hold(rust_files().iter().flat_map(rules::name));
}

#[test]
fn rooms_import_only_what_they_may() {
    hold(rust_files().iter().flat_map(imports::violations));
}

#[test]
fn the_client_alone_needs_nothing_of_the_server() {
    let tree = dependencies::of_the_client_alone();
    hold(dependencies::of_the_server(&tree));
}

#[test]
fn the_wall_clock_is_read_in_one_place() {
    hold(rust_files().iter().flat_map(rules::words));
}

#[test]
fn every_channel_is_bounded() {
    hold(rust_files().iter().flat_map(rules::channels));
}

#[test]
fn no_file_names_a_folder_of_a_machine() {
    hold(files().iter().flat_map(rules::machine));
}

#[test]
fn the_contract_explains_itself() {
    let mut files = files();
    files.retain(|file| file.path.starts_with("proto/") && has_extension(&file.path, "proto"));
    assert!(!files.is_empty(), "there are proto files");
    hold(files.iter().flat_map(proto::uncommented));
}

fn markdown() -> Vec<File> {
    let mut files = files();
    files.retain(|file| has_extension(&file.path, "md"));
    files
}

#[test]
fn what_the_documents_link_to_is_there() {
    let exists = |path: &str| root().join(path).exists();
    hold(
        markdown()
            .iter()
            .flat_map(|file| documents::dead_links(file, &exists, &read)),
    );
}

#[test]
fn the_tests_that_the_documents_name_are_there() {
    hold(
        markdown()
            .iter()
            .flat_map(|file| documents::missing_tests(file, &read)),
    );
}

#[test]
fn the_example_configuration_shows_every_setting() {
    let layers = read("src/config/layers.rs").expect("the settings");
    let example = read("deploy/refrain.toml").expect("the example");
    let principals = read("src/config/principals.rs").expect("the settings of principals");
    for (source, table) in [
        (&layers, "KEYS"),
        (&layers, "TABLES"),
        (&principals, "PRINCIPAL_KEYS"),
        (&principals, "GRANT_KEYS"),
    ] {
        hold(documents::undocumented_settings(source, table, &example));
    }
}

fn breaks_on_purpose() -> Vec<File> {
    let mut files = files();
    files.retain(|file| {
        file.path.starts_with("tests/mutations/") && has_extension(&file.path, "patch")
    });
    files
}

#[test]
fn breaks_on_purpose_say_who_notices_them() {
    let patches = breaks_on_purpose();
    hold(
        patches
            .iter()
            .flat_map(|patch| mutations::malformed(patch, &read)),
    );
    hold(mutations::never_shown(&patches));
}

#[test]
fn breaks_on_purpose_still_fit() {
    let misfits = breaks_on_purpose().into_iter();
    let misfits = misfits.map(|patch| mutations::misfit(&patch, root()));
    match misfits.collect::<Result<Vec<_>, _>>() {
        Ok(misfits) => hold(misfits.into_iter().flatten()),
        Err(why) => skip::skip("git", &format!("no patch can be tried: {why}")),
    }
}
