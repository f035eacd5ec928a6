//! The pages that a link shows: plain HTML, readable on a phone, without a script and without a word about the person.

use std::sync::LazyLock;

use axum::http::{HeaderName, HeaderValue, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::domain::PurposeName;

/// What RFC 8058 has a mail program send, and what the page's button sends.
pub(super) const FIELD: &str = "List-Unsubscribe";
/// The field's value.
pub(super) const VALUE: &str = "One-Click";

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5a6475; --ground: #f3f4f7; --card: #fff; --line: #dfe3ea; --act: #1d4ed8; --on: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf1; --soft: #a3adbd; --ground: #12151b; --card: #1b2028; --line: #2f3743; --act: #7ea6ff; --on: #0e1526; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--ground); color: var(--ink); font: 1.0625rem/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; }
main { width: 100%; max-width: 27rem; padding: 2rem 1.75rem; background: var(--card); border: 1px solid var(--line); border-radius: 14px; }
h1 { margin: 0 0 .6rem; font-size: 1.5rem; line-height: 1.25; letter-spacing: -.01em; }
p { margin: 0 0 1rem; }
ul { margin: 0 0 1.5rem; padding: 0; list-style: none; border-top: 1px solid var(--line); }
li { padding: .7rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
li small { display: block; color: var(--soft); font-size: .875rem; }
button { width: 100%; padding: .85rem 1rem; border: 0; border-radius: 9px; background: var(--act); color: var(--on); font: inherit; font-weight: 600; cursor: pointer; }
button:hover { filter: brightness(1.08); }
button:focus-visible { outline: 3px solid var(--act); outline-offset: 3px; }
.note { margin: 1rem 0 0; color: var(--soft); font-size: .9375rem; }
";

/// Nothing is loaded, nothing runs, nobody frames it, and its form goes back to where it came from.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
});

/// What every answer of a link carries, page or not.
pub(super) const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        HeaderName::from_static("x-robots-tag"),
        HeaderValue::from_static("noindex"),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
];

/// Purposes with what they mean.
pub(super) type Purposes = [(PurposeName, String)];

/// Asks whether it is meant: whoever only opens a link, a scanner above all, changes nothing.
pub(super) fn confirm(purposes: &Purposes) -> Markup {
    page(
        "Unsubscribe?",
        &html! {
            p { "Confirm, and your data will no longer be used for:" }
            (list(purposes))
            (button("Unsubscribe"))
        },
    )
}

/// Says that it is done.
pub(super) fn done(purposes: &Purposes) -> Markup {
    page(
        "You are unsubscribed",
        &html! {
            p { "From now on your data is not to be used for:" }
            (list(purposes))
            p.note { "You can close this page." }
        },
    )
}

/// Says that the link is none.
pub(super) fn unknown() -> Markup {
    page(
        "This link does not work",
        &html! {
            p { "It may have been cut off or changed on its way. Nothing was changed." }
            p.note { "Open it again from the message, or copy it whole." }
        },
    )
}

/// Says that all that the link was for has become essential.
pub(super) fn essential() -> Markup {
    page(
        "Nothing to unsubscribe from",
        &html! {
            p { "These messages, such as legal notices, are now sent to everybody whom they concern. Nothing was changed." }
        },
    )
}

/// Says that the request was none that a page of ours sends.
pub(super) fn refused() -> Markup {
    page(
        "That did not work",
        &html! {
            p { "Nothing was changed." }
            p.note { "Open the link from the message again, and press the button there." }
        },
    )
}

/// Says that it cannot be told now; a second try does no harm, whatever became of the first.
pub(super) fn later() -> Markup {
    page(
        "Please try again",
        &html! {
            p { "Your choice could not be confirmed just now. Wait a moment, then press the button again." }
            (button("Unsubscribe"))
        },
    )
}

fn list(purposes: &Purposes) -> Markup {
    html! {
        ul {
            @for (name, meaning) in purposes {
                li {
                    @if name.is_root() {
                        "Everything that is not essential"
                    } @else if meaning.is_empty() {
                        (name.as_str())
                    } @else {
                        (meaning)
                        small { (name.as_str()) }
                    }
                }
            }
        }
    }
}

/// The form goes to the page's own address, wherever a proxy has put it.
fn button(label: &str) -> Markup {
    html! {
        form method="post" {
            input type="hidden" name=(FIELD) value=(VALUE);
            button type="submit" { (label) }
        }
    }
}

fn page(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    (content)
                }
            }
        }
    }
}
