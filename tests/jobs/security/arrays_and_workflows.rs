//! Values of arrays, retries and workflows appear nowhere; see docs/security.md.

use std::fs;
use std::path::{Path, PathBuf};

use slurm::{BackendKind, JobArray, Secret, Workflow};

use crate::common::{Site, result_of, until};
use crate::security::single_jobs::{
    contents_below, files_below, keep, length_of, mode, process_table, tight,
};

trials![
    all no_value_of_an_array_appears_outside_its_files,
    all no_value_of_a_workflow_appears_outside_its_files,
    all only_the_owner_can_read_secrets_of_a_workflow,
    all jobs_of_a_workflow_have_its_permissions,
];

const VALUE: &str = "argument-71c0e5ab";

fn result() -> String {
    VALUE.chars().rev().collect()
}

fn contains(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|part| part == word.as_bytes())
}

/// Returns whether a file may hold values.
fn holds_values(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    let is_segment = path.parent().is_some_and(|dir| dir.ends_with("results"));
    ["spec", "items", "result"].contains(&name) || is_segment
}

/// Returns the contents of all files that must not hold values, and the number of files with values.
fn files_of(site: &Site) -> (Vec<u8>, usize) {
    let (mut shown, mut with_values) = (Vec::new(), 0);
    for (path, content) in contents_below(site.base.path()) {
        if path.starts_with(site.path(".bin")) {
            continue;
        }
        if holds_values(&path) {
            with_values += usize::from(contains(&content, VALUE) || contains(&content, &result()));
        } else {
            shown.extend(path.as_os_str().as_encoded_bytes());
            shown.extend(content);
        }
    }
    (shown, with_values)
}

fn assert_nothing_shows(shown: &[u8], of: &str) {
    assert!(contains(shown, of), "the data includes this submission");
    assert!(!contains(shown, VALUE) && !contains(shown, &result()));
}

/// Does what `keep` does, but fails and creates the marker if it does not exist yet.
#[slurm::task(time = "5:00", mem = "256M")]
fn keep_later(value: &str, go: PathBuf, marker: PathBuf) -> Result<String, String> {
    let kept = keep(value, go);
    if marker.exists() {
        return Ok(kept);
    }
    fs::write(marker, "").unwrap();
    Err("not the first time".to_owned())
}

fn running(site: &Site, array: &JobArray<String>) -> Vec<u8> {
    until("all items run", || {
        let progress = array.refresh().unwrap();
        progress.running == progress.items
    });
    let mut shown = process_table();
    if site.kind == BackendKind::Slurm {
        let id = array.job_ids().next().unwrap().to_string();
        let details = site.cluster.command(["scontrol", "show", "job", &id]).unwrap();
        assert!(details.stdout.contains("JobState=RUNNING"), "{details:?}");
        shown.extend(details.stdout.bytes());
    }
    shown
}

fn no_value_of_an_array_appears_outside_its_files(site: &Site) {
    let go = site.path("go");
    let markers = [site.path("first"), site.path("second")];
    fs::write(&markers[0], "").unwrap();
    let items = || markers.iter().map(|marker| (VALUE, go.as_path(), marker.as_path()));
    let builder = keep_later::map(items());
    let mut shown = format!("{builder:?} {builder:#?}").into_bytes();
    let array = builder.submit(&site.cluster).unwrap();
    shown.extend(running(site, &array));
    fs::write(&go, "").unwrap();
    assert_eq!(array.wait().unwrap().failed, 1);
    let error = array.result(1).unwrap_err();
    shown.extend(format!("{error} {error:?} {:?}", error.hint()).bytes());
    assert_eq!(array.retry_failed().unwrap(), 1);
    assert_eq!(array.results().unwrap(), [result(), result()]);
    let explanation = array.explain().unwrap();
    shown.extend(
        format!("{array:?} {:?} {explanation} {explanation:?}", array.handle()).into_bytes(),
    );
    shown.extend(format!("{:?} {:?}", array.stream().unwrap(), array.progress()).into_bytes());
    let again = site.cluster.attach_array::<keep_later>(array.submission_id()).unwrap();
    assert_eq!(again.results().unwrap().len(), 2);
    shown.extend(format!("{again:?}").into_bytes());
    shown.extend(crate::logger::logged().bytes());
    let (files, with_values) = files_of(site);
    shown.extend(files);
    assert!(with_values >= 3, "{with_values}: items and segments hold values");
    assert_nothing_shows(&shown, array.submission_id().as_str());
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn keep_in_jobs(flow: &Workflow, value: &str, go: &Path) -> slurm::Result<String> {
    let array = keep::map([(value, go), (value, go)]).submit(flow)?;
    let job = keep::job(value, go).submit(flow)?;
    eprintln!("{:?} {:?} {array:?} {job:?}", array.handle(), job.handle());
    array.results()?;
    job.result()
}

fn no_value_of_a_workflow_appears_outside_its_files(site: &Site) {
    let go = site.path("go");
    let call = keep_in_jobs::job(VALUE, go.as_path());
    let mut shown = format!("{call:?}").into_bytes();
    let job = call.submit(&site.cluster).unwrap();
    until("its jobs are submitted", || job.stderr().unwrap().contains("JobHandle"));
    shown.extend(process_table());
    fs::write(&go, "").unwrap();
    assert_eq!(result_of(&job), result());
    let graph = job.graph().unwrap();
    shown.extend(format!("{graph:?} {} {}", graph.to_dot(), graph.to_mermaid()).into_bytes());
    shown.extend(format!("{job:?} {:?}", job.explain().unwrap()).into_bytes());
    shown.extend(crate::logger::logged().bytes());
    let (files, with_values) = files_of(site);
    shown.extend(files);
    assert!(with_values >= 5, "{with_values}: specs, items, results and segments hold values");
    assert!(contains(&shown, "\"intent\""), "the data includes the journal");
    assert_nothing_shows(&shown, job.submission_id().as_str());
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn lengths(flow: &Workflow, token: &Secret<String>) -> slurm::Result<usize> {
    let copy = || Secret::new(token.expose().clone());
    let job = length_of::job(copy()).submit(flow)?;
    let array = length_of::map([copy(), copy()]).submit(flow)?;
    Ok(job.result()? + array.results()?.iter().sum::<usize>())
}

fn only_the_owner_can_read_secrets_of_a_workflow(site: &Site) {
    const TOKEN: &str = "hunter2-90d3";
    let job = lengths::job(Secret::new(TOKEN.to_owned())).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 3 * TOKEN.len());
    let mut found = 0;
    for (path, content) in contents_below(job.job_dir()) {
        if contains(&content, TOKEN) {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            found += 1;
        }
    }
    assert_eq!(found, 3, "the specs of the workflow and of its job, and the items");
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn small_flow(flow: &Workflow) -> slurm::Result<i64> {
    let array = crate::tasks::square::map(0..2).submit(flow)?;
    let job = crate::tasks::add::job(1, 2).submit(flow)?;
    Ok(array.results()?.iter().sum::<i64>() + job.result()?)
}

fn jobs_of_a_workflow_have_its_permissions(site: &Site) {
    let job = small_flow::job().submit(&tight(site)).unwrap();
    assert_eq!(result_of(&job), 4);
    let scripts: Vec<PathBuf> = files_below(job.job_dir())
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "sh"))
        .collect();
    assert_eq!(scripts.len(), 3, "{scripts:?}");
    for script in scripts {
        assert_eq!(mode(&script), 0o700, "{}", script.display());
        assert_eq!(mode(script.parent().unwrap()), 0o700, "{}", script.display());
    }
}
