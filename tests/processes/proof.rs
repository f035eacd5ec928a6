//! The journal as those see it who verify: by the program, and by a verifier that knows nothing of Refrain.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::python::python;
use crate::support::{PATIENCE, REFRAIN, eventually, expect};
use crate::ways_in::trio::{ADA, MAILER, STEADY, Trio};

/// Three nodes with some events, what a verifier has of them from before, and a receipt.
struct Kept {
    trio: Trio,
    folder: tempfile::TempDir,
}

impl Kept {
    async fn start() -> Self {
        let trio = Trio::start(&STEADY).await;
        let folder = tempfile::tempdir().unwrap();
        let kept = Self { trio, folder };
        // Each node makes its key when it first signs, and the others know it soon.
        for place in 0..3 {
            eventually("a node signs its checkpoint", || async {
                let said = kept.program(ADA, place, &["journal", "checkpoint"]);
                said.status.success().then_some(())
            })
            .await;
        }
        let listed = expect(&kept.program(ADA, 0, &["journal", "keys"]), 0);
        assert_eq!(listed.matches("# node ").count(), 3, "{listed}");
        std::fs::write(kept.path("keys"), listed).unwrap();
        let receipt = kept.path("receipt.json");
        let words = "opt-out --email ada@example.com --purpose sale --receipt";
        let mut words: Vec<&str> = words.split(' ').collect();
        words.push(receipt.to_str().unwrap());
        expect(&kept.program(ADA, 1, &words), 0);
        kept
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn client(&self, place: usize) -> &str {
        &self.trio.nodes[place].client
    }

    fn program(&self, who: &str, place: usize, args: &[&str]) -> Output {
        program(who, self.client(place), self.folder.path(), args)
    }

    /// Verifies as Ada, for whom these are the nodes.
    fn verify(&self, endpoints: &str, words: &str) -> Output {
        let words: Vec<&str> = ["verify"].into_iter().chain(words.split(' ')).collect();
        program(ADA, endpoints, self.folder.path(), &words)
    }

    /// More events than one bundle holds, so that there are tiles of two levels.
    fn grow(&self) {
        let table = self.path("table.csv");
        let people = (0..700).map(|row| format!("person{row}@example.com,analytics\n"));
        let rows = format!("email,purposes\n{}", people.collect::<String>());
        std::fs::write(&table, rows).unwrap();
        let import = ["import", table.to_str().unwrap()];
        expect(&self.program(ADA, 2, &import), 0);
    }
}

fn program(who: &str, address: &str, folder: &Path, args: &[&str]) -> Output {
    Command::new(REFRAIN)
        .args(args)
        .env("REFRAIN_ENDPOINT", address)
        .env("REFRAIN_TOKEN", who)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_holds_receipts_and_the_journal_against_the_keys() {
    let kept = Kept::start().await;
    // Nobody is asked for a receipt: there is nobody at this address.
    let verify = |words: &str| kept.verify("127.0.0.1:1", words);
    let every = [0, 1, 2].map(|place| kept.client(place)).join(",");
    let said = expect(&verify("receipt.json --keys keys"), 0);
    assert!(said.contains("opted out of sale"), "{said}");

    // What the event says, the proof, the checkpoint: no part of it can be another.
    let whole = std::fs::read_to_string(kept.path("receipt.json")).unwrap();
    for (from, to) in [
        ("\"sale\"", "\"analytics\""),
        ("ConsentWithdrawn", "ConsentGiven"),
        ("\"revision\": ", "\"revision\": 1"),
        ("\"leaf\": \"C", "\"leaf\": \"D"),
        ("\\n", "\\n1"),
    ] {
        let changed = whole.replacen(from, to, 1);
        assert_ne!(changed, whole, "{from}");
        std::fs::write(kept.path("changed.json"), changed).unwrap();
        let said = expect(&verify("changed.json --keys keys"), 1);
        assert!(said.contains("proves nothing"), "{said}");
    }
    let other = "refrain/other+c8c9fdfd+AcC1OEDDYQpRJQ8AJdyaA7F/0M2OFDrATL0SfO0la9oa";
    expect(&verify(&format!("receipt.json --key {other}")), 64);
    expect(&verify("receipt.json"), 64);

    // A list that says that the keys were retired right after they were added: by then nobody signs with them any more.
    let listed = std::fs::read_to_string(kept.path("keys")).unwrap();
    let retired: String = listed
        .lines()
        .map(|line| match line.rsplit_once("added at revision ") {
            Some((_, added)) => {
                let at = added.parse::<u64>().unwrap() + 1;
                format!("{line}, retired at {at}\n")
            }
            None => format!("{line}\n"),
        })
        .collect();
    std::fs::write(kept.path("retired"), &retired).unwrap();
    let log = format!("--log {} --keys retired --save never", kept.client(0));
    for words in ["receipt.json --keys retired", &log] {
        let said = expect(&verify(words), 1);
        assert!(said.contains("was retired at revision"), "{said}");
    }
    assert!(!kept.path("never").exists());
    std::fs::write(
        kept.path("retired"),
        retired.replace("retired at ", "retired at about "),
    )
    .unwrap();
    expect(&verify("receipt.json --keys retired"), 64);

    // The journal only grew, on every node alike; those who may not read tiles learn so.
    let first = format!("--log {} --keys keys --save kept", kept.client(0));
    expect(&verify(&first), 0);
    kept.grow();
    for place in 0..3 {
        let node = kept.client(place);
        let words = format!("--log http://{node}/ --keys keys --since kept --all");
        let said = expect(&kept.verify(&every, &words), 0);
        assert!(said.contains("only grew"), "{said}");
    }
    let words = format!("verify --log {} --keys keys --since kept", kept.client(0));
    let words: Vec<&str> = words.split(' ').collect();
    let said = expect(&kept.program(MAILER, 0, &words), 77);
    assert!(said.contains("audit"), "{said}");

    // One bit of anything that is served, on its way.
    for (resource, flipped) in [
        ("/checkpoint", 60),
        ("/tile/0/000", 40),
        ("/tile/0/", 5),
        ("/tile/1/", 9),
        ("/tile/entries/000", 900),
        ("/tile/entries/", 70),
    ] {
        let (liar, _) = liar(kept.client(1).parse().unwrap(), resource, flipped);
        let words = format!("--log {liar} --keys keys --since kept --all --save never");
        let said = expect(&kept.verify(&liar.to_string(), &words), 1);
        assert!(
            said.contains("WAS CHANGED")
                || said.contains("WERE CHANGED")
                || said.contains("the checkpoint of"),
            "{resource}: {said}"
        );
        assert!(!kept.path("never").exists(), "{resource}: a lie was kept");
    }
    expect(&verify("--log 127.0.0.1:1 --keys keys"), 69);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_goes_to_no_host_that_it_is_not_for() {
    let kept = Kept::start().await;
    std::fs::write(kept.path("token"), ADA).unwrap();
    let only_ours = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(kept.path("token"), only_ours).unwrap();
    let node = kept.client(0);
    // A mirror, which shows what is served there as it is.
    let (mirror, heard) = liar(node.parse().unwrap(), "/nothing", 0);
    let words = format!("--log http://{mirror}/ --keys keys --all");
    let said = expect(&kept.verify(node, &words), 77);
    assert!(said.contains(&format!("--endpoint {mirror}")), "{said}");
    assert!(said.contains("--token-file"), "{said}");
    for asked in heard.lock().unwrap().drain(..) {
        assert!(!asked.contains("Authorization"), "{asked}");
    }
    // It was said that it may have the token: tiles need it, and the checkpoint does not.
    let endpoints = format!("{node},{mirror}");
    for (endpoint, more) in [(&*endpoints, ""), (node, " --token-file token")] {
        expect(&kept.verify(endpoint, &format!("{words}{more}")), 0);
        let heard: Vec<String> = heard.lock().unwrap().drain(..).collect();
        assert!(heard.len() > 2, "{heard:?}");
        for asked in heard {
            let told = asked.contains(&format!("Authorization: Bearer {ADA}"));
            assert_eq!(told, !asked.starts_with("GET /checkpoint"), "{asked}");
        }
    }
    // What was kept under a name like that of a file on the way stays.
    std::fs::copy(kept.path("keys"), kept.path("kept.new")).unwrap();
    expect(
        &kept.verify(node, &format!("--log {node} --keys keys --save kept.txt")),
        0,
    );
    assert!(kept.path("kept.new").exists() && kept.path("kept.txt").exists());
}

/// Stands before a node, and flips a bit in what is served below a path: that byte of the body, or the last of a shorter one. Also
/// brings the requests as it hears them.
fn liar(
    node: SocketAddr,
    below: &'static str,
    byte: usize,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let all = Arc::<Mutex<Vec<String>>>::default();
    let heard = Arc::clone(&all);
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut server = TcpStream::connect(node).unwrap();
            for stream in [&client, &server] {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
            }
            let mut asked = vec![0; 4096];
            let read = client.read(&mut asked).unwrap();
            let asked = String::from_utf8(asked[..read].to_vec()).unwrap();
            // Names of headers have no case.
            let noted = asked.replace("authorization: ", "Authorization: ");
            heard.lock().unwrap().push(noted);
            let asked = asked.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            server.write_all(asked.as_bytes()).unwrap();
            let mut answer = Vec::new();
            server.read_to_end(&mut answer).unwrap();
            if asked.starts_with(&format!("GET {below}")) {
                let mut ends = answer.windows(4);
                let body = ends.position(|four| four == b"\r\n\r\n").unwrap() + 4;
                let at = (body + byte).min(answer.len() - 1);
                answer[at] ^= 1;
            }
            // The reader may have seen enough.
            let _ = client.write_all(&answer);
        }
    });
    (address, all)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_that_knows_nothing_of_us_holds_the_journal() {
    let Some(python) = python("import aics_tlog") else {
        return;
    };
    let kept = Kept::start().await;
    let checkpoint = expect(&kept.program(ADA, 0, &["journal", "checkpoint"]), 0);
    std::fs::write(kept.path("kept"), checkpoint).unwrap();
    kept.grow();
    std::fs::write(kept.path("token"), ADA).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/tlog_verifier.py");
    let output = Command::new(python)
        .arg(script)
        .args(["keys", "kept", "receipt.json", "token"])
        .args((0..3).map(|place| format!("http://{}", kept.client(place))))
        .current_dir(kept.folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    println!("{}", expect(&output, 0));
}
