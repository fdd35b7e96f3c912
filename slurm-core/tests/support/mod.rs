//! What the tests of the option grammar share: the rows of the checked-in tables.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The text of a file below `tests/data`.
pub(crate) fn data(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines of a table as columns, without the header.
pub(crate) fn rows(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().filter(|line| !line.starts_with("# option") && !line.is_empty());
    lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// The text with `\t`, `\n` and `\\` read.
pub(crate) fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('t') => plain.push('\t'),
                Some('n') => plain.push('\n'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            _ => plain.push(letter),
        }
    }
    plain
}

/// One value that was given to sbatch 22.05.8.
pub(crate) struct Tried {
    /// The option's long name.
    pub(crate) option: String,
    /// The value.
    pub(crate) value: String,
    /// Whether Slurm took it: sbatch, and the controller where its answer is known.
    pub(crate) accepted: bool,
}

/// The values of public scripts; only sbatch's own verdict is known, and a blank one is not a
/// refusal.
pub(crate) fn corpus() -> Vec<Tried> {
    let tried = |row: Vec<String>| Tried {
        option: row[0].clone(),
        value: unescaped(&row[1]),
        accepted: match row[3].as_str() {
            "accept" | "" => true,
            "reject" => false,
            other => panic!("verdict {other}"),
        },
    };
    rows(&data("sbatch-corpus.tsv")).into_iter().map(tried).collect()
}

/// Made-up values, with the controller's verdict where the grammar decides it.
pub(crate) fn adversarial() -> Vec<Tried> {
    let tried = |row: Vec<String>| Tried {
        option: row[0].clone(),
        value: unescaped(&row[1]),
        accepted: match row[2].as_str() {
            "accept" => true,
            "server" => row[3] != "reject",
            "reject" => false,
            other => panic!("verdict {other}"),
        },
    };
    rows(&data("sbatch-adversarial.tsv")).into_iter().map(tried).collect()
}

/// The first two columns of a table of differences, and its third.
pub(crate) fn listed(name: &str) -> BTreeMap<String, String> {
    let text = data(name);
    let lines = text.lines().filter(|line| !line.starts_with("## ") && !line.is_empty());
    lines
        .map(|line| {
            let (key, reason) = line.rsplit_once('\t').unwrap_or_else(|| panic!("{line}"));
            (key.to_owned(), reason.to_owned())
        })
        .collect()
}
