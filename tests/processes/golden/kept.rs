//! How a data folder lies in the repository: each file compressed by itself, since sled's is made of segments of 8 MiB.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// What lies beside the data folder, uncompressed.
const BESIDE: [&str; 2] = ["token.key", "refrain.toml"];

/// Where the folders of all versions are.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data")
}

/// Keeps the data folder `node` in `from`, and what it needs, in `kept`.
pub fn pack(from: &Path, kept: &Path) {
    let node = from.join("node");
    for file in files(&node) {
        let to = kept.join("node").join(file.strip_prefix(&node).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let name = format!("{}.gz", to.display());
        let mut packed = GzEncoder::new(File::create(name).unwrap(), Compression::best());
        packed.write_all(&fs::read(&file).unwrap()).unwrap();
        packed.finish().unwrap();
    }
    for name in BESIDE {
        fs::copy(from.join(name), kept.join(name)).unwrap();
    }
}

/// Puts back in `to` what [`pack`] kept.
pub fn unpack(kept: &Path, to: &Path) {
    let node = kept.join("node");
    for file in files(&node) {
        let below = file.strip_prefix(kept).unwrap().with_extension("");
        write(&to.join(below), &unpacked(&file));
    }
    for name in BESIDE {
        write(&to.join(name), &fs::read(kept.join(name)).unwrap());
    }
}

/// The leaves, hashes and evidence in the journal that are no longer what was kept: those are for ever.
pub fn rewritten(kept: &Path, copy: &Path) -> Vec<PathBuf> {
    let parts = ["node/journal/tile", "node/journal/evidence"];
    let mut files: Vec<PathBuf> = parts.iter().flat_map(|it| files(&kept.join(it))).collect();
    files.retain(|file| {
        let below = file.strip_prefix(kept).unwrap().with_extension("");
        fs::read(copy.join(below)).ok() != Some(unpacked(file))
    });
    files
}

fn unpacked(file: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut packed = GzDecoder::new(File::open(file).unwrap());
    packed.read_to_end(&mut bytes).unwrap();
    bytes
}

/// For its owner's eyes alone, as a node has its secrets: git does not keep that.
fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
