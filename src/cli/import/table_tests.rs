//! The CSV reader against good, odd and broken files.

use refrain::proto::v1::{Identifier, identifier::Form};

use super::*;

fn read(text: &[u8], defaults: &[&str]) -> Vec<Line> {
    let defaults = defaults.iter().map(ToString::to_string).collect();
    let mut table = Table::open(text, defaults).unwrap();
    std::iter::from_fn(|| table.next().unwrap()).collect()
}

fn refusals(lines: &[Line]) -> Vec<(u64, &str)> {
    let refused = |it: &Line| matches!(it, Line::Refused(_));
    assert!(lines.iter().any(refused));
    lines
        .iter()
        .filter_map(|it| match it {
            Line::Refused(it) => Some((it.line, it.reason.as_str())),
            Line::Row(..) => None,
        })
        .collect()
}

fn value(kind: &str, value: &str) -> Identifier {
    identifier::value(kind, value)
}

#[test]
fn all_columns_are_understood_in_any_order_and_others_ignored() {
    let digits = "0f".repeat(32);
    let text = format!(
        "\u{feff}# made by hand\r\n\r\npurposes, Source ,email,ID,sha256_phone\r\n\
         marketing.email;sale  sale,crm,ada@example.com,account:a:b,{digits}\r\n"
    );
    let lines = read(text.as_bytes(), &[]);
    let [Line::Row(4, row)] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(row.purposes, ["marketing.email", "sale"]);
    assert_eq!(
        row.identifiers[..2],
        [value("email", "ada@example.com"), value("account", "a:b")]
    );
    assert_eq!(row.identifiers[2].form, Some(Form::Sha256(vec![0x0f; 32])));
    let table = Table::open(text.as_bytes(), Vec::new()).unwrap();
    assert_eq!(table.columns.ignored, ["Source"]);
}

#[test]
fn a_broken_line_costs_itself_alone() {
    let long = "x".repeat(LINE_BYTES_MAX + 10);
    let mut text = b"email,purposes\n".to_vec();
    text.extend(b"a@example.com,sale\n"); // 2
    text.extend(b"a@example.com\n"); // 3: too few
    text.extend(b"a@example.com,sale,x\n"); // 4: too many
    text.extend(b"\"a@example.com,sale\n"); // 5: an open quotation mark
    text.extend(b"\xff\xfe@example.com,sale\n"); // 6: not UTF-8
    text.extend(format!("{long}\n").into_bytes()); // 7: too long
    text.extend(b",sale\n"); // 8: nobody
    text.extend(b"a@example.com,\n"); // 9: nothing
    text.extend(b"# a@example.com,sale\n"); // 10: a comment
    text.extend(b"\"b@example.com\",\"sale\""); // 11, and no end of line
    let lines = read(&text, &[]);
    let expected = [
        (3, "ROW_FIELD_COUNT"),
        (4, "ROW_FIELD_COUNT"),
        (5, "ROW_QUOTE_OPEN"),
        (6, "ROW_NOT_UTF8"),
        (7, "ROW_TOO_LONG"),
        (8, "ROW_WITHOUT_IDENTIFIER"),
        (9, "ROW_WITHOUT_PURPOSE"),
    ];
    assert_eq!(refusals(&lines), expected);
    assert!(matches!(lines.first(), Some(Line::Row(2, _))));
    let Some(Line::Row(11, last)) = lines.last() else {
        panic!("{lines:?}");
    };
    assert_eq!(last.identifiers, [value("email", "b@example.com")]);
}

#[test]
fn bad_identifiers_are_refused_and_not_repeated() {
    let text = b"id,sha256_email,purposes\nsecret,,sale\n,abc,sale\n,zz,sale\n";
    let lines = read(text, &[]);
    assert_eq!(refusals(&lines).len(), 3);
    assert!(!format!("{lines:?}").contains("secret"));
}

#[test]
fn the_default_purpose_fills_what_is_missing() {
    let lines = read(b"email\na@example.com\n", &["sale"]);
    assert!(matches!(&lines[..], [Line::Row(2, row)] if row.purposes == ["sale"]));
    let lines = read(
        b"email,purposes\na@example.com,\nb@example.com,sharing\n",
        &["sale"],
    );
    let purposes: Vec<&str> = lines
        .iter()
        .map(|it| match it {
            Line::Row(_, row) => row.purposes[0].as_str(),
            Line::Refused(_) => "refused",
        })
        .collect();
    assert_eq!(purposes, ["sale", "sharing"]);
}

#[test]
fn a_file_without_a_usable_header_says_so_without_repeating_it() {
    let files: [&[u8]; 7] = [
        b"",
        b"# only a comment\n",
        b"ada@example.com,sale\n",
        b"email;purposes\n",
        b"email,purposes,email\n",
        b"\"email,purposes\n",
        b"email\n",
    ];
    for file in files {
        let Err(error) = Table::open(file, Vec::new()) else {
            panic!("{file:?} was taken");
        };
        assert!(!error.to_string().contains("ada@example.com"), "{error}");
    }
    let long = "x".repeat(LINE_BYTES_MAX * 2);
    assert!(Table::open(long.as_bytes(), Vec::new()).is_err());
}

#[test]
fn a_line_of_exactly_the_limit_is_read() {
    let mut text = b"email,purposes\n".to_vec();
    let tail = b",sale\n";
    text.extend(vec![b'x'; LINE_BYTES_MAX + 1 - tail.len()]);
    text.extend(tail);
    assert!(matches!(&read(&text, &[])[..], [Line::Row(2, _)]));
}

#[test]
fn every_kept_table_holds() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/tables");
    let inputs: Vec<_> = std::fs::read_dir(corpus).unwrap().collect();
    assert!(!inputs.is_empty());
    for input in inputs {
        let path = input.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let held = std::panic::catch_unwind(|| tables(&bytes));
        assert!(held.is_ok(), "{} does not hold", path.display());
    }
}
