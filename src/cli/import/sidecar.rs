//! The file beside an import's file that remembers how far it came, so that it can be run again after a break.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::table::Refused;

/// How much of a file goes into its fingerprint.
const HEAD_BYTES: u64 = 64 << 10;

/// What an import is; the sidecar's first line. Running it again goes on only where all of this is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The import's id.
    pub import_id: String,
    /// The tenant that was given, if any.
    pub namespace: String,
    /// The purposes that were given as defaults.
    pub purposes: Vec<String>,
    /// The file's size, in bytes.
    pub size: u64,
    /// The SHA-256 of its first 64 KiB, in hex.
    pub head_sha256: String,
}

/// What became of some rows; a further line of the sidecar, written when they are durable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The row that the import goes on with.
    pub next_row: u64,
    /// The SHA-256 of the file up to the end of the row before that, in hex.
    pub sha256: String,
    /// Rows that made an event.
    pub changed: u64,
    /// Rows that made none.
    pub unchanged: u64,
    /// Rows that the cluster refused: line, reason, message. Those refused while reading are found again by reading.
    pub refused: Vec<(u64, String, String)>,
}

/// The sidecar of one import.
pub struct Sidecar {
    path: PathBuf,
    file: File,
}

/// What was found beside the file.
pub enum Found {
    /// Nothing, or the sidecar of an import that came to nothing: no row of it was taken.
    Nothing,
    /// The sidecar of this very import, with the marks that it has.
    Same(Sidecar, Opening, Vec<Mark>),
    /// The sidecar of another file, or one of another command.
    Other(PathBuf),
}

/// The fingerprint of a file: its size, and the SHA-256 of its first 64 KiB.
pub fn fingerprint(file: &mut File) -> io::Result<(u64, String)> {
    let size = file.metadata()?.len();
    let mut head = Vec::new();
    io::Read::by_ref(file)
        .take(HEAD_BYTES)
        .read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    Ok((size, hex::encode(Sha256::digest(&head))))
}

/// `FILE.csv.refrain-import`.
pub fn path_for(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".refrain-import");
    PathBuf::from(name)
}

impl Sidecar {
    /// Looks for the sidecar of the import that `wanted` describes; its `import_id` does not matter.
    pub fn find(path: PathBuf, wanted: &Opening) -> io::Result<Found> {
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(error),
        };
        let mut lines = BufReader::new(file);
        let mut good = 0;
        let mut opening: Option<Opening> = None;
        let mut marks = Vec::new();
        let mut strange = false;
        loop {
            let mut line = String::new();
            // A last line without its end was cut short by a crash: what it told of is asked of the cluster instead.
            if lines.read_line(&mut line).unwrap_or_default() == 0 || !line.ends_with('\n') {
                break;
            }
            if opening.is_none() {
                opening = serde_json::from_str(&line).ok();
                if opening.is_none() {
                    break;
                }
            } else if let Ok(mark) = serde_json::from_str(&line) {
                marks.push(mark);
            } else {
                strange = true;
                break;
            }
            good += line.len() as u64;
        }
        let same = |it: &Opening| {
            Opening {
                import_id: it.import_id.clone(),
                ..wanted.clone()
            } == *it
        };
        match opening {
            Some(opening) if same(&opening) => {
                let mut file = lines.into_inner();
                file.set_len(good)?;
                file.seek(SeekFrom::End(0))?;
                Ok(Found::Same(Self { path, file }, opening, marks))
            }
            Some(_) if marks.is_empty() && !strange => Ok(Found::Nothing),
            _ => Ok(Found::Other(path)),
        }
    }

    /// Begins one.
    pub fn create(path: PathBuf, opening: &Opening) -> io::Result<Self> {
        let file = File::create(&path)?;
        let mut sidecar = Self { path, file };
        sidecar.write(opening)?;
        Ok(sidecar)
    }

    /// Adds a mark.
    pub fn mark(&mut self, mark: &Mark) -> io::Result<()> {
        self.write(mark)
    }

    /// Removes it: the import is done.
    pub fn remove(self) -> io::Result<()> {
        drop(self.file);
        std::fs::remove_file(self.path)
    }

    fn write(&mut self, what: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

impl Mark {
    /// The refusals, as the report takes them.
    pub fn refusals(&self) -> impl Iterator<Item = Refused> + '_ {
        self.refused.iter().map(|(line, reason, message)| Refused {
            line: *line,
            reason: reason.clone(),
            message: message.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(size: u64) -> Opening {
        Opening {
            import_id: "an id".to_owned(),
            namespace: String::new(),
            purposes: vec!["sale".to_owned()],
            size,
            head_sha256: "00".to_owned(),
        }
    }

    fn mark(next_row: u64) -> Mark {
        Mark {
            next_row,
            sha256: "11".to_owned(),
            changed: 3,
            unchanged: 1,
            refused: vec![(
                7,
                "PURPOSE_UNKNOWN".to_owned(),
                "no such purpose".to_owned(),
            )],
        }
    }

    #[test]
    fn what_was_marked_is_found_again_and_a_torn_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv.refrain-import");
        assert!(matches!(
            Sidecar::find(path.clone(), &opening(1)).unwrap(),
            Found::Nothing
        ));
        let mut sidecar = Sidecar::create(path.clone(), &opening(1)).unwrap();
        sidecar.mark(&mark(10)).unwrap();
        sidecar.mark(&mark(20)).unwrap();
        sidecar.file.write_all(b"{\"next_row\":30,").unwrap();

        let wanted = Opening {
            import_id: String::new(),
            ..opening(1)
        };
        let Found::Same(mut again, found, marks) = Sidecar::find(path.clone(), &wanted).unwrap()
        else {
            panic!("not found");
        };
        assert_eq!((found, marks), (opening(1), vec![mark(10), mark(20)]));
        again.mark(&mark(30)).unwrap();
        let Found::Same(last, _, marks) = Sidecar::find(path.clone(), &wanted).unwrap() else {
            panic!("not found");
        };
        assert_eq!(marks.len(), 3);
        assert_eq!(marks[0].refusals().next().unwrap().line, 7);
        last.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_changed_file_and_a_strange_sidecar_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv.refrain-import");
        let mut sidecar = Sidecar::create(path.clone(), &opening(1)).unwrap();
        // As long as nothing was taken, there is nothing to go on with, and nothing to mix up.
        let other = Sidecar::find(path.clone(), &opening(2)).unwrap();
        assert!(matches!(other, Found::Nothing));
        sidecar.mark(&mark(10)).unwrap();
        let other = Sidecar::find(path.clone(), &opening(2)).unwrap();
        assert!(matches!(other, Found::Other(_)));
        let opened = serde_json::to_string(&opening(1)).unwrap();
        std::fs::write(&path, format!("{opened}\nno mark\n")).unwrap();
        let other = Sidecar::find(path.clone(), &opening(2)).unwrap();
        assert!(matches!(other, Found::Other(_)));
        for strange in ["", "no json\n", "\u{0}\u{0}"] {
            std::fs::write(&path, strange).unwrap();
            let other = Sidecar::find(path.clone(), &opening(1)).unwrap();
            assert!(matches!(other, Found::Other(_)), "{strange:?}");
        }
    }

    #[test]
    fn the_fingerprint_knows_size_and_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let of = |text: &str| {
            std::fs::write(&path, text).unwrap();
            fingerprint(&mut File::open(&path).unwrap()).unwrap()
        };
        assert_eq!(of("abc"), of("abc"));
        assert_ne!(of("abc"), of("abd"));
        assert_ne!(of("abc"), of("abcd"));
    }
}
