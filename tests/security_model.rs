//! Each claim of docs/security.md names the tests that verify it, and these tests exist.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/security.md")).unwrap()
}

/// Returns the claims with their numbers.
fn claims(page: &str) -> Vec<(usize, &str)> {
    let numbered = |line: &'_ str| -> Option<(usize, usize)> {
        let (number, _) = line.split_once(". ")?;
        Some((number.parse().ok()?, number.len() + 2))
    };
    page.lines()
        .filter_map(|line| numbered(line).map(|(number, start)| (number, &line[start..])))
        .collect()
}

/// Returns the tests that a claim names: the file and the name.
fn tests_of(claim: &str) -> Vec<(PathBuf, &str)> {
    let Some((_, tests)) = claim.rsplit_once(" [test: ") else { return Vec::new() };
    let Some(tests) = tests.strip_suffix(']') else { return Vec::new() };
    let parts = tests.split(", ").filter_map(|test| test.split_once("::"));
    parts.map(|(file, name)| (root().join(file), name)).collect()
}

/// Returns the functions that a file lists as tests with `trials!`.
fn trials_of(source: &str) -> impl Iterator<Item = &str> {
    let list = source.split_once("trials![").and_then(|(_, rest)| rest.split_once("];"));
    let lines = list.map_or("", |(list, _)| list).split(',');
    lines.filter_map(|line| line.trim().split_once(' ')).map(|(_, name)| name)
}

/// Returns whether the file has a test with this name: a function under `#[test]`, or a trial.
fn has_test(source: &str, name: &str) -> bool {
    let function = format!("fn {name}() {{");
    let is_test = |at: usize| {
        let above = source[..at].trim_end();
        above.ends_with("#[test]")
            || above.rsplit('\n').take(2).any(|line| line.trim() == "#[test]")
    };
    source.match_indices(&function).any(|(at, _)| is_test(at))
        || trials_of(source).any(|trial| trial == name)
}

#[test]
fn every_claim_has_tests_and_they_exist() {
    let page = page();
    let mut problems = Vec::new();
    for (number, claim) in claims(&page) {
        let tests = tests_of(claim);
        if tests.is_empty() {
            problems.push(format!("claim {number} names no test: {claim}"));
        }
        for (file, name) in tests {
            match std::fs::read_to_string(&file) {
                Ok(source) if has_test(&source, name) => {}
                Ok(_) => {
                    problems.push(format!("claim {number}: {} has no test {name}", file.display()))
                }
                Err(error) => problems.push(format!("claim {number}: {}: {error}", file.display())),
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn claims_are_single_sentences_with_consecutive_numbers() {
    let page = page();
    let claims = claims(&page);
    assert!(claims.len() > 50, "{} claims", claims.len());
    for (expected, (number, claim)) in (1..).zip(&claims) {
        assert_eq!(*number, expected, "{claim}");
        let sentence = claim.split(" [test: ").next().unwrap();
        assert!(sentence.ends_with('.'), "claim {number} does not end: {sentence}");
        assert!(!sentence.contains(". "), "claim {number} is more than a sentence: {sentence}");
    }
}

#[test]
fn a_missing_test_is_noticed() {
    let source = "#[test]\nfn it_holds() {\n}\nfn helper() {\n}\ntrials![\n    all a_trial,\n];\n";
    assert!(has_test(source, "it_holds") && has_test(source, "a_trial"));
    assert!(
        !has_test(source, "helper") && !has_test(source, "it_hold") && !has_test(source, "trial")
    );
    let claims = claims("1. Text. [test: a.rs::b, c.rs::d::e]\ntext\n2. None.\n");
    assert_eq!(tests_of(claims[0].1).len(), 2);
    assert!(tests_of(claims[1].1).is_empty());
}
