//! Makes `examples/suppression-list.csv`, byte for byte the same each time: `cargo run --example make_suppression_list`.

use std::{collections::HashSet, fmt::Write as _};

use sha2::{Digest as _, Sha256};

/// How many rows the list has.
const ROWS: u64 = 12_000;

/// Each so many rows, an earlier address comes again: real lists hold such rows.
const REPEAT_EVERY: u64 = 400;

/// The row of the address that the demonstration asks for.
const KNOWN: (u64, &str) = (7_331, "grace@example.com");

/// The days, counted from 1970-01-01, of the first and of the last row.
const DAYS: (u64, u64) = (18_628, 20_453);

const FIRST: [&str; 40] = [
    "aiko", "alma", "amir", "anna", "bela", "carlos", "chloe", "daniel", "dina", "elif", "emma",
    "farid", "fiona", "gita", "hugo", "ines", "ivan", "jana", "joao", "kemal", "lea", "liam",
    "lucia", "maja", "marek", "mei", "nadia", "noah", "olga", "omar", "paula", "quinn", "rosa",
    "sami", "sofia", "tariq", "uma", "viktor", "wanda", "yusuf",
];

const LAST: [&str; 40] = [
    "almeida", "andersen", "bauer", "becker", "bianchi", "brown", "chen", "costa", "dubois",
    "eriksson", "ferrari", "fischer", "garcia", "haas", "ivanova", "jensen", "kaya", "keller",
    "kowalski", "kumar", "larsen", "lopez", "martin", "meyer", "moreau", "nagy", "nakamura",
    "novak", "okafor", "olsen", "petrov", "popescu", "rossi", "santos", "schmidt", "silva",
    "smith", "tanaka", "virtanen", "weber",
];

/// Domains that RFC 2606 keeps free: no address of this list is anybody's.
const DOMAINS: [&str; 6] = [
    "example.com",
    "example.net",
    "example.org",
    "mail.example.com",
    "post.example.net",
    "inbox.example.org",
];

/// What people opted out of, and how many of a hundred did so.
const PURPOSES: [(u64, &str); 6] = [
    (68, "marketing.email"),
    (13, "marketing.email;personalization"),
    (8, "marketing.email;advertising.targeted"),
    (5, "sale;sharing"),
    (3, "marketing.email;marketing.sms;marketing.phone"),
    (3, "*"),
];

const SOURCES: [(u64, &str); 5] = [
    (55, "unsubscribe_link"),
    (20, "preference_center"),
    (15, "list_unsubscribe"),
    (7, "complaint"),
    (3, "support_ticket"),
];

const HEADER: &str = "\
# A suppression list as an e-mail service would hand it over: hashed addresses of people who opted out.
# Nobody real: made by `cargo run --example make_suppression_list` from a fixed seed, out of invented names at the
# domains that RFC 2606 keeps free. One of the addresses is grace@example.com.
# sha256_email is the SHA-256 of the address, trimmed and in lower case. collected_at and source are not imported.
sha256_email,purposes,collected_at,source
";

/// The whole file.
pub fn suppression_list() -> String {
    let mut random = Random(0x5245_4652_4149_4e00);
    let mut taken: HashSet<String> = HashSet::from([KNOWN.1.to_owned()]);
    let mut hashes: Vec<String> = Vec::new();
    let mut text = HEADER.to_owned();
    for row in 0..ROWS {
        let hash = if row % REPEAT_EVERY == REPEAT_EVERY - 1 {
            hashes[usize::try_from(random.below(row)).unwrap_or(0)].clone()
        } else if row == KNOWN.0 {
            sha256(KNOWN.1)
        } else {
            let mut address = random.address();
            while !taken.insert(address.clone()) {
                address = random.address();
            }
            sha256(&address)
        };
        let purposes = random.weighted(&PURPOSES);
        // The known address stands for the plainest wish.
        let purposes = if row == KNOWN.0 {
            PURPOSES[0].1
        } else {
            purposes
        };
        let day = DAYS.0 + row * (DAYS.1 - DAYS.0) / ROWS;
        let source = random.weighted(&SOURCES);
        let _ = writeln!(text, "{hash},{purposes},{},{source}", date(day));
        hashes.push(hash);
    }
    text
}

/// `SplitMix64`: short, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.below(all.len() as u64)).unwrap_or(0)]
    }

    fn weighted<'a>(&mut self, all: &[(u64, &'a str)]) -> &'a str {
        let mut left = self.below(100);
        for &(weight, text) in all {
            if left < weight {
                return text;
            }
            left -= weight;
        }
        all[0].1
    }

    fn address(&mut self) -> String {
        let (first, last, domain) = (self.of(&FIRST), self.of(&LAST), self.of(&DOMAINS));
        let number = self.below(90) + 10;
        match self.below(5) {
            0 => format!("{first}.{last}@{domain}"),
            1 => format!("{}{last}@{domain}", &first[..1]),
            2 => format!("{first}_{last}{number}@{domain}"),
            3 => format!("{first}{number}@{domain}"),
            _ => format!("{first}.{last}{number}@{domain}"),
        }
    }
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// The date of a day counted from 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn date(day: u64) -> String {
    let z = day + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[allow(dead_code)] // A test takes this file in and calls only the above.
fn main() -> std::io::Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/suppression-list.csv");
    std::fs::write(path, suppression_list())
}
