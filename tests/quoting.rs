//! Text that becomes part of shell commands, tried with real shells; see docs/security.md.

use std::path::{Path, PathBuf};
use std::process::Command;

use slurm::__private::fuzz::word;

const SHELLS: &[&str] = &["sh", "bash", "dash"];

/// Lets a shell print the words of a line, each followed by a NUL.
fn words_of(shell: &str, line: &str) -> Vec<Vec<u8>> {
    let output =
        Command::new(shell).args(["-c", &format!("printf '%s\\0' {line}")]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    let mut words: Vec<_> = output.stdout.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    assert_eq!(words.pop(), Some(Vec::new()), "the last word has its NUL too");
    words
}

fn assert_each_comes_back(texts: &[String]) {
    let line = texts.iter().map(|text| word(text)).collect::<Vec<_>>().join(" ");
    for shell in SHELLS {
        let back = words_of(shell, &line);
        assert_eq!(back.len(), texts.len(), "{shell}");
        for (text, back) in texts.iter().zip(back) {
            assert_eq!(back, text.as_bytes(), "{shell}: {text:?}");
        }
    }
}

#[test]
fn every_character_but_nul_passes_through_every_shell() {
    // Together with the characters of two to four bytes, these contain every byte of UTF-8.
    let letters =
        (1..=0x7ff).chain((0x800..0xffff).step_by(61)).chain((0x10000..0x10ffff).step_by(4099));
    let letters: Vec<char> = letters.filter_map(char::from_u32).collect();
    let bytes: std::collections::BTreeSet<u8> =
        letters.iter().flat_map(|c| c.to_string().into_bytes()).collect();
    let never = [0].into_iter().chain(0xc0..=0xc1).chain(0xf5..=0xff);
    assert_eq!(bytes.len() + never.count(), 256);
    let alone = letters.iter().map(ToString::to_string);
    let between = letters.iter().map(|c| format!("a{c}b"));
    let doubled = letters.iter().map(|c| format!("{c}'{c}"));
    assert_each_comes_back(&alone.chain(between).chain(doubled).collect::<Vec<_>>());
}

#[test]
fn any_text_passes_through_every_shell() {
    let mut random = fastrand::Rng::with_seed(4);
    let hostile: Vec<char> =
        " \t\n\r'\"\\$`;|&<>(){}[]*?!~#=%^-+,.:/@ab0ü\u{1b}\u{7f}\u{202e}\u{1F980}"
            .chars()
            .collect();
    let mut text = || -> String {
        let length = random.usize(..30);
        std::iter::repeat_with(|| hostile[random.usize(..hostile.len())]).take(length).collect()
    };
    for _ in 0..10 {
        assert_each_comes_back(&std::iter::repeat_with(&mut text).take(500).collect::<Vec<_>>());
    }
    for special in
        ["", "-n", "--", "~", "~root", "a=b", "!!", "{a,b}", "$'x'", "\\", "'", "''", "%s", "if"]
    {
        assert_each_comes_back(&[special.to_owned()]);
    }
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let all = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    all.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect()
}

/// Returns the files of the library whose code, without tests, contains the text.
fn holding(text: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for dir in ["src", "slurm-core/src", "slurm-host/src", "slurm-runner/src"] {
        for path in sources(&root.join(dir)) {
            let source = std::fs::read_to_string(&path).unwrap();
            let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
            if code.contains(text) {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn one_function_quotes_and_few_places_use_a_shell() {
    assert_eq!(holding("fn shell_word("), ["slurm-host/src/word.rs"]);
    assert_eq!(holding(r#"r"'\''""#), ["slurm-host/src/word.rs"], "no other code escapes a quote");
    only(
        "\"-c\"",
        &[
            "src/cluster/command.rs",
            // A fixed line that waits for the start; the script and its mark are arguments.
            "src/backend/local/supervisor/identity.rs",
            "src/backend/local/supervisor/process.rs",
            // The ProxyCommand of the user's own configuration, which OpenSSH gives to a shell too.
            "slurm-host/src/ssh/stream/proxy.rs",
            // An option of the program that compresses.
            "slurm-host/src/remote/stage.rs",
        ],
    );
    // The embedded backend's supervisor, a job's script, argument vectors, and OpenSSH.
    only(
        "Command::new(",
        &[
            "src/backend/local/start.rs",
            "src/backend/local/supervisor/process.rs",
            "slurm-host/src/command.rs",
            "slurm-host/src/remote/stage.rs",
            // The `ssh` of the shared connection.
            "slurm-host/src/ssh/master.rs",
            "slurm-host/src/ssh/stream/proxy.rs",
            // `scontrol requeue` and squeue, inside a job.
            "slurm-runner/src/scontrol.rs",
        ],
    );
}

/// Asserts that no other file contains the text.
fn only(text: &str, known: &[&str]) {
    let others: Vec<_> =
        holding(text).into_iter().filter(|file| !known.contains(&file.as_str())).collect();
    assert!(others.is_empty(), "{others:?} hold {text}");
}
