//! Reading `[[principal]]`: what is shown is read, and what is bad is named with its place, never with a token.

use super::{complaint, load, with_file};
use crate::admission::{Bearer, Permission, TokenHash};

/// A good principal, to be spoilt.
const NEWSLETTER: &str = r#"
[[principal]]
name = "newsletter"
token_sha256 = "0f343b0931126a20f133d67c2b018a3b1e3b1bd9d0f8f1a6f5d6f2d4c1a9b8e7"

[[principal.grant]]
permissions = ["check", "opt_out"]
namespaces = ["default"]
purposes = ["marketing"]
"#;

#[test]
fn principals_are_read_as_the_example_shows_them() {
    let example = include_str!("../../../deploy/refrain.toml");
    let shown = example.find("# [[principal]]").expect("the example");
    let shown = example[shown..].replace("# ", "").replace('#', "");
    let token = "the token of operations";
    let ours = TokenHash::of(token.as_bytes()).to_hex();
    let old = "b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78";
    assert!(shown.contains(old));
    with_file(&shown.replace(old, &ours), |file| {
        let config = load(&["--config", file], &[]).expect("config");
        assert_eq!(config.principals.len(), 2);
        assert!(!config.principals.overrides_possible());
        let bearer = Bearer::Token(token.as_bytes());
        let caller = config.principals.authenticate(bearer, None, false);
        let caller = caller.expect("known");
        assert_eq!(caller.principal().as_str(), "operations");
        assert!(caller.holds(Permission::Audit) && !caller.holds(Permission::Check));
    });
    assert!(load(&[], &[]).expect("config").principals.is_empty());
}

#[test]
fn a_bad_principal_is_named_with_its_place() {
    let with = |from: &str, to: &str| {
        assert!(NEWSLETTER.contains(from), "{from}");
        with_file(&NEWSLETTER.replace(from, to), |file| {
            let complaint = complaint(&["--config", file], &[]);
            let place = format!("file {file}, key principal");
            assert!(complaint.starts_with(&place), "{complaint}");
            complaint[place.len()..].to_owned()
        })
    };
    for (from, to, said) in [
        (
            "\"opt_out\"",
            "\"optout\"",
            " 1 (`newsletter`), grant 1, permissions: read `optout`; a list of some of check, opt_out,",
        ),
        (
            "[\"check\", \"opt_out\"]",
            "\"check\"",
            " 1 (`newsletter`), grant 1, permissions: not a list; ",
        ),
        (
            "permissions = [\"check\", \"opt_out\"]",
            "",
            " 1 (`newsletter`), grant 1: no permissions; say which",
        ),
        (
            "\"default\"",
            "\"Default\"",
            " 1 (`newsletter`), grant 1, namespaces: read `Default`; ",
        ),
        (
            "[\"default\"]",
            "[]",
            " 1 (`newsletter`), grant 1, namespaces: a list of 0; ",
        ),
        (
            "\"marketing\"",
            "[1]",
            " 1 (`newsletter`), grant 1, purposes: read a table or a list; ",
        ),
        (
            "\"marketing\"",
            "\"marketing.\"",
            " 1 (`newsletter`), grant 1, purposes: read `marketing.`; ",
        ),
        (
            "purposes",
            "purpose",
            " 1 (`newsletter`), grant 1, purpose: no such setting; did you mean `purposes`?",
        ),
        ("name = \"newsletter\"", "", " 1, name: no name; "),
        (
            "\"newsletter\"",
            "\"news letter\"",
            " 1 (`news letter`), name: read `news letter`; ",
        ),
        (
            "\"newsletter\"",
            "\"local\"",
            " 1 (`local`): `local`, `anonymous`, `cluster` and `link` are Refrain's own names; ",
        ),
        (
            "token_sha256 = ",
            "token_sha256s = ",
            " 1 (`newsletter`), token_sha256s: not a list; ",
        ),
        (
            "token_sha256 = ",
            "token = ",
            " 1 (`newsletter`), token: no such setting; the 64 hex digits",
        ),
        (
            "[[principal.grant]]",
            "[principal.grant]",
            " 1 (`newsletter`), grant: not a list of tables; begin each grant",
        ),
        (
            "[[principal]]",
            "[[principal]]\nname = \"newsletter\"\ntoken_sha256s = [\"b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78\"]\n[[principal]]",
            " 2 (`newsletter`): another principal has this name; ",
        ),
        (
            "name",
            "token_sha256s = []\nname",
            " 1 (`newsletter`): token_sha256 and token_sha256s; ",
        ),
    ] {
        let message = with(from, to);
        assert!(message.starts_with(said), "{message}");
    }
    // What was put where a hash belongs may be the token.
    let message = with("0f343b", "secret");
    assert!(
        message.starts_with(" 1 (`newsletter`), token_sha256: read what is no SHA-256; "),
        "{message}"
    );
    assert!(!message.contains("secret"), "{message}");
    let twice = "second\"\ntoken_sha256 = \"0f343b0931126a20f133d67c2b018a3b1e3b1bd9d0f8f1a6f5d6f2d4c1a9b8e7\"\n[[principal]]\nname = \"newsletter";
    let message = with("newsletter", twice);
    assert!(
        message.starts_with(" 2 (`newsletter`): the same token stands twice; "),
        "{message}"
    );
    with_file("principal = \"newsletter\"", |file| {
        let refused = complaint(&["--config", file], &[]);
        assert!(
            refused.contains("key principal: not a list of tables; begin each"),
            "{refused}"
        );
    });
    with_file("[[principals]]\nname = \"x\"", |file| {
        let refused = complaint(&["--config", file], &[]);
        assert!(refused.contains("did you mean `principal`?"), "{refused}");
    });
    // A token in the environment is the client's.
    load(&[], &[("REFRAIN_TOKEN", "secret")]).expect("config");
    let variable = complaint(&[], &[("REFRAIN_PRINCIPAL", "x")]);
    assert!(variable.contains("no such setting"), "{variable}");
}
