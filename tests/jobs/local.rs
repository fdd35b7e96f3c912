//! What only the embedded backend does, or what only it can be made to do.

use std::fs;
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use slurm::error::JobErrorKind;
use slurm::{BackendKind, Cluster, Error, JobState};

use crate::common::{Site, kind_of, on, result_of, until};
use crate::tasks::*;

pub(crate) fn trials() -> Vec<Trial> {
    let local = |name, body| on(BackendKind::Local, name, body);
    vec![
        local("jobs_wait_until_they_fit", jobs_wait_until_they_fit),
        local("a_job_larger_than_the_machine_runs_alone", a_job_larger_than_the_machine),
        local("a_time_limit_ends_a_job", a_time_limit_ends_a_job),
        local("a_warning_signal_comes_before_the_end", a_warning_signal_comes),
        local("a_dead_supervisor_loses_nothing", a_dead_supervisor_loses_nothing),
        local("what_cannot_be_honoured_is_refused", what_cannot_be_honoured),
        local("a_supervisor_with_nothing_to_do_ends", an_idle_supervisor_ends),
        local("dependencies_order_jobs", dependencies_order_jobs),
    ]
}

fn jobs_wait_until_they_fit(site: &Site) {
    let (first_go, second_go) = (site.path("first"), site.path("second"));
    let submit = |file| wait_for::job(file).cpus_per_task(3).submit(&site.cluster).unwrap();
    let (first, second) = (submit(&first_go), submit(&second_go));
    until("the first runs", || first.state().unwrap() == JobState::Running);
    let small = add::job(1, 2).submit(&site.cluster).unwrap();
    assert_eq!(second.state().unwrap(), JobState::Pending, "3 + 3 of 4 CPUs");
    assert_eq!(small.state().unwrap(), JobState::Pending, "a small one does not overtake");
    fs::write(&first_go, "").unwrap();
    assert!(result_of(&first));
    assert_eq!(result_of(&small), 3);
    fs::write(&second_go, "").unwrap();
    assert!(result_of(&second));
}

fn a_job_larger_than_the_machine(site: &Site) {
    let job = look_around::job().cpus_per_task(60_000).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job).cpus, 4);
    assert!(job.explain().unwrap().warnings[0].starts_with("asks for 60000 CPUs"));
}

fn a_time_limit_ends_a_job(site: &Site) {
    let job = wait_for::job(site.path("never"))
        .time(Duration::from_secs(1))
        .submit(&site.cluster)
        .unwrap();
    assert_eq!(kind_of(&job), JobErrorKind::TimedOut);
}

fn a_warning_signal_comes(site: &Site) {
    let ready = site.path("ready");
    let job = wait_for_stop::job(ready)
        .time(Duration::from_secs(5))
        .signal("B:USR1@3")
        .submit(&site.cluster)
        .unwrap();
    assert_eq!(result_of(&job), "asked to stop");
}

fn a_dead_supervisor_loses_nothing(site: &Site) {
    let (go, next_go) = (site.path("go"), site.path("next"));
    let running = wait_for::job(&go).cpus_per_task(4).submit(&site.cluster).unwrap();
    until("the task runs", || running.stderr().unwrap().contains("waiting"));
    let waiting = wait_for::job(&next_go).cpus_per_task(4).submit(&site.cluster).unwrap();
    let host = fs::read_dir(site.base.path().join(".local")).unwrap().next().unwrap().unwrap();
    let address = fs::read_to_string(host.path().join("supervisor.json")).unwrap();
    let pid = serde_json::from_str::<serde_json::Value>(&address).unwrap()["pid"].to_string();
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    // Another client, whose connection is not the broken one.
    let cluster = Cluster::builder().job_base_dir(site.base.path()).local_cpus(4).build().unwrap();
    let found = cluster.attach::<wait_for>(running.handle()).unwrap();
    assert_eq!(found.state().unwrap(), JobState::Running);
    assert_eq!(waiting.state().unwrap(), JobState::Pending, "its CPUs are still taken");
    fs::write(&go, "").unwrap();
    assert!(result_of(&found) && result_of(&running));
    fs::write(&next_go, "").unwrap();
    assert!(result_of(&waiting));
}

fn what_cannot_be_honoured(site: &Site) {
    let error = add::job(1, 2).begin("now+1hour").submit(&site.cluster).unwrap_err();
    assert!(matches!(error, Error::Submit(_)), "{error:?}");
    assert!(error.to_string().contains("`begin`") && error.hint().is_some(), "{error}");
    assert!(site.submissions().is_empty());
}

fn an_idle_supervisor_ends(site: &Site) {
    let (base, host) = (site.base.path().to_owned(), site.path(".local"));
    let cluster = Cluster::builder().job_base_dir(base).build().unwrap();
    assert_eq!(result_of(&add::job(1, 2).submit(&cluster).unwrap()), 3);
    drop(cluster);
    let address =
        fs::read_dir(host).unwrap().next().unwrap().unwrap().path().join("supervisor.json");
    until("the supervisor is gone", || !address.exists());
    assert_eq!(result_of(&add::job(2, 2).submit(&site.cluster).unwrap()), 4, "another one starts");
}

fn dependencies_order_jobs(site: &Site) {
    let go = site.path("go");
    let first = wait_for::job(&go).submit(&site.cluster).unwrap();
    let submit = |call: slurm::JobBuilder<add>| call.submit(&site.cluster).unwrap();
    let ok = submit(add::job(1, 2).after(&first));
    let any = submit(add::job(1, 2).after_any(&first));
    let not_ok = submit(add::job(1, 2).after_not_ok(&first));
    until("the first runs", || first.state().unwrap() == JobState::Running);
    assert_eq!(ok.state().unwrap(), JobState::Pending);
    fs::write(&go, "").unwrap();
    assert_eq!((result_of(&ok), result_of(&any)), (3, 3));
    let JobErrorKind::DependencyFailed { upstream } = kind_of(&not_ok) else { panic!("not that") };
    assert_eq!((upstream[0].job, upstream[0].message.as_str()), (first.id(), "succeeded"));
}
