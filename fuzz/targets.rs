//! Properties that must hold for any input: one function for each kind of foreign bytes.
//!
//! `tests/fuzz.rs` runs the functions on seeds, mutated seeds and noise. cargo-fuzz runs them on inputs that it
//! selects by coverage.

#![allow(dead_code, reason = "each binary of cargo-fuzz uses one target")]

use slurm::__private::fuzz;
use slurm::options::{HostList, OPTIONS};
use slurm::{Event, FullJobId, JobId, JobState, Slurmfile};
use slurm_core::codec::{self, Json};
use slurm_core::items::{ItemReader, ItemTable};
use slurm_core::outcome::{Failure, Outcome, RunReport};
use slurm_core::segment;
use slurm_core::spec::Spec;

/// A function that panics if the input violates a property.
pub(crate) type Target = fn(&[u8]);

/// Every target by its name.
pub(crate) const TARGETS: &[(&str, Target)] = &[
    ("arrays", arrays),
    ("descriptions", descriptions),
    ("diary", diary),
    ("frames", frames),
    ("items", items),
    ("key_file", key_file),
    ("known_hosts", known_hosts),
    ("nodes", nodes),
    ("options", options),
    ("segments", segments),
    ("slurm_output", slurm_output),
    ("slurmfile", slurmfile),
    ("ssh_config", ssh_config),
    ("supervisor", supervisor),
    ("values", values),
    ("words", words),
    ("workflows", workflows),
];

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Asserts that a shown text has no control characters, which a terminal might obey.
fn assert_harmless(shown: &str) {
    let harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    assert!(!shown.contains(harmful), "{shown:?}");
}

/// Handles of arrays, retry-1.json and job.json. The bytes after the first zero are a segment.
pub(crate) fn arrays(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    fuzz::array(&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
}

/// job.json, submitted.json, requeue, and handles of jobs.
pub(crate) fn descriptions(bytes: &[u8]) {
    if let Some(shown) = fuzz::descriptions(bytes) {
        assert_harmless(&shown);
    }
}

/// events.jsonl.
pub(crate) fn diary(bytes: &[u8]) {
    let events = Event::read_all(&text(bytes));
    let lines: Vec<String> =
        events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    assert_eq!(Event::read_all(&lines.join("\n")), events);
}

/// spec and result: whole files, and payloads as if their checksum were right.
pub(crate) fn frames(bytes: &[u8]) {
    if let Ok((spec, frame)) = Spec::from_bytes(bytes) {
        let again = spec.to_bytes(frame.task, frame.signature).unwrap();
        assert_eq!(Spec::from_bytes(&again).unwrap().0, spec);
    }
    let _ = Outcome::from_bytes(bytes);
    if let Ok(spec) = codec::decode::<Spec>(bytes) {
        assert_eq!(codec::encode(&spec).unwrap(), bytes);
    }
    if let Ok(outcome) = codec::decode::<Outcome>(bytes) {
        assert_eq!(codec::encode(&outcome).unwrap(), bytes);
    }
}

/// Files of items. The first 16 bytes are the number of items and the offset of the table.
pub(crate) fn items(bytes: &[u8]) {
    let Some((head, file)) = bytes.split_first_chunk::<16>() else { return };
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| head[at + byte]));
    let table = ItemTable { count: number(0), offset: number(8) };
    let name = format!("slurm-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, file).unwrap();
    if let Ok(reader) = ItemReader::open(&path, table) {
        for index in [0, 1, 2, 1 << 60, u64::MAX] {
            if let Ok(arguments) = reader.read(index) {
                assert!(
                    index < table.count && codec::encode(&arguments).unwrap().len() <= file.len()
                );
            }
        }
    }
    std::fs::remove_file(&path).unwrap();
}

/// Files of private keys.
pub(crate) fn key_file(bytes: &[u8]) {
    fuzz::key_file(&text(bytes));
}

/// known_hosts files.
pub(crate) fn known_hosts(bytes: &[u8]) {
    let text = text(bytes);
    let name = text.split_whitespace().next().unwrap_or("host");
    fuzz::known_hosts(&text, name, bytes);
    fuzz::known_hosts(&text, "[cluster.example.org]:2222", b"\0\0\0\x0bssh-ed25519");
}

/// The output of `ssh -G`.
pub(crate) fn ssh_config(bytes: &[u8]) {
    fuzz::ssh_config(&text(bytes));
}

/// Node lists.
pub(crate) fn nodes(bytes: &[u8]) {
    if let Ok(list) = text(bytes).parse::<HostList>() {
        assert_eq!(list.to_string().parse::<HostList>().as_ref(), Ok(&list));
        let _ = list.hosts();
    }
}

/// Values of options. The first byte chooses the option.
pub(crate) fn options(bytes: &[u8]) {
    let Some((choice, value)) = bytes.split_first() else { return };
    let (spec, value) = (&OPTIONS[usize::from(*choice) % OPTIONS.len()], text(value));
    match spec.parse(&value) {
        Ok(parsed) => {
            if let Some(canonical) = parsed.as_str() {
                assert_eq!(spec.parse(canonical).as_ref(), Ok(&parsed), "{}: {value:?}", spec.name);
                assert!(!canonical.contains(['\0', '\n']), "{}: {value:?}", spec.name);
            }
        }
        Err(error) => {
            assert!(value.get(error.range()).is_some(), "{}: {value:?}", spec.name);
            let _ = error.to_string();
        }
    }
}

/// Segments of results: the header and the records.
pub(crate) fn segments(bytes: &[u8]) {
    let _ = segment::check_header(bytes, 7);
    let mut records = segment::Records::new(bytes, 0);
    let mut end = 0;
    for record in records.by_ref() {
        assert!(record.payload.start >= end && record.payload.end <= bytes.len());
        end = record.payload.end;
        let payload = &bytes[record.payload];
        let _ = codec::decode::<RunReport>(payload);
        let _ = codec::decode::<Failure>(payload);
    }
    assert_eq!(records.position(), end);
    let _ = segment::Records::new(bytes, usize::MAX).next();
}

/// The output of squeue, sacct and sbatch.
pub(crate) fn slurm_output(bytes: &[u8]) {
    let text = text(bytes);
    fuzz::slurm_output(&text);
    for word in text.split('|') {
        let state = JobState::parse(word);
        if state.is_terminal() {
            assert!(
                JobState::ALL.contains(&state),
                "an unknown word is a terminal state: {word:?}"
            );
        }
    }
}

/// Slurmfiles.
pub(crate) fn slurmfile(bytes: &[u8]) {
    let text = text(bytes);
    match Slurmfile::parse(&text, "Slurmfile") {
        Ok(file) => {
            for name in file.environments() {
                let environment = file.environment(name).unwrap();
                let nul = |text: &String| text.contains('\0');
                assert!(!environment.setup.iter().any(nul) && !environment.env.values().any(nul));
            }
        }
        Err(slurm::Error::Slurmfile(error)) => {
            assert!(!error.problems.is_empty());
            let lines = text.split('\n').count();
            assert!(
                error.problems.iter().all(|at| at.column >= 1 && (1..=lines).contains(&at.line))
            );
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// The messages between clients and the supervisor, and the journal of the supervisor.
pub(crate) fn supervisor(bytes: &[u8]) {
    fuzz::supervisor(bytes);
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
enum Tree {
    Leaf(f32, Option<char>),
    Fork { children: Vec<Tree>, names: std::collections::BTreeMap<String, ()> },
    Chain(Box<Tree>),
}

/// Arguments and results of the types that tasks use.
pub(crate) fn values(bytes: &[u8]) {
    let _ = codec::decode::<(String, Vec<Option<Vec<u64>>>)>(bytes);
    let _ = codec::decode::<Vec<()>>(bytes);
    let _ = codec::decode::<Vec<(bool, char, i128)>>(bytes);
    let _ = codec::decode::<std::collections::HashMap<String, std::path::PathBuf>>(bytes);
    let _ = codec::decode::<Json<Tree>>(bytes);
    if let Ok(tree) = codec::decode::<Tree>(bytes) {
        // The keys of a map may be in another order, or doubled.
        let again = codec::encode(&tree).unwrap();
        assert!(again.len() <= bytes.len());
    }
}

/// Ids, permissions, and texts in the forms for a terminal and for a shell.
pub(crate) fn words(bytes: &[u8]) {
    let text = text(bytes);
    fuzz::words(&text);
    if let Ok(id) = text.parse::<JobId>() {
        assert_eq!(id.to_string().trim_start_matches('0'), text.trim_start_matches('0'));
    }
    if let Ok(id) = text.parse::<FullJobId>() {
        assert_eq!(id.to_string().parse::<FullJobId>().as_ref(), Ok(&id));
        assert!(
            id.to_string()
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_[],-:%+.".contains(&byte))
        );
    }
    assert_harmless(&fuzz::shown(&text));
    assert_is_one_word(&fuzz::word(&text), &text);
}

/// Asserts that `word` is one shell word with the value `text`, by the quoting rules of POSIX that the library
/// uses.
fn assert_is_one_word(word: &str, text: &str) {
    let (mut read, mut quoted, mut chars) = (String::new(), false, word.chars());
    while let Some(c) = chars.next() {
        match c {
            '\'' => quoted = !quoted,
            '\\' if !quoted => read.extend(chars.next()),
            _ if quoted => read.push(c),
            _ => {
                let plain = c.is_ascii_alphanumeric() || "_-./=:,@%+".contains(c);
                assert!(plain, "{c:?} is not quoted in {word:?}");
                read.push(c);
            }
        }
    }
    assert!(!quoted && read == text && !word.is_empty(), "{word:?} is not {text:?}");
}

/// The settings of a workflow and its journal.
pub(crate) fn workflows(bytes: &[u8]) {
    fuzz::workflow(bytes);
}
