//! The option grammar compared with the real sbatch of this machine.
//!
//! sbatch's own parser is called with a configuration whose controller is a closed port. sbatch tries to send
//! the options that it accepts, and refuses the others before. The grammars of the controller are compared on
//! the test cluster.

// The tests print how many values they have compared.
#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

#[path = "../slurm-core/examples/options_reference/differences.rs"]
mod differences;

use differences::differences;
use slurm::options::{self, Argument, OptionSet, OptionSpec, OptionValue, Source};

const CORPUS: &str = include_str!("../slurm-core/tests/data/sbatch-corpus.tsv");
const ADVERSARIAL: &str = include_str!("../slurm-core/tests/data/sbatch-adversarial.tsv");

/// An sbatch that reaches no controller.
struct Client {
    dir: tempfile::TempDir,
}

impl Client {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // The client reads the names of generic resources from its configuration.
        let gres: BTreeSet<&str> = pairs()
            .filter(|(option, _)| *option == "gres")
            .flat_map(|(_, value)| value.split(','))
            .filter_map(|item| {
                item.trim_start_matches("gres:").trim_start_matches("gres/").split(':').next()
            })
            .filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()) && *name != "none")
            .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
            .filter(|name| known_gres(name))
            .collect();
        let conf = format!(
            "ClusterName=closed\nSlurmctldHost=localhost(127.0.0.1)\nSlurmctldPort=1\nMessageTimeout=1\n\
             SelectType=select/cons_tres\nGresTypes={}\nNodeName=n1 CPUs=1\nPartitionName=debug Nodes=n1 Default=YES\n",
            gres.into_iter().collect::<Vec<_>>().join(",")
        );
        std::fs::write(dir.path().join("slurm.conf"), conf).unwrap();
        Self { dir }
    }

    fn run(&self, arguments: &[String]) -> Output {
        Command::new("sbatch")
            .args(arguments)
            .env("SLURM_CONF", self.dir.path().join("slurm.conf"))
            .current_dir(self.dir.path())
            .output()
            .expect("sbatch is installed")
    }

    /// Returns whether sbatch accepts the argument, or `None` if it does not know the option.
    fn takes(&self, argument: &str) -> Option<bool> {
        let companion = COMPANIONS.iter().find(|(option, _)| argument.starts_with(option));
        let mut fixed =
            vec!["--test-only".to_owned(), argument.to_owned(), "--wrap=true".to_owned()];
        fixed.extend(companion.map(|(_, companion)| (*companion).to_owned()));
        let stderr = String::from_utf8_lossy(&self.run(&fixed).stderr).into_owned();
        let unknown = ["unrecognized option", "is ambiguous"];
        if unknown.iter().any(|words| stderr.contains(words)) {
            return None;
        }
        Some(stderr.contains("Unable to contact slurm controller"))
    }
}

/// Options that sbatch accepts only beside another one.
const COMPANIONS: &[(&str, &str)] = &[
    ("--gpus-per-task=", "--ntasks=1"),
    ("--mem-per-gpu=", "--gpus=4"),
    ("--ntasks-per-gpu=", "--gpus=4"),
];

/// Options that sbatch accepts only from root.
const OF_ROOT: &[&str] = &["uid", "gid"];

/// Returns whether the verdicts of the tables assume that the generic resource is configured.
fn known_gres(name: &str) -> bool {
    let taken = |text: &'static str, verdict: usize| {
        rows(text).any(|row| {
            row[0] == "gres"
                && row[verdict] == "accept"
                && row[1].split([',', ':', '/']).any(|part| part == name)
        })
    };
    taken(CORPUS, 3) || taken(ADVERSARIAL, 2)
}

fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines()
        .filter(|line| !line.starts_with("# option") && !line.is_empty())
        .map(|line| line.split('\t').collect())
}

fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    rows(CORPUS).chain(rows(ADVERSARIAL)).map(|row| (row[0], row[1]))
}

fn unescaped(text: &str) -> String {
    text.replace("\\\\", "\u{0}").replace("\\t", "\t").replace("\\n", "\n").replace('\u{0}', "\\")
}

fn argument(option: &str, value: &str) -> String {
    let bare = options::lookup(option).is_ok_and(|spec| spec.argument != Argument::Required);
    if value.is_empty() && bare { format!("--{option}") } else { format!("--{option}={value}") }
}

/// Calls a function for each item, on two threads.
fn for_each<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(item);
                }
            });
        }
    });
}

#[test]
#[ignore = "needs Slurm's commands: tests/run installs them"]
fn the_grammar_agrees_with_this_sbatch() {
    let client = Client::new();
    let listed: BTreeSet<(String, String)> =
        differences().into_iter().map(|known| (known.option.to_owned(), known.value)).collect();
    let pairs: Vec<(&str, String)> = pairs()
        .filter(|(option, _)| !OF_ROOT.contains(option))
        .map(|(option, value)| (option, unescaped(value)))
        .collect();
    // The client accepts values that only the controller refuses.
    let refused_later: BTreeSet<(&str, String)> = rows(ADVERSARIAL)
        .filter(|row| row[2] == "server" && row[3] == "reject")
        .map(|row| (row[0], unescaped(row[1])))
        .collect();
    let (agreeing, unknown, known) =
        (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let wrong = Mutex::new(Vec::new());
    for_each(&pairs, |(option, value)| {
        let Some(taken) = client.takes(&argument(option, value)) else {
            unknown.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let ours = options::lookup(option).is_ok_and(|spec| spec.parse(value).is_ok());
        if taken == ours || taken && refused_later.contains(&(*option, value.clone())) {
            agreeing.fetch_add(1, Ordering::Relaxed);
        } else if listed.contains(&((*option).to_owned(), value.clone())) {
            known.fetch_add(1, Ordering::Relaxed);
        } else {
            wrong.lock().unwrap().push(format!("--{option}={value:?}: sbatch {taken}, we {ours}"));
        }
    });
    println!(
        "{} pairs: {agreeing:?} agree, {known:?} differ as listed, {unknown:?} are of options that this sbatch lacks",
        pairs.len()
    );
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} differ: {wrong:#?}", wrong.len());
    assert!(agreeing.into_inner() > 1500);
}

#[test]
#[ignore = "needs a cluster: tests/run starts one"]
fn the_grammars_of_the_controller_agree_with_it() {
    let objection = BTreeMap::from([
        ("array", "Invalid job array specification"),
        ("dependency", "Job dependency problem"),
    ]);
    let listed: BTreeSet<(String, String)> =
        differences().into_iter().map(|known| (known.option.to_owned(), known.value)).collect();
    let mut compared = 0;
    for (option, value) in pairs() {
        let (Some(words), value) = (objection.get(option), unescaped(value)) else { continue };
        if value.is_empty() || listed.contains(&(option.to_owned(), value.clone())) {
            continue;
        }
        let output = Command::new("sbatch")
            .args(["--test-only", &argument(option, &value), "--wrap=true"])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let taken = !stderr.contains(words) && !stderr.contains("parameter too long");
        let ours = options::lookup(option).unwrap().parse(&value).is_ok();
        // The grammar does not know the size limit of arrays on this cluster.
        let too_large = option == "array" && ours && !taken;
        assert!(taken == ours || too_large, "--{option}={value:?}: {stderr} we {ours}");
        compared += 1;
    }
    println!("{compared} values of array and dependency compared with the controller");
    assert!(compared > 100);
}

#[test]
#[ignore = "needs Slurm's commands: tests/run installs them"]
fn every_value_survives_the_lines_of_a_script() {
    let client = Client::new();
    let mut random = fastrand::Rng::with_seed(20);
    let letters: Vec<char> =
        "aZ09 \t'\"\\#$`;:=%,|&<>()[]{}*?!~@^-_./ü√\u{1F980}".chars().collect();
    for round in 0..300 {
        let text = |random: &mut fastrand::Rng| -> String {
            let length = random.usize(1..20);
            std::iter::repeat_with(|| letters[random.usize(..letters.len())]).take(length).collect()
        };
        // The name of a job must not contain control characters.
        let name = text(&mut random).replace('\t', "_");
        let given = [("comment", text(&mut random)), ("job-name", name)];
        let mut set = OptionSet::new();
        for (name, value) in &given {
            let spec = options::lookup(name).unwrap();
            set.set(spec, spec.parse(value).unwrap(), Source::CallSite);
        }
        let script = client.dir.path().join("script.sh");
        std::fs::write(&script, format!("#!/bin/sh\n{}\ntrue\n", set.to_directives().join("\n")))
            .unwrap();
        let path = script.to_str().unwrap().to_owned();
        let output = client.run(&["-v".to_owned(), "--test-only".to_owned(), path]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        for (name, value) in given {
            // sbatch -v lists what it has read.
            let line = format!("sbatch: {name:<20}: {value}");
            assert!(
                stderr.lines().any(|found| found == line),
                "round {round}: {line:?} is not in {stderr}"
            );
        }
    }
}

/// Returns the record of a held job, without the fields that differ between any two jobs.
fn recorded(argument: &str) -> Option<BTreeMap<String, String>> {
    const OWN: &[&str] = &[
        "JobId",
        "ArrayJobId",
        "Priority",
        "SubmitTime",
        "EligibleTime",
        "AccrueTime",
        "StartTime",
        "EndTime",
        "LastSchedEval",
        "StdErr",
        "StdIn",
        "StdOut",
        "Deadline",
    ];
    let output = Command::new("sbatch")
        .args(["--parsable", "--hold", "--output=/dev/null", argument, "--wrap=true"])
        .output()
        .unwrap();
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    if id.is_empty() {
        return None;
    }
    let shown = Command::new("scontrol").args(["-o", "show", "job", &id]).output().unwrap();
    assert!(Command::new("scancel").arg(&id).status().unwrap().success());
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let fields = text.lines().next()?.split(' ').filter_map(|field| field.split_once('='));
    // A count of one may be left out, and is recorded as it was written.
    let value = |key: &str, value: &str| {
        let list = key.starts_with("TresPer") || key == "Licenses";
        let items =
            value.split(',').map(|item| if list { item.trim_end_matches(":1") } else { item });
        items.collect::<Vec<_>>().join(",")
    };
    Some(
        fields
            .filter(|(key, _)| !OWN.contains(key))
            .map(|(key, text)| (key.to_owned(), value(key, text)))
            .collect(),
    )
}

#[test]
#[ignore = "needs a cluster: tests/run starts one"]
fn the_canonical_form_means_the_same() {
    // Options whose values this cluster accepts, and that a job's record shows.
    const OPTIONS: &[&str] = &[
        "time",
        "time-min",
        "mem",
        "mem-per-cpu",
        "tmp",
        "nodes",
        "ntasks",
        "ntasks-per-node",
        "cpus-per-task",
        "gpus",
        "gres",
        "distribution",
        "nice",
        "signal",
        "array",
        "constraint",
        "licenses",
        "switches",
        "mail-type",
        "exclusive",
        "cpu-freq",
        "core-spec",
        "export",
        "open-mode",
        "hint",
        "requeue",
        "no-requeue",
        "oversubscribe",
    ];
    let mut tried: BTreeSet<(&str, String)> = pairs()
        .filter(|(option, _)| OPTIONS.contains(option))
        .map(|(option, value)| (option, unescaped(value)))
        .collect();
    tried.extend([
        ("licenses", "matlab:2,ansys".to_owned()),
        ("constraint", "[ib*1&skylake*1]".to_owned()),
    ]);
    let changed: Vec<(&str, String, String)> = tried
        .into_iter()
        .filter_map(|(option, value)| {
            let spec: &OptionSpec = options::lookup(option).ok()?;
            match spec.parse(&value).ok()? {
                // `gpu=2` is a syntax of 23.11; older releases read it as a type.
                OptionValue::Value(_) if value.contains('=') => None,
                OptionValue::Value(canonical) if canonical != value => {
                    Some((option, value, canonical))
                }
                _ => None,
            }
        })
        .collect();
    let compared = AtomicUsize::new(0);
    for_each(&changed, |(option, value, canonical)| {
        let (Some(raw), Some(ours)) =
            (recorded(&argument(option, value)), recorded(&argument(option, canonical)))
        else {
            return;
        };
        let differing: Vec<_> =
            raw.iter().filter(|(key, value)| ours.get(*key) != Some(value)).collect();
        assert!(differing.is_empty(), "--{option}={value:?} and {canonical:?}: {differing:?}");
        compared.fetch_add(1, Ordering::Relaxed);
    });
    println!(
        "{compared:?} of {} values that have another canonical form mean the same in it",
        changed.len()
    );
    assert!(compared.into_inner() > 50);
}

#[test]
fn check_options_answers_line_by_line() {
    let test: PathBuf = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples/check_options");
    let mut child = Command::new(program)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let input = "time\t04:00:00\ntime\t4 h\nno-such\t1\nexclusive\t\nmem\n";
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let lines: Vec<String> =
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert_eq!((lines[0].as_str(), lines[3].as_str()), ("accept", "accept"));
    for (line, words) in [(1, "04:00:00"), (2, "unknown option"), (4, "an empty value")] {
        assert!(
            lines[line].starts_with("reject\t") && lines[line].contains(words),
            "{}",
            lines[line]
        );
    }
}
