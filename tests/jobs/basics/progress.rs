//! Progress output of waits for arrays and jobs.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use slurm::{Cluster, ClusterBuilder, Error, JobArray};

use crate::common::{PATIENCE, Site};
use crate::roles;
use crate::tasks::{nap, square, wait_for};

trials![
    local every_wait_for_an_array_shows_a_bar,
    local without_a_terminal_progress_is_written_as_lines,
    local progress_that_is_off_prints_nothing,
    local a_wait_for_one_job_shows_its_place_and_nodes,
    local progress_shows_that_a_job_waits_behind_others,
    local a_bar_is_drawn_even_if_items_end_in_quick_succession,
];

const WAYS: &[&str] = &["results", "wait_timeout", "stream", "as_completed"];

/// Waits, in one of several ways, for an array whose last item ends when the file `go` exists.
pub(crate) fn play(argument: &str) {
    let (way, rest) = argument.split_once(' ').unwrap();
    let (mode, go) = rest.split_once(' ').unwrap();
    // Several of these processes wait at the same time.
    let builder = ClusterBuilder::from_env().unwrap().local_cpus(9);
    let cluster = builder.progress(mode.parse().unwrap()).build().unwrap();
    match way {
        "job" | "portions" | "behind" => return play_jobs(way, go, &cluster),
        "soon-results" | "soon-stream" => return play_soon(way, &cluster),
        _ => {}
    }
    // The first item waits for a file that exists.
    let program = std::env::current_exe().unwrap();
    let array = wait_for::map([program.as_path(), Path::new(go)]).submit(&cluster).unwrap();
    let wait = |array: &JobArray<bool>| match way {
        "results" => array.results().unwrap().len(),
        "wait_timeout" => array.wait_timeout(PATIENCE).unwrap().ended(),
        "stream" => array.stream().unwrap().count(),
        _ => {
            let other = square::map([3]).submit(&cluster).unwrap();
            slurm::as_completed(&[array, &other]).unwrap().count()
        }
    };
    println!("{} have ended", wait(&array));
}

fn play_jobs(way: &str, go: &str, cluster: &Cluster) {
    let job = || wait_for::job(Path::new(go)).cpus_per_task(9).submit(cluster).unwrap();
    let (first, second) = (job(), job());
    let value = match way {
        "job" => first.result().unwrap(),
        "behind" => second.result().unwrap(),
        _ => loop {
            match first.result_timeout(Duration::from_millis(300)) {
                Err(Error::StillRunning { .. }) => {}
                other => break other.unwrap(),
            }
        },
    };
    assert!(value && second.result().unwrap());
    println!("they have ended");
}

fn play_soon(way: &str, cluster: &Cluster) {
    // Each item ends less than a tick after the one before, for longer than the delay of a bar.
    let array = nap::map(std::iter::repeat_n(20, 300)).chunk(300).submit(cluster).unwrap();
    let count = match way {
        "soon-results" => array.results().unwrap().len(),
        _ => array.stream().unwrap().count(),
    };
    println!("{count} have ended");
}

/// A process with this role, and its output so far.
struct Waiting {
    child: Child,
    written: Receiver<Vec<u8>>,
    text: String,
    go: PathBuf,
}

impl Waiting {
    fn begin(site: &Site, way: &str, mode: &str, on_terminal: bool) -> Self {
        let go = site.path(&format!("go-{way}-{mode}"));
        let program = std::env::current_exe().unwrap();
        let mut command = match on_terminal {
            // A program of util-linux. It runs a command on a terminal of its own and copies its output.
            true => {
                let mut script = Command::new("script");
                // A bar needs a wide terminal.
                let line = format!("stty cols 120 rows 30; exec '{}'", program.display());
                script.args(["-qefc", &line, "/dev/null"]);
                script
            }
            false => Command::new(program),
        };
        let argument = format!("{way} {mode} {}", go.display());
        roles::cast(&mut command, site, "progress", &argument);
        command.env("TERM", "xterm").env("SHELL", "/bin/sh").stdin(Stdio::null());
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let child = command.spawn().unwrap();
        drop(command);
        Self { child, written: receiver(reader), text: String::new(), go }
    }

    /// Reads the output until it contains `word`.
    fn until(&mut self, word: &str) {
        while !self.text.contains(word) {
            let Ok(bytes) = self.written.recv_timeout(PATIENCE) else {
                panic!("{word:?} did not appear in {:?}", self.text)
            };
            self.text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Lets the last item end, and returns the whole output.
    fn end(mut self) -> String {
        std::fs::write(&self.go, "").unwrap();
        self.until("have ended");
        assert!(self.child.wait().unwrap().success(), "{:?}", self.text);
        self.text
            .extend(self.written.iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
        self.text
    }
}

fn receiver(mut reader: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, written) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            if sender.send(buffer[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    written
}

/// Returns the counts in a bar while the last item is open, and at the end.
fn counts(way: &str) -> (&'static str, &'static str) {
    if way == "as_completed" { ("2/3", "3/3") } else { ("1/2", "2/2") }
}

fn every_wait_for_an_array_shows_a_bar(site: &Site) {
    for way in WAYS {
        let mut waiting = Waiting::begin(site, way, "auto", true);
        let (begun, all) = counts(way);
        waiting.until(begun);
        let text = waiting.end();
        assert!(text.contains("[=") && text.contains(all), "{way}: {text:?}");
        assert!(text.contains('\r'), "it is redrawn: {text:?}");
    }
}

fn without_a_terminal_progress_is_written_as_lines(site: &Site) {
    let all: Vec<Waiting> =
        WAYS.iter().map(|way| Waiting::begin(site, way, "auto", false)).collect();
    for (way, mut waiting) in WAYS.iter().zip(all) {
        let (begun, all) = match *way {
            "as_completed" => ("2 jobs: 2 of 3 items", "2 jobs: 3 of 3 items"),
            _ => ("wait_for: 1 of 2 items", "wait_for: 2 of 2 items"),
        };
        waiting.until(begun);
        let text = waiting.end();
        assert!(text.contains(all) && !text.contains('\r'), "{way}: {text:?}");
    }
}

fn a_wait_for_one_job_shows_its_place_and_nodes(site: &Site) {
    for way in ["job", "portions"] {
        let mut waiting = Waiting::begin(site, way, "auto", false);
        waiting.until("wait_for: running on ");
        let text = waiting.end();
        let submitted = format!(
            "wait_for: job {} on local, in {}",
            first_id(&text),
            site.base.path().display()
        );
        assert!(text.starts_with(&submitted), "{way}: {text:?}");
        assert!(
            text.contains(", limit 5m\n") && text.contains("wait_for: ended after "),
            "{way}: {text:?}"
        );
        let mut waiting = Waiting::begin(site, way, "bar", true);
        waiting.until("wait_for, job ");
        waiting.until(": running on ");
        let text = waiting.end();
        assert!(
            text.contains(" on local, in ") && !text.contains("ended after"),
            "{way}: {text:?}"
        );
    }
}

/// Returns the first number in a text.
fn first_id(text: &str) -> &str {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    &digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())]
}

fn progress_shows_that_a_job_waits_behind_others(site: &Site) {
    let mut waiting = Waiting::begin(site, "behind", "plain", false);
    waiting.until("wait_for: pending: Resources: it waits for enough free CPUs, memory or GPUs\n");
    waiting.end();
}

fn a_bar_is_drawn_even_if_items_end_in_quick_succession(site: &Site) {
    for way in ["soon-results", "soon-stream"] {
        let text = Waiting::begin(site, way, "bar", true).end();
        let is_half = |part: &str| (1..300).any(|n| part.ends_with(&format!(" {n}")));
        let drawn = text.split("/300").filter(|part| is_half(part)).count();
        assert!(drawn > 3, "{way}: drawn {drawn} times: {text:?}");
    }
}

fn progress_that_is_off_prints_nothing(site: &Site) {
    for way in WAYS {
        let silent = Waiting::begin(site, way, "off", true);
        // A later wait shows its bar already.
        let mut other = Waiting::begin(site, way, "bar", true);
        other.until(counts(way).0);
        other.end();
        let text = silent.end();
        let told = text.trim().ends_with("have ended") && text.lines().count() == 1;
        assert!(told, "{way}: {text:?}");
    }
}
