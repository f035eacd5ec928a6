//! Colour where a terminal shows it, tables, and how numbers, sizes and times are written for people.

use std::{fmt::Display, io::IsTerminal, time::Duration};

use comfy_table::{Attribute, Cell, Color, Table, presets};
use prost_types::Timestamp;

/// What a text is to convey beyond its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    Plain,
    /// All is well.
    Good,
    /// Something is wrong.
    Bad,
    /// Of lesser interest.
    Dim,
    /// Of more interest.
    Bold,
}

/// Whether and how texts are coloured.
#[derive(Debug, Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    /// Colours what goes to a terminal, unless the environment says `NO_COLOR` or names a terminal that has none.
    pub fn of(to: &impl IsTerminal) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self(to.is_terminal() && !set("NO_COLOR") && !dumb)
    }

    /// The text in a tone.
    pub fn text(self, tone: Tone, text: impl Display) -> String {
        let code = match tone {
            _ if !self.0 => return text.to_string(),
            Tone::Plain => return text.to_string(),
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Dim => "2",
            Tone::Bold => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A line beneath a result: a name and its value.
    pub fn fact(self, name: &str, value: impl Display) -> String {
        format!("  {} {value}", self.text(Tone::Dim, format!("{name:<10}")))
    }

    /// Begins a table without frames.
    pub fn table<const N: usize>(self, header: [&str; N]) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        if self.0 {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(header.map(|title| cell(Tone::Dim, title)));
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 1));
        }
        table
    }
}

/// A cell of a table, in a tone.
pub fn cell(tone: Tone, text: impl ToString) -> Cell {
    let cell = Cell::new(text);
    match tone {
        Tone::Plain => cell,
        Tone::Good => cell.fg(Color::Green),
        Tone::Bad => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Tone::Dim => cell.add_attribute(Attribute::Dim),
        Tone::Bold => cell.add_attribute(Attribute::Bold),
    }
}

/// A text that somebody else wrote, without what would steer the terminal.
pub fn foreign(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

/// A number in groups of three: `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes: `12.3 MiB`.
pub fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// A span of time with three digits or so: `340 ms`, `1.24 s`, `2 min 5 s`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 {
        format!("{} ms", time.as_millis())
    } else if seconds < 60.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60)
    }
}

/// A time in RFC 3339, or nothing.
pub fn moment(time: Option<&Timestamp>) -> String {
    time.map(ToString::to_string).unwrap_or_default()
}

/// What the wire calls `REASON_OPTED_OUT` is `OPTED_OUT` to people and in JSON.
pub fn word<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
        assert_eq!(span(Duration::from_millis(340)), "340 ms");
        assert_eq!(span(Duration::from_millis(1_240)), "1.24 s");
        assert_eq!(span(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(size(0), "0 B");
        assert_eq!(word("REASON_OPTED_OUT", "REASON_"), "OPTED_OUT");
    }

    #[test]
    fn what_others_wrote_does_not_steer_the_terminal() {
        let steering = foreign("a\x1b[2K\rb\n\u{9b}0mc \u{e9}");
        assert!(!steering.chars().any(char::is_control), "{steering}");
        assert!(steering.starts_with('a') && steering.ends_with("c \u{e9}"));
    }

    #[test]
    fn tables_without_a_terminal_hold_no_colour() {
        let mut table = Paint(false).table(["A", "B"]);
        table.add_row([cell(Tone::Bad, "x"), cell(Tone::Good, "y")]);
        assert!(!table.trim_fmt().contains('\x1b'));
        assert_eq!(Paint(false).text(Tone::Bad, "x"), "x");
    }
}
