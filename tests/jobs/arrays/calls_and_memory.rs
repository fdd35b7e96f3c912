//! The cost of arrays: calls of Slurm's commands, and memory.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use slurm::{Cluster, JobState};

use crate::common::Site;
use crate::roles;
use crate::slurm::command_answers::{most_polls, wrapper};
use crate::tasks::square;

trials![
    slurm an_array_is_one_sbatch_and_its_elements_call_nothing,
    slurm states_asked_for_in_a_loop_cost_no_more_than_a_wait,
    local many_items_take_no_more_memory_than_few,
];

/// Returns how often each of Slurm's commands was called by this role, outside and inside jobs.
fn calls_of(site: &Site, role: &str) -> BTreeMap<String, usize> {
    let script = "echo \"${0##*/}${SLURM_JOB_ID:+ inside}\" >> \"$log\"\nexec \"$real\" \"$@\"";
    let all = ["sbatch", "squeue", "sacct", "scancel", "scontrol", "sinfo", "srun", "sstat"];
    let dir = all.map(|program| wrapper(site, program, script))[0].clone();
    let log = site.path("calls");
    let _ = fs::remove_file(&log);
    let answer = roles::run(site, role, "", |command| {
        command.env("PATH", format!("{}:{}", dir.display(), std::env::var("PATH").unwrap()));
    });
    assert_eq!(answer, "done");
    let mut counts = BTreeMap::new();
    for line in fs::read_to_string(&log).unwrap().lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

fn an_array_is_one_sbatch_and_its_elements_call_nothing(site: &Site) {
    let began = Instant::now();
    let counts = calls_of(site, "array-of-twenty");
    let count = |what: &str| counts.get(what).copied().unwrap_or(0);
    assert_eq!((count("sbatch"), count("scontrol")), (1, 1), "{counts:?}");
    let inside: Vec<_> = counts.keys().filter(|what| what.ends_with(" inside")).collect();
    assert!(inside.is_empty(), "{counts:?}");
    // The polls of all elements together.
    let most = most_polls(began);
    assert!(count("squeue") + count("sacct") <= most, "at most {most}: {counts:?}");
    // Calls inside jobs would be counted: each element of several processes calls srun once.
    let counts = calls_of(site, "array-of-processes");
    let expected =
        [("sbatch", 1), ("srun inside", 3)].map(|(what, count)| (what.to_owned(), count));
    let asking = ["squeue", "sacct", "scontrol"];
    let others: Vec<_> =
        counts.into_iter().filter(|(what, _)| !asking.contains(&what.as_str())).collect();
    assert_eq!(others, expected);
}

fn states_asked_for_in_a_loop_cost_no_more_than_a_wait(site: &Site) {
    let began = Instant::now();
    let counts = calls_of(site, "states-in-a-loop");
    let asked: usize = ["squeue", "sacct"].iter().filter_map(|what| counts.get(*what)).sum();
    // Polls for the job and for the array.
    let most = 2 * most_polls(began);
    assert!((2..=most).contains(&asked), "at most {most}: {counts:?}");
}

#[slurm::task(time = "5:00")]
fn length(text: &str) -> usize {
    text.len()
}

pub(crate) fn play(role: &str, argument: &str, cluster: &Cluster) {
    match role {
        "array-of-twenty" => {
            let array = square::map(0..20).mem("256M").submit(cluster).unwrap();
            assert_eq!(array.results().unwrap(), (0..20).map(|n| n * n).collect::<Vec<_>>());
        }
        "states-in-a-loop" => {
            let array = square::map(0..20).mem("256M").submit(cluster).unwrap();
            let job = square::job(7).submit(cluster).unwrap();
            while !(array.is_finished().unwrap() && job.is_finished().unwrap()) {
                let ended = (0..20).filter(|n| array.state(*n).unwrap().is_terminal()).count();
                assert!(ended <= 20 && job.status().is_ok());
            }
            assert_eq!(job.state().unwrap(), JobState::Completed);
            assert_eq!(array.state(19).unwrap(), JobState::Completed);
        }
        "array-of-three" => {
            let array = square::map(0..3).mem("256M").submit(cluster).unwrap();
            assert_eq!(array.results().unwrap(), [0, 1, 4]);
        }
        "array-of-processes" => {
            let array = square::map(0..3).ntasks(2).submit(cluster).unwrap();
            assert_eq!(array.results().unwrap(), [0, 1, 4]);
        }
        "many-items" => {
            let count: usize = argument.parse().unwrap();
            let items = (0..count).map(|n| format!("{n:>1024}"));
            let array = length::map(items).max_running(1).submit(cluster).unwrap();
            assert_eq!(array.len(), count);
            array.cancel().unwrap();
            return println!("{}", peak_kib());
        }
        other => panic!("there is no role {other}"),
    }
    println!("done");
}

/// Returns the peak memory of this process.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn many_items_take_no_more_memory_than_few(site: &Site) {
    let peak =
        |count: &str| -> u64 { roles::run(site, "many-items", count, |_| {}).parse().unwrap() };
    let (few, many) = (peak("10"), peak("200000"));
    // All items together have 200 MiB.
    assert!(many < few + (40 << 10), "{many} KiB for many, {few} KiB for few");
}
