//! The grammars against sbatch 22.05.8, value by value.

// The counts are part of what these tests are for.
#![allow(clippy::print_stdout)]

#[path = "../examples/options_reference/differences.rs"]
mod differences;
#[path = "../examples/options_reference/page.rs"]
mod page;
mod support;

use std::collections::BTreeSet;
use std::path::Path;

use differences::{DIFFERENCE_REASONS, differences};
use slurm_core::options::lookup;
use support::Tried;

/// Whether the grammar takes the value; an option that cannot be set takes none.
fn accepts(option: &str, value: &str) -> bool {
    lookup(option).is_ok_and(|spec| spec.parse(value).is_ok())
}

/// The rows on which the grammars and Slurm differ, and how many agree.
fn compare(tried: &[Tried]) -> (usize, BTreeSet<(String, String)>) {
    let (mut agreeing, mut differing) = (0, BTreeSet::new());
    for row in tried {
        if accepts(&row.option, &row.value) == row.accepted {
            agreeing += 1;
        } else {
            differing.insert((row.option.clone(), row.value.clone()));
        }
    }
    (agreeing, differing)
}

#[test]
fn every_row_agrees_with_sbatch_or_is_a_listed_difference() {
    let listed: BTreeSet<(String, String)> = differences()
        .into_iter()
        .map(|difference| (difference.option.to_owned(), difference.value))
        .collect();
    let (corpus_agreeing, mut differing) = compare(&support::corpus());
    let from_corpus = differing.len();
    let (adversarial_agreeing, more) = compare(&support::adversarial());
    let from_adversarial = more.len();
    differing.extend(more);
    println!(
        "public scripts: {corpus_agreeing} rows agree, {from_corpus} values differ; made up: \
         {adversarial_agreeing} agree, {from_adversarial} differ; {} differences are listed",
        listed.len()
    );
    let unlisted: Vec<_> = differing.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&differing).collect();
    assert!(unlisted.is_empty(), "not listed in differences.tsv: {unlisted:#?}");
    assert!(stale.is_empty(), "listed in differences.tsv, but agreeing: {stale:#?}");
}

#[test]
fn a_difference_goes_the_way_its_reason_says() {
    for difference in differences() {
        assert_eq!(
            accepts(difference.option, &difference.value),
            difference.reason.accepted,
            "{} {:?}",
            difference.option,
            difference.value
        );
    }
}

#[test]
fn every_line_of_the_list_has_a_known_reason_and_every_reason_a_line() {
    let source = include_str!("../examples/options_reference/differences.tsv");
    let lines = source.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(differences().len(), lines, "a line has no known reason");
    for reason in DIFFERENCE_REASONS {
        assert!(
            differences().iter().any(|difference| difference.reason.code == reason.code),
            "no value differs because of {}",
            reason.code
        );
    }
}

#[test]
fn every_suggestion_is_a_value_that_the_option_takes() {
    let mut suggested = 0;
    for row in support::corpus().iter().chain(&support::adversarial()) {
        let Ok(spec) = lookup(&row.option) else {
            continue;
        };
        let Err(refused) = spec.parse(&row.value) else {
            continue;
        };
        if let Some(suggestion) = refused.suggestion() {
            suggested += 1;
            assert!(spec.parse(suggestion).is_ok(), "{refused}");
        }
        assert!(spec.example.is_empty() || spec.parse(refused.example()).is_ok(), "{refused}");
    }
    println!("{suggested} refused values have a suggestion");
}

#[test]
fn every_message_names_the_value_and_says_more_than_invalid() {
    for row in support::corpus().iter().chain(&support::adversarial()) {
        let Ok(spec) = lookup(&row.option) else {
            continue;
        };
        let Err(refused) = spec.parse(&row.value) else {
            continue;
        };
        let message = refused.to_string();
        assert!(!refused.reason().contains("invalid"), "{message}");
        assert!(!message.contains(['\n', '\t']), "{message}");
        assert!(row.value.get(refused.range()).is_some(), "{message}: {:?}", refused.range());
        let explains = message.contains("write `")
            || message.contains("expected")
            || message.contains("without a value");
        assert!(explains, "{message}");
    }
}

#[test]
fn canonical_forms_are_taken_and_stay_as_they_are() {
    for row in support::corpus().iter().chain(&support::adversarial()) {
        let Ok(spec) = lookup(&row.option) else {
            continue;
        };
        let Ok(value) = spec.parse(&row.value) else {
            continue;
        };
        if let Some(text) = value.as_str() {
            assert_eq!(spec.parse(text).as_ref(), Ok(&value), "{} {:?}", spec.name, row.value);
        }
    }
}

#[test]
fn the_reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/options.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == page::reference_markdown(),
        "docs/options.md is stale: cargo run -p slurm-core --example options_reference > docs/options.md"
    );
}
