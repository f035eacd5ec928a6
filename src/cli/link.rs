//! `refrain link`: a signed link for one-click unsubscribe, and the two headers that put it into a mail.

use clap::Args;
use refrain::proto::v1::CreateLinkRequest;
use serde_json::json;

use super::{client::ClientArgs, exit, failure::Failure, output::Output, subject::SubjectArgs};

/// The flags of `link`.
#[derive(Debug, Args)]
pub struct LinkArgs {
    #[command(flatten)]
    subject: SubjectArgs,

    /// What following the link opts out of, such as marketing.email; up to 8
    #[arg(long, value_name = "PURPOSE", required = true)]
    purpose: Vec<String>,

    /// The public address under which the people who get the mail reach a node, such as <https://optout.example.com>
    #[arg(long, value_name = "URL", value_parser = parse_base)]
    base: Option<String>,
}

/// Makes a link and prints it.
pub async fn run(args: &LinkArgs, client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    let request = CreateLinkRequest {
        identifiers: args.subject.identifiers()?,
        purposes: args.purpose.clone(),
        ..Default::default()
    };
    let path = client.client()?.create_link(request).await?.path;
    let Some(base) = &args.base else {
        output.note("put your public address before it, or give that with --base");
        output.result(|| path.clone(), &json!({ "path": path }))?;
        return Ok(exit::OK);
    };
    let url = format!("{base}{path}");
    if base.starts_with("http:") {
        output.note("mail programs follow links of https alone");
    }
    let headers = [
        ("List-Unsubscribe", format!("<{url}>")),
        (
            "List-Unsubscribe-Post",
            "List-Unsubscribe=One-Click".to_owned(),
        ),
    ];
    let text = || {
        let lines = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"));
        [url.clone(), String::new()]
            .into_iter()
            .chain(lines)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let named: serde_json::Map<_, _> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
        .collect();
    let json = json!({ "path": path, "url": url, "headers": named });
    output.result(text, &json)?;
    Ok(exit::OK)
}

/// Reads an address that a path can be put behind.
fn parse_base(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let whole = |rest: &str| {
        !rest.is_empty()
            && !rest.starts_with('/')
            // What would end the address, or the header that it stands in.
            && rest.bytes().all(|b| b.is_ascii_graphic() && !b"?#<>\"\\".contains(&b))
    };
    if rest.is_some_and(whole) {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("give an address such as https://optout.example.com".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_an_address_that_a_path_can_follow() {
        assert_eq!(
            parse_base("https://a.example/").as_deref(),
            Ok("https://a.example")
        );
        assert_eq!(
            parse_base("http://127.0.0.1:7400/x").as_deref(),
            Ok("http://127.0.0.1:7400/x")
        );
        for wrong in [
            "",
            "a.example",
            "ftp://a",
            "https://",
            "https:///u",
            "https://a?b",
            "https://a#b",
            "https://a>, <https://b",
            "https://a b",
            "https://a\nBcc: x",
        ] {
            assert!(parse_base(wrong).is_err(), "{wrong}");
        }
    }
}
