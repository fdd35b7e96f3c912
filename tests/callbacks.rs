//! Callbacks that a Slurmfile names.

use std::sync::Mutex;

use slurm::{Callback, CallbackResult, Cluster, JobHandle, JobState, Slurmfile};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Tell {
    #[serde(default)]
    to: String,
    #[allow(dead_code)]
    #[serde(default)]
    times: u8,
}

static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Callback for Tell {
    fn on_ended(&self, job: &JobHandle, state: &JobState) -> CallbackResult {
        TOLD.lock().unwrap().push(format!("{} {} {state}", self.to, job.job_id));
        Ok(())
    }
}

slurm::callback!("tell-of-it" => Tell);

fn problem_of(text: &str) -> String {
    let opened = Slurmfile::parse(text, "Slurmfile")
        .and_then(|file| file.environment("gpu"))
        .and_then(|gpu| Cluster::builder().environment(gpu).build());
    opened.map_or_else(|error| error.to_string(), |_| "fine".to_owned())
}

fn problem_of_entry(entry: &str) -> String {
    problem_of(&format!("[gpu]\n[[gpu.callbacks]]\n{entry}\n"))
}

#[test]
fn a_callback_must_be_registered_in_the_program() {
    let of = problem_of_entry;
    assert_eq!(of("name = 'tell-of-it'"), "fine");
    assert_eq!(
        of("name = 'tell-of-in'"),
        "Slurmfile:3:8: unknown callback `tell-of-in`; did you mean `tell-of-it`? this program has: tell-of-it"
    );
    assert!(of("name = 'x'").ends_with("this program has: tell-of-it"), "{}", of("name = 'x'"));
}

#[test]
fn the_arguments_of_a_callback_must_fit_its_type() {
    let of = problem_of_entry;
    assert_eq!(of("name = 'tell-of-it'\nargs = { to = 'me', times = 2 }"), "fine");
    let wrong = of("name = 'tell-of-it'\nargs = { to = 'me', times = 300 }");
    assert!(wrong.starts_with("Slurmfile:4:29: args of the callback `tell-of-it`: "), "{wrong}");
    assert!(wrong.contains("`300`") && wrong.contains("u8"), "{wrong}");
    let unknown = of("name = 'tell-of-it'\n[gpu.callbacks.args]\ntoo = 'me'");
    assert!(unknown.starts_with("Slurmfile:5:1: "), "{unknown}");
    assert!(unknown.contains("unknown field `too`"), "{unknown}");
}

#[test]
fn mistakes_in_callbacks_are_reported_with_their_places() {
    let both = problem_of_entry("nmae = 'x'");
    assert!(both.contains("Slurmfile:3:1: unknown setting `nmae`; did you mean `name`?"), "{both}");
    assert!(both.contains("Slurmfile:2:1: a callback needs a name"), "{both}");
    assert!(problem_of("[gpu]\ncallbacks = 1").contains("[[gpu.callbacks]]"));
    let twice = problem_of("[gpu]\ncallbacks = [{ name = 'a' }, { name = 'a' }]");
    assert!(twice.starts_with("Slurmfile:2:30: ") && twice.contains("twice"), "{twice}");
}

#[test]
fn an_environment_replaces_the_callback_of_default_by_its_name() {
    let text = "[[default.callbacks]]\nname = 'tell-of-it'\nargs = { to = 7 }\n\
                [[gpu.callbacks]]\nname = 'tell-of-it'\nargs = { to = 'me' }\n";
    assert_eq!(problem_of(text), "fine");
    let gpu = Slurmfile::parse(text, "Slurmfile").unwrap().environment("gpu").unwrap();
    assert_eq!(gpu.callbacks.len(), 1);
}
