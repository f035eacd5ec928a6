//! The paths of C2SP tlog-tiles: `tile/<level>/<number>[.p/<width>]` and `tile/entries/<number>[.p/<width>]`.

/// How many hashes make a tile, and how many events a bundle.
pub const WIDTH: u64 = 256;

/// The highest level that a tile can have: above it no tree of 2^64 leaves goes.
pub const LEVELS: u8 = 7;

/// A number in path elements of three digits; all but the last begin with an `x`.
pub fn index(number: u64) -> String {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

/// What lies at a path below `tile/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    /// The level of a hash tile; none for a bundle of entries.
    pub level: Option<u8>,
    /// Its number, from 0.
    pub number: u64,
    /// How many hashes or entries it holds: 1 to 256, and 256 for a full one.
    pub width: u16,
}

impl Resource {
    /// Whether it holds all that it ever will.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == WIDTH
    }

    /// Its path below the log's prefix.
    pub fn path(&self) -> String {
        let kind = self
            .level
            .map_or("entries".to_owned(), |level| level.to_string());
        let index = index(self.number);
        if self.is_full() {
            format!("tile/{kind}/{index}")
        } else {
            format!("tile/{kind}/{index}.p/{}", self.width)
        }
    }

    /// Reads a path below the log's prefix. There is one path for each resource: any other is none.
    pub fn parse(path: &str) -> Option<Self> {
        let (kind, index) = path.strip_prefix("tile/")?.split_once('/')?;
        let level = match kind {
            "entries" => None,
            digits => Some(digits.parse().ok().filter(|level| *level <= LEVELS)?),
        };
        let (index, width) = match index.split_once(".p/") {
            None => (index, 256),
            Some((index, width)) => (
                index,
                width.parse().ok().filter(|it| (1..256).contains(it))?,
            ),
        };
        let mut number = 0_u64;
        for part in index.split('/') {
            let digits = part.strip_prefix('x').unwrap_or(part);
            let part: u64 = digits.parse().ok()?;
            number = number.checked_mul(1000)?.checked_add(part)?;
        }
        let read = Self {
            level,
            number,
            width,
        };
        (read.path() == path).then_some(read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_written_as_the_specification_has_it() {
        for (number, path) in [
            (0, "000"),
            (67, "067"),
            (999, "999"),
            (1000, "x001/000"),
            (1_234_067, "x001/x234/067"),
            (u64::MAX, "x018/x446/x744/x073/x709/x551/615"),
        ] {
            assert_eq!(index(number), path);
        }
    }

    #[test]
    fn there_is_one_path_for_each_resource() {
        for wrong in [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/8/000",
            "tile/00/000",
            "tile/+1/000",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x001/x000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p",
            "tile/0/000/",
            "tile/entries/../000",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(Resource::parse(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn a_path_is_read_back(level in proptest::option::of(0..=LEVELS), number: u64, width in 1..=256_u16) {
            let resource = Resource { level, number, width };
            prop_assert_eq!(Resource::parse(&resource.path()), Some(resource));
        }

        #[test]
        fn what_is_read_is_written_so(path in "tile/([0-9]|entries)/(x[0-9]{3}/){0,2}[0-9]{3}(\\.p/[0-9]{1,3})?") {
            if let Some(resource) = Resource::parse(&path) {
                prop_assert_eq!(resource.path(), path);
            }
        }
    }
}
