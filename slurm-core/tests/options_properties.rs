//! What holds for every value, whatever it is.

#[path = "support/lex.rs"]
mod lex;
mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use slurm_core::options::{
    ArraySpec, DateTime, Dependency, HostList, InvalidValue, Memory, NodeCount, OPTIONS, OptionSet,
    OptionSpec, OptionValue, Release, Signal, Source, UnknownOption, ValueKind, Walltime,
    check_extra, lookup,
};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Any option.
fn option() -> impl Strategy<Value = &'static OptionSpec> {
    (0..OPTIONS.len()).prop_map(|index| &OPTIONS[index])
}

/// Values that real people and adversaries gave to some option.
fn known_values() -> Vec<String> {
    support::corpus().into_iter().chain(support::adversarial()).map(|row| row.value).collect()
}

/// Pieces that the grammars treat specially, and pieces that they do not.
const PIECES: &[&str] = &[
    "0",
    "1",
    "7",
    "42",
    "65535",
    "99999999999999999999",
    "-",
    ":",
    ",",
    ";",
    "%",
    "@",
    "+",
    "*",
    "&",
    "|",
    "?",
    "=",
    "/",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ".",
    "_",
    " ",
    "\t",
    "#",
    "'",
    "\"",
    "\\",
    "a",
    "n1",
    "gpu",
    "gres/",
    "gres:",
    "a100",
    "K",
    "G",
    "GB",
    "T",
    "T12",
    "now",
    "today",
    "afterok",
    "after",
    "singleton",
    "block",
    "plane",
    "BEGIN",
    "END",
    "USR1",
    "B",
    "R",
    "SIG",
    "closest",
    "single",
    "map_gpu",
    "mask_mem",
    "0x",
    "low",
    "high",
    "memory",
    "verbose",
    "ALL",
    "NONE",
    "cpu",
    "é",
    "—",
    "１",
    "\u{a0}",
];

fn any_value() -> impl Strategy<Value = String> {
    let known = known_values();
    let pieces = || vec(proptest::sample::select(PIECES), 0..8).prop_map(|pieces| pieces.concat());
    prop_oneof![
        3 => pieces(),
        2 => (proptest::sample::select(known), any::<prop::sample::Index>(), pieces()).prop_map(
            |(mut value, place, inserted)| {
                let places: Vec<usize> =
                    (0..=value.len()).filter(|index| value.is_char_boundary(*index)).collect();
                value.insert_str(*place.get(&places), &inserted);
                value
            }
        ),
        1 => any::<String>(),
    ]
}

/// A refused value where none may be refused.
fn refused(error: &InvalidValue) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

/// A value without the two bytes that nothing can carry.
fn carried() -> impl Strategy<Value = String> {
    any_value().prop_map(|value| value.replace(['\n', '\0'], ""))
}

proptest! {
    #![proptest_config(config(1_000))]

    #[test]
    fn a_value_is_refused_with_a_reason_or_has_a_canonical_form(
        spec in option(),
        value in any_value(),
    ) {
        match spec.parse(&value) {
            Ok(parsed) => {
                prop_assert!(spec.check(&value).is_ok());
                if let Some(canonical) = parsed.as_str() {
                    prop_assert_eq!(spec.parse(canonical), Ok(parsed.clone()));
                    prop_assert!(!canonical.contains(['\n', '\0']));
                }
            }
            Err(refused) => {
                prop_assert!(spec.check(&value).is_err());
                prop_assert!(value.get(refused.range()).is_some(), "{:?}", refused.range());
                prop_assert!(!refused.reason().is_empty());
                if let Some(suggestion) = refused.suggestion() {
                    prop_assert!(spec.check(suggestion).is_ok());
                    prop_assert_ne!(suggestion, value.as_str());
                }
                prop_assert!(!refused.to_string().contains('\n'));
            }
        }
    }

    #[test]
    fn every_type_reads_what_it_writes(value in any_value()) {
        macro_rules! reads_what_it_writes {
            ($($type:ident),*) => {
                $(if let Ok(read) = value.parse::<$type>() {
                    let written = read.to_string();
                    // A canonical form that is too long is the only one that may be refused.
                    if written.len() <= 1_024 {
                        prop_assert_eq!(written.parse::<$type>(), Ok(read), "{}", written);
                    }
                })*
            };
        }
        reads_what_it_writes!(
            ArraySpec, DateTime, Dependency, HostList, Memory, NodeCount, Signal, Walltime
        );
    }

    #[test]
    fn written_lines_are_read_back_by_sbatchs_lexer(
        values in vec(carried(), 1..6),
        flags in vec(carried(), 0..4),
    ) {
        let mut set = OptionSet::new();
        let texts = OPTIONS.iter().filter(|spec| spec.kind == ValueKind::Text);
        for (spec, value) in texts.zip(values) {
            let empty = value.is_empty();
            let value = if empty { OptionValue::Flag } else { OptionValue::Value(value) };
            set.set(spec, value, Source::CallSite);
        }
        for flag in flags {
            prop_assert_eq!(set.extra(flag.clone()).is_ok(), check_extra(&flag).is_ok());
        }
        let script = format!("#!/bin/sh\n{}\necho\n", set.to_directives().join("\n"));
        let lexed = lex::lex(&script);
        let lexed = lexed.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(lexed.components, [set.to_args()]);
    }

    #[test]
    fn no_script_breaks_the_lexer(script in any::<String>(), lines in vec(any_value(), 0..5)) {
        let _ = lex::lex(&script);
        let lines: String = lines.iter().map(|line| format!("#SBATCH {line}\n")).collect();
        let _ = lex::lex(&lines);
    }

    #[test]
    fn names_and_releases_are_read_or_refused(text in any_value()) {
        let found: Result<_, UnknownOption> = lookup(&text);
        if let Err(unknown) = found {
            prop_assert!(unknown.to_string().contains(&text));
        }
        if let Ok(release) = text.parse::<Release>() {
            prop_assert_eq!(release.to_string().parse(), Ok(release));
        }
    }

    #[test]
    fn conflicts_of_any_options_are_found_without_trouble(
        chosen in vec((option(), any_value()), 0..12),
    ) {
        let mut set = OptionSet::new();
        for (spec, value) in chosen {
            if let Ok(value) = spec.parse(&value).or_else(|_| spec.parse(spec.example)) {
                set.set(spec, value, Source::CallSite);
            }
        }
        for conflict in set.conflicts() {
            prop_assert!(set.get(conflict.second).is_some(), "{conflict:?}");
            prop_assert!(lookup(conflict.first).is_ok());
        }
        let _ = (set.newer_than(Release::OLDEST), set.older_than(Release::NEWEST));
    }

    #[test]
    fn a_time_means_its_seconds(days in 0..24_000_u64, hours in 0..99_u64, rest in 0..3_600_u64) {
        let text = format!("{days}-{hours}:{}:{}", rest / 60, rest % 60);
        let time: Walltime = text.parse().map_err(|error| refused(&error))?;
        prop_assert_eq!(time.seconds(), Some(days * 86_400 + hours * 3_600 + rest));
        prop_assert_eq!(time.to_string().parse::<Walltime>(), Ok(time));
    }

    #[test]
    fn a_size_means_its_mib(mib in 0..u64::MAX / 2) {
        let memory = Memory::from_mib(mib);
        prop_assert_eq!(memory.to_string().parse::<Memory>(), Ok(memory));
        prop_assert_eq!(format!("{mib}").parse::<Memory>(), Ok(memory));
    }

    #[test]
    fn an_array_has_the_indices_of_its_ranges(
        ranges in vec((0..2_000_u32, 0..300_u32, 1..50_u32), 1..6),
        limit in proptest::option::of(1..100_u32),
    ) {
        let tokens: Vec<String> = ranges
            .iter()
            .map(|(first, length, step)| format!("{first}-{}:{step}", first + length))
            .collect();
        let limit = limit.map(|limit| format!("%{limit}")).unwrap_or_default();
        let text = format!("{}{limit}", tokens.join(","));
        let array: ArraySpec = text.parse().map_err(|error| refused(&error))?;
        let mut indices: Vec<u32> = ranges
            .iter()
            .flat_map(|(first, length, step)| (*first..=first + length).step_by(*step as usize))
            .collect();
        indices.sort_unstable();
        indices.dedup();
        prop_assert_eq!(Some(array.max_index()), indices.last().copied());
        prop_assert_eq!(array.indices(), indices);
    }

    #[test]
    fn a_list_of_hosts_has_as_many_names_as_it_says(
        parts in vec(("[a-z]{1,3}", 0..500_u64, 0..40_u64, 0..4_usize), 1..4),
    ) {
        let text: Vec<String> = parts
            .iter()
            .map(|(name, low, length, width)| format!("{name}[{low:0width$}-{}]", low + length))
            .collect();
        let list: HostList = text.join(",").parse().map_err(|error| refused(&error))?;
        let hosts = list.hosts().map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(Some(hosts.len()), list.count());
        prop_assert_eq!(hosts.len() as u64, parts.iter().map(|part| part.2 + 1).sum::<u64>());
    }

    #[test]
    fn a_number_of_nodes_keeps_its_bounds(low in 0..100_000_u32, more in 0..1_000_u32) {
        let nodes: NodeCount = format!("{low}-{}", low + more)
            .parse()
            .map_err(|error| refused(&error))?;
        prop_assert_eq!((nodes.min(), nodes.max()), (low, low + more));
    }
}

/// A grammar that were not linear would take hours for these.
#[test]
fn long_values_take_no_longer_than_their_length() {
    let pieces = [
        "1",
        "0-1,",
        "a&",
        "[",
        "(",
        "n[1-2],",
        "afterok:1,",
        ":",
        "gpu:1,",
        "'",
        "0*1,",
        "\\",
        "1:",
        "T",
    ];
    for piece in pieces {
        let value = piece.repeat(131_072 / piece.len());
        for kind in ValueKind::ALL {
            let _ = kind.check(&value);
        }
        let longest = piece.repeat(1_000_000 / piece.len());
        let _ = ValueKind::HostList.check(&longest);
        let _ = ValueKind::Export.check(&longest);
        for spec in OPTIONS {
            let _ = spec.parse(&value[..1_024]);
            let _ = spec.parse(&value[..4_096]);
        }
        let _ = lex::lex(&format!("#SBATCH {value}"));
    }
}
