//! `#SBATCH` lines: sbatch's lexer, and what the rules between options say of whole scripts.

// The counts are part of what these tests are for.
#![allow(clippy::print_stdout)]

#[path = "support/getopt.rs"]
mod getopt;
#[path = "support/lex.rs"]
mod lex;
mod support;

use std::collections::BTreeMap;

use slurm_core::options::{OptionSet, OptionValue, Source, lookup};

/// One script header that was given to sbatch 22.05.8.
struct Header {
    lines: String,
    accepted: bool,
    parsed: String,
}

fn headers() -> Vec<Header> {
    let text = support::data("sbatch-directives.tsv");
    let rows = text.lines().skip(1).filter(|line| !line.is_empty());
    rows.map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        Header {
            lines: columns[0].to_owned(),
            accepted: columns[2] == "accept",
            parsed: columns[4].to_owned(),
        }
    })
    .collect()
}

/// What this library makes of a header: the options of its first component, or why it is refused.
fn read(lines: &str) -> Result<OptionSet, String> {
    let script = format!("#!/bin/sh\n{}\nhostname\n", lines.replace("\\n", "\n"));
    let lexed = lex::lex(&script).map_err(|error| error.to_string())?;
    let mut sets = Vec::new();
    for component in &lexed.components {
        let set = getopt::read(component)?;
        if let Some(conflict) = set.conflicts().first() {
            return Err(conflict.to_string());
        }
        sets.push(set);
    }
    Ok(sets.remove(0))
}

#[test]
fn every_header_agrees_with_sbatch_or_is_a_listed_difference() {
    let listed = support::listed("directive-differences.tsv");
    let mut differing = BTreeMap::new();
    let mut agreeing = 0;
    for header in headers() {
        let ours = read(&header.lines);
        if ours.is_ok() == header.accepted {
            agreeing += 1;
        } else {
            differing.insert(header.lines, ours.err());
        }
    }
    println!("{agreeing} headers agree, {} differ", differing.len());
    for (lines, reason) in &differing {
        assert!(listed.contains_key(lines), "not listed: {lines}\t{reason:?}");
    }
    for lines in listed.keys() {
        assert!(differing.contains_key(lines), "listed, but agreeing: {lines}");
    }
}

#[test]
fn an_accepted_header_sets_the_options_that_sbatch_shows() {
    let mut compared = 0;
    for header in headers().into_iter().filter(|header| header.accepted) {
        let Ok(set) = read(&header.lines) else {
            continue;
        };
        for (name, shown) in header.parsed.split("; ").filter_map(|pair| pair.split_once('=')) {
            // sbatch's own rewriting: the prefix of resources, "set" for flags, defaults for
            // others.
            let shown = shown.trim_start_matches("gres:");
            let (Ok(spec), Some(ours)) = (lookup(name), set.get(name)) else {
                continue;
            };
            if shown == "set" {
                assert_eq!(ours, &OptionValue::Flag, "{}", header.lines);
            } else {
                let theirs = spec.parse(shown).map_err(|error| error.to_string());
                // With -N4 -n2 sbatch lowers the number of nodes.
                if name != "nodes" {
                    assert_eq!(theirs.as_ref(), Ok(ours), "{}", header.lines);
                }
            }
            compared += 1;
        }
    }
    println!("{compared} options compared");
    assert!(compared > 30, "{compared}");
}

fn written(arguments: &[&str]) -> (Vec<String>, Vec<String>) {
    let mut set = OptionSet::new();
    for argument in arguments {
        set.extra((*argument).to_owned()).unwrap_or_else(|error| panic!("{error}"));
    }
    (set.to_args(), set.to_directives())
}

#[test]
fn written_lines_are_read_back() {
    let awkward = [
        "--comment=a b",
        "--comment=it's",
        "--comment=say \"hi\"",
        "--comment=it's \"both\"",
        "--comment=a#b",
        "--comment=#b",
        "--comment=back\\slash",
        "--comment=ends in \\",
        "--comment=a\\ b",
        "--comment=\\",
        "--comment=\\\\",
        "--comment='",
        "--comment=\"",
        "--comment=tab\there",
        "--comment= leading",
        "--comment=trailing ",
        "--comment=cr\r",
        "--comment=é — ünï",
        "--comment=$HOME `x` $(y)",
        "--comment=hetjob",
        "--comment=a=b=c",
        "--comment=",
        "--constraint=[a|b]&(c)",
        "hetjob",
        "packjob",
        ":colon",
        "--weird name=x",
        "plain",
        "--exclusive",
    ];
    let (arguments, lines) = written(&awkward);
    let script = format!("#!/bin/sh\n{}\n", lines.join("\n"));
    let lexed = lex::lex(&script).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(lexed.components, [arguments]);
}

#[test]
fn plain_values_are_not_quoted() {
    let mut set = OptionSet::new();
    for (key, value) in
        [("time", "4:00:00"), ("exclusive", ""), ("comment", "a b"), ("gpus", "a100:2")]
    {
        let spec = lookup(key).unwrap_or_else(|error| panic!("{error}"));
        let value = spec.parse(value).unwrap_or_else(|error| panic!("{error}"));
        set.set(spec, value, Source::Attribute);
    }
    assert_eq!(
        set.to_directives(),
        [
            "#SBATCH --comment='a b'",
            "#SBATCH --exclusive",
            "#SBATCH --gpus=a100:2",
            "#SBATCH --time=04:00:00",
        ]
    );
    assert_eq!(set.to_args(), ["--comment=a b", "--exclusive", "--gpus=a100:2", "--time=04:00:00"]);
}

#[test]
fn scanning_stops_at_the_first_command_and_skips_comments() {
    let script =
        "#!/bin/sh\n# note\n\n##SBATCH -n1\n #SBATCH -n2\n#SBATCH -n3\necho\n#SBATCH -n4\n";
    let lexed = lex::lex(script).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(lexed.components, [["-n3".to_owned()]]);
}

#[test]
fn components_are_apart() {
    let script = "#SBATCH -N1\n#SBATCH hetjob\n#SBATCH -N2 -n4\n";
    let lexed = lex::lex(script).unwrap_or_else(|error| panic!("{error}"));
    let expected = [vec!["-N1".to_owned()], vec!["-N2".to_owned(), "-n4".to_owned()]];
    assert_eq!(lexed.components, expected);
}
