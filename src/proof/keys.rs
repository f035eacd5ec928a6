//! Whose signatures somebody believes, and up to where: the list that nodes tell, as it is kept and read again.

use super::note::{NoteInvalid, VerifierKey};
use crate::limits;

/// A key that somebody believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// The key.
    pub key: VerifierKey,
    /// The revision of the event that retired it: of a journal with that event in it, it signs nothing. None while it is in use.
    pub retired_at: Option<u64>,
}

impl From<VerifierKey> for KnownKey {
    fn from(key: VerifierKey) -> Self {
        Self {
            key,
            retired_at: None,
        }
    }
}

impl KnownKey {
    /// Two lines of a list: whose it is, since when and until when, and the key.
    pub fn lines(key: &str, node_id: &str, added_at: u64, retired_at: u64) -> String {
        let retired = match retired_at {
            0 => String::new(),
            at => format!("{RETIRED}{at}"),
        };
        format!("{NODE}{node_id}{ADDED}{added_at}{retired}\n{key}\n")
    }
}

const NODE: &str = "# node ";
const ADDED: &str = ", added at revision ";
const RETIRED: &str = ", retired at ";

/// What a comment says of the next key's retirement; none where it is a comment of somebody else.
fn remark(line: &str) -> Option<Result<Option<u64>, NoteInvalid>> {
    let (node, rest) = line.strip_prefix(NODE)?.split_once(',')?;
    let id = node.len() == 16 && node.bytes().all(|byte| byte.is_ascii_hexdigit());
    id.then(|| {
        let said = line[line.len() - rest.len() - 1..].strip_prefix(ADDED);
        let said = said.ok_or(NoteInvalid::RemarkMalformed)?;
        let (added, retired) = match said.split_once(RETIRED) {
            Some((added, retired)) => (added, Some(retired)),
            None => (said, None),
        };
        let added = revision(added)?;
        let retired = retired.map(revision).transpose()?;
        match retired {
            Some(at) if at <= added => Err(NoteInvalid::RemarkMalformed),
            at => Ok(at),
        }
    })
}

/// A revision, written in the one way that there is.
fn revision(text: &str) -> Result<u64, NoteInvalid> {
    let read = text.parse::<u64>().ok();
    read.filter(|read| *read > 0 && read.to_string() == text)
        .ok_or(NoteInvalid::RemarkMalformed)
}

/// The keys that somebody believes: those of the nodes of one cluster, mostly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifierKeys(Vec<KnownKey>);

impl VerifierKeys {
    /// These keys, each once. One that is there several times counts as retired where one of them is: a list of before knows less.
    pub fn new<K: Into<KnownKey>>(keys: impl IntoIterator<Item = K>) -> Self {
        let mut known: Vec<KnownKey> = Vec::new();
        for next in keys.into_iter().map(Into::into) {
            match known.iter_mut().find(|it| it.key == next.key) {
                Some(there) => {
                    let both = [there.retired_at, next.retired_at];
                    there.retired_at = both.into_iter().flatten().min();
                }
                None => known.push(next),
            }
        }
        Self(known)
    }

    /// Reads keys, one a line; empty lines and those that begin with `#` say nothing, but for what a node's list says before a key, of its
    /// retirement.
    ///
    /// # Errors
    /// [`NoteInvalid::KeyMalformed`] and [`NoteInvalid::RemarkMalformed`], with the number of the line from 1; also for more than
    /// [`JOURNAL_KEYS`](limits::JOURNAL_KEYS).
    pub fn read(text: &str) -> Result<Self, (usize, NoteInvalid)> {
        let mut keys = Vec::new();
        let mut retired_at = None;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                if let Some(said) = remark(line) {
                    retired_at = said.map_err(|error| (number, error))?;
                }
                continue;
            }
            if keys.len() >= limits::JOURNAL_KEYS {
                return Err((number, NoteInvalid::KeyMalformed));
            }
            let key = line.parse().map_err(|error| (number, error))?;
            let retired_at = retired_at.take();
            keys.push(KnownKey { key, retired_at });
        }
        Ok(Self::new(keys))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = &VerifierKey> {
        self.0.iter().map(|known| &known.key)
    }

    /// The keys, and when each was retired.
    pub fn known(&self) -> impl Iterator<Item = &KnownKey> {
        self.0.iter()
    }

    /// When a key was retired; none where that is not known.
    pub(super) fn retired_at(&self, key: &VerifierKey) -> Option<u64> {
        let known = self.0.iter().find(|known| known.key == *key)?;
        known.retired_at
    }
}

#[cfg(test)]
mod tests {
    use super::super::JournalSigner;
    use super::*;

    fn key(byte: u8) -> VerifierKey {
        JournalSigner::new("refrain/ab", &[byte; 32]).verifier_key()
    }

    #[test]
    fn a_list_of_keys_has_one_a_line() {
        let (first, second) = (key(1), key(2));
        let text = format!("# of the shop's cluster\n{first}\n\n  {second}  \n{first}\n");
        let keys = VerifierKeys::read(&text).unwrap();
        assert!(keys.iter().eq([&first, &second]));
        let wrong = VerifierKeys::read(&format!("{first}\nnonsense\n"));
        assert_eq!(wrong, Err((2, NoteInvalid::KeyMalformed)));
        assert!(VerifierKeys::read("").unwrap().is_empty());
    }

    #[test]
    fn a_list_says_when_a_key_was_retired() {
        let node = "00000000000000ab";
        let lines = |byte, retired_at| KnownKey::lines(&key(byte).to_string(), node, 3, retired_at);
        let text = format!(
            "# node in the cellar\n{}{}{}\n",
            lines(1, 0),
            lines(2, 12_345),
            key(3)
        );
        let keys = VerifierKeys::read(&text).unwrap();
        let retired: Vec<_> = keys.known().map(|known| known.retired_at).collect();
        assert_eq!(retired, [None, Some(12_345), None]);
        // A newer list behind an older one, or before it.
        for both in [
            text.replace(", retired at 12345", "") + &text,
            text.clone() + &lines(2, 0),
        ] {
            assert_eq!(VerifierKeys::read(&both), Ok(keys.clone()));
        }
        // Nothing between the two takes the retirement away.
        let apart = text.replace("12345\n", "12345\n\n# a remark\n");
        assert_eq!(VerifierKeys::read(&apart), Ok(keys));
    }

    #[test]
    fn what_a_list_says_badly_is_refused() {
        let node = "# node 00000000000000ab";
        for said in [
            ",",
            ", and its key",
            ", added at revision ",
            ", added at revision 0",
            ", added at revision 03",
            ", added at revision 3, ",
            ", added at revision 3, retired at",
            ", added at revision 3, retired at ",
            ", added at revision 3, retired at 0",
            ", added at revision 3, retired at 3",
            ", added at revision 3, retired at 1,234",
            ", added at revision 3, retired at 12 or so",
            ", added at revision 3, retired at 18446744073709551616",
            ", retired at 7",
        ] {
            let read = VerifierKeys::read(&format!("\n{node}{said}\n{}\n", key(1)));
            assert_eq!(read, Err((2, NoteInvalid::RemarkMalformed)), "{said}");
        }
    }
}
