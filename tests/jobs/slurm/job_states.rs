//! The state of a job if a source does not list it, cannot answer, or answers only in part.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use slurm::{Cluster, Error, JobArray, JobErrorKind, JobId, JobState};

use crate::common::{PATIENCE, Site, kind_of, login_node, until};
use crate::roles;
use crate::slurm::command_answers::wrapper;
use crate::tasks::*;
use crate::workflows::jobs_of_workflows::hold;

trials![
    slurm a_cancelled_pending_array_is_cancelled,
    slurm forgotten_elements_are_cancelled_for_every_handle,
    slurm still_running_names_the_node_or_the_reason,
    ssh a_cancelled_array_that_only_the_accounting_lists_is_cancelled,
    ssh a_forgotten_cancelled_job_is_cancelled_for_every_handle,
    ssh a_failed_dependency_is_known_from_the_accounting_alone,
    ssh jobs_in_hidden_partitions_are_found,
    ssh a_sacct_that_fails_for_lists_is_called_for_each_id,
    ssh cancelling_an_unknown_job_fails,
    ssh a_failed_source_does_not_decide_the_state,
    ssh a_job_that_slurm_has_forgotten_is_found_by_its_id,
    ssh questions_about_jobs_go_to_their_cluster,
    ssh the_arrays_of_a_submission_are_on_one_cluster,
    slurm variables_can_choose_the_cluster,
    both every_id_that_squeue_shows_can_be_attached_to,
];

fn array_of(site: &Site, items: i64) -> JobArray<i64> {
    square::map(0..items).begin("now+1hour").submit(&site.cluster).unwrap()
}

fn id_of(array: &JobArray<i64>) -> JobId {
    array.job_ids().next().unwrap()
}

/// Waits for items and asserts that each was cancelled.
fn assert_cancelled(array: &JobArray<i64>, items: std::ops::Range<usize>) {
    let is_over = || array.refresh().is_ok_and(|progress| progress.ended() >= items.len());
    until("the items have ended", is_over);
    for (item, result) in array.try_results().unwrap().into_iter().enumerate() {
        let Err(Error::Job(error)) = result else { panic!("item {item}: {result:?}") };
        assert_eq!(error.kind, JobErrorKind::Cancelled, "item {item}: {error}");
    }
}

fn scancel(arguments: &[&str]) {
    assert!(Command::new("scancel").args(arguments).status().unwrap().success());
}

fn a_cancelled_pending_array_is_cancelled(site: &Site) {
    let by_items = array_of(site, 6);
    let by_element = array_of(site, 6);
    let by_state = array_of(site, 6);
    by_items.cancel_items(0..6).unwrap();
    scancel(&[&format!("{}_[0-5]", id_of(&by_element))]);
    scancel(&["-t", "PENDING", &id_of(&by_state).to_string()]);
    for array in [&by_items, &by_element, &by_state] {
        assert_cancelled(array, 0..6);
    }
}

fn forgotten_elements_are_cancelled_for_every_handle(site: &Site) {
    let array = array_of(site, 6);
    array.cancel_items(0..2).unwrap();
    let notes = || {
        let files = fs::read_dir(array.job_dir()).unwrap().flatten();
        files.filter(|file| file.file_name().to_string_lossy().starts_with("cancelled-")).count()
    };
    assert_eq!(notes(), 1);
    let other = site.cluster.attach_array::<square>(array.handle()).unwrap();
    let began = Instant::now();
    for handle in [&array, &other] {
        let stream = handle.stream().unwrap();
        let ended: Vec<_> = stream.take(2).collect();
        for (item, result) in ended {
            let Err(Error::Job(error)) = result else { panic!("item {item}: {result:?}") };
            assert!(item < 2 && error.kind == JobErrorKind::Cancelled, "item {item}: {error}");
        }
    }
    assert!(
        began.elapsed() < Duration::from_secs(55),
        "the wait took as long as for lost elements"
    );
    array.cancel().unwrap();
}

fn still_running_names_the_node_or_the_reason(site: &Site) {
    let running = wait_for::job(site.path("never")).submit(&site.cluster).unwrap();
    until("the job runs", || running.stderr().unwrap().contains("waiting"));
    let known = |job: &slurm::Job<bool>| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Err(Error::StillRunning { known, .. }) = job.result_timeout(Duration::from_secs(2))
            else {
                panic!("it has ended");
            };
            if known.status.is_some() || Instant::now() > deadline {
                break known;
            }
        }
    };
    let seen = known(&running);
    assert!(seen.to_string().starts_with("it is running on n"), "{seen}");
    running.cancel().unwrap();
    let held = wait_for::job(site.path("never")).hold(true).submit(&site.cluster).unwrap();
    let seen = known(&held);
    assert!(seen.to_string().starts_with("it is pending: JobHeldUser: "), "{seen}");
    held.cancel().unwrap();
}

/// Returns a cluster that prefers the commands in `dir`.
fn behind(site: &Site, dir: &Path) -> Cluster {
    let login = login_node().slurm_bin_dir(dir.to_str().unwrap());
    Cluster::builder().ssh(login).job_base_dir(site.base.path()).build().unwrap()
}

/// Makes squeue list nothing when the file `forgotten` exists.
fn forgetful(site: &Site) -> std::path::PathBuf {
    let script =
        format!("[ -e {} ] && exit 0\nexec \"$real\" \"$@\"", site.path("forgotten").display());
    wrapper(site, "squeue", &script)
}

fn forget(site: &Site) {
    fs::write(site.path("forgotten"), "").unwrap();
}

fn a_cancelled_array_that_only_the_accounting_lists_is_cancelled(site: &Site) {
    let array = array_of(site, 6);
    scancel(&["-t", "PENDING", &id_of(&array).to_string()]);
    forget(site);
    let cluster = behind(site, &forgetful(site));
    let later = cluster.attach_array::<square>(array.handle()).unwrap();
    assert_cancelled(&later, 0..6);
}

fn a_forgotten_cancelled_job_is_cancelled_for_every_handle(site: &Site) {
    let dir = forgetful(site);
    no_accounting(site);
    let cluster = behind(site, &dir);
    let job = add::job(1, 2).begin("now+1hour").submit(&cluster).unwrap();
    let dependent = add::job(1, 2).after(&job).submit(&cluster).unwrap();
    let lost = add::job(1, 2).begin("now+1hour").submit(&cluster).unwrap();
    job.cancel().unwrap();
    scancel(&[&lost.id().to_string()]);
    until("both have ended", || {
        [&lost, &dependent].iter().all(|job| job.state().unwrap().is_terminal())
    });
    forget(site);
    // scancel of a job that has ended already says nothing about its end.
    let script = "echo \"scancel: error: Kill job error on job id $2: Job/step already completing or completed\" >&2";
    wrapper(site, "scancel", script);
    cluster.attach::<add>(lost.handle()).unwrap().cancel().unwrap();
    let later = behind(site, &dir);
    let attached = later.attach::<add>(job.handle()).unwrap();
    assert_eq!(attached.state().unwrap(), JobState::Cancelled);
    assert_eq!(kind_of(&later.attach::<add>(job.handle()).unwrap()), JobErrorKind::Cancelled);
    let after = add::job(1, 2).after(&attached).submit(&later).unwrap_err();
    assert!(after.to_string().contains("CANCELLED"), "{after}");
    let said = later.attach::<add>(lost.handle()).unwrap().state().unwrap_err();
    assert!(matches!(said, Error::NoSuchJob { .. }), "{said:?}");
}

fn a_failed_dependency_is_known_from_the_accounting_alone(site: &Site) {
    let first = exit_with::job(3).submit(&site.cluster).unwrap();
    let second = add::job(1, 2).after(&first).submit(&site.cluster).unwrap();
    let many = square::map(0..3).after(&first).submit(&site.cluster).unwrap();
    assert_eq!(kind_of(&first), JobErrorKind::Crashed);
    let cancelled = add::job(1, 2).begin("now+1hour").submit(&site.cluster).unwrap();
    cancelled.cancel().unwrap();
    until("the second has ended", || second.state().is_ok_and(|state| state.is_terminal()));
    forget(site);
    let cluster = behind(site, &forgetful(site));
    let attached = cluster.attach::<add>(second.handle()).unwrap();
    let kind = kind_of(&attached);
    let JobErrorKind::DependencyFailed { upstream } = &kind else { panic!("{kind:?}") };
    assert_eq!(upstream[0].job, first.id());
    let attached = cluster.attach_array::<square>(many.handle()).unwrap();
    for result in attached.try_results().unwrap() {
        let Err(Error::Job(error)) = result else { panic!("{result:?}") };
        assert!(matches!(error.kind, JobErrorKind::DependencyFailed { .. }), "{error}");
    }
    let attached = cluster.attach::<add>(cancelled.handle()).unwrap();
    assert_eq!(kind_of(&attached), JobErrorKind::Cancelled);
}

fn no_accounting(site: &Site) {
    wrapper(site, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1");
}

fn jobs_in_hidden_partitions_are_found(site: &Site) {
    // Like the real one, this squeue lists jobs in hidden partitions only if asked to.
    let script = "case \" $* \" in *' -a '*) exec \"$real\" \"$@\";; esac";
    let dir = wrapper(site, "squeue", script);
    no_accounting(site);
    let cluster = behind(site, &dir);
    let job = wait_for::job(site.path("go")).submit(&cluster).unwrap();
    job.state().unwrap();
    assert_eq!(cluster.attach::<wait_for>(job.id()).unwrap().id(), job.id());
    // A running workflow in a hidden partition must not be resumed.
    let flow = hold::job(site.path("go"), 0).submit(&cluster).unwrap();
    until("the workflow runs", || flow.state().is_ok_and(|state| state == JobState::Running));
    let again = hold::job(site.path("go"), 0).resume(&flow).unwrap().submit(&cluster);
    assert!(
        again.as_ref().is_err_and(|error| error.to_string().contains("has not ended")),
        "{again:?}"
    );
    fs::write(site.path("go"), "").unwrap();
    assert!(crate::common::result_of(&job));
    assert!(crate::common::result_of(&flow));
}

fn a_sacct_that_fails_for_lists_is_called_for_each_id(site: &Site) {
    let jobs = [7, 8].map(|code| exit_with::job(code).submit(&site.cluster).unwrap());
    jobs.iter().for_each(|job| assert_eq!(kind_of(job), JobErrorKind::Crashed));
    forget(site);
    let dir = forgetful(site);
    let script = "before=; for word; do\n\
                  case $before$word in -j*,*) echo 'Problem talking to the database: Connection refused' >&2; exit 1;; esac\n\
                  before=$word; done\nexec \"$real\" \"$@\"";
    wrapper(site, "sacct", script);
    let cluster = behind(site, &dir);
    let again = jobs.map(|job| cluster.attach::<exit_with>(job.handle()).unwrap());
    let both: Vec<&dyn slurm::Awaitable> =
        again.iter().map(|job| job as &dyn slurm::Awaitable).collect();
    let _watched = slurm::as_completed(&both).unwrap();
    for (job, code) in again.iter().zip([7, 8]) {
        let error = crate::common::error_of(job);
        assert_eq!(
            (&error.kind, error.job.exit_code),
            (&JobErrorKind::Crashed, Some(code)),
            "{error}"
        );
    }
}

fn cancelling_an_unknown_job_fails(site: &Site) {
    let job = add::job(1, 2).begin("now+1hour").submit(&site.cluster).unwrap();
    let dir = forgetful(site);
    no_accounting(site);
    let script =
        "echo \"scancel: error: Kill job error on job id $2: Invalid job id specified\" >&2";
    wrapper(site, "scancel", script);
    let cluster = behind(site, &dir);
    let attached = cluster.attach::<add>(job.handle()).unwrap();
    let error = attached.cancel().unwrap_err();
    assert!(matches!(error, Error::Unclear { .. }), "it is pending: {error:?}");
    forget(site);
    let error = attached.cancel().unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, Error::NoSuchJob { .. }), "{error:?}");
    assert!(said.contains("squeue does not list it; sacct cannot tell"), "{said}");
    let array = array_of(site, 3);
    let attached = cluster.attach_array::<square>(array.handle()).unwrap();
    let error = attached.cancel_items(0..3).unwrap_err();
    assert!(matches!(error, Error::NoSuchJob { .. }), "{error:?}");
    job.cancel().unwrap();
    array.cancel().unwrap();
    // Cancelling a job that has ended is not an error, whatever scancel says.
    let ended = add::job(1, 2).submit(&site.cluster).unwrap();
    assert_eq!(crate::common::result_of(&ended), 3);
    cluster.attach::<add>(ended.handle()).unwrap().cancel().unwrap();
}

fn a_failed_source_does_not_decide_the_state(site: &Site) {
    let job = add::job(1, 2).begin("now+1hour").submit(&site.cluster).unwrap();
    let dir = forgetful(site);
    wrapper(site, "sacct", "echo 'Connection refused' >&2; exit 1");
    forget(site);
    let cluster = behind(site, &dir);
    let attached_to = |flow: &slurm::Job<bool>| cluster.attach::<hold>(flow.handle()).unwrap();
    let attached = cluster.attach::<add>(job.handle()).unwrap();
    let error = attached.state().unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, Error::Unclear { .. }), "{error:?}");
    assert!(said.contains("squeue does not list it; sacct failed"), "{said}");
    let Err(Error::StillRunning { known, .. }) = attached.result_timeout(Duration::from_secs(3))
    else {
        panic!("it has ended");
    };
    assert!(known.to_string().contains("Connection refused"), "{known}");
    job.cancel().unwrap();
    let flow = hold::job(site.path("go"), 0).begin("now+1hour").submit(&site.cluster).unwrap();
    let attached = attached_to(&flow);
    let error = hold::job(site.path("go"), 0).resume(&attached).unwrap_err();
    assert!(matches!(error, Error::Unclear { .. }), "it may not have ended: {error:?}");
    flow.cancel().unwrap();
}

fn a_job_that_slurm_has_forgotten_is_found_by_its_id(site: &Site) {
    let job = add::job(1, 2).submit(&site.cluster).unwrap();
    assert_eq!(crate::common::result_of(&job), 3);
    forget(site);
    let dir = forgetful(site);
    let script = "case \"$*\" in *SubmitLine*) echo 'sacct: fatal: Invalid field requested: \"SubmitLine\"' >&2; exit 1;; esac\n\
                  exec \"$real\" \"$@\"";
    wrapper(site, "sacct", script);
    let attached = behind(site, &dir).attach::<add>(job.id()).unwrap();
    assert_eq!(attached.submission_id(), job.submission_id());
    assert_eq!(crate::common::result_of(&attached), 3);
}

fn every_id_that_squeue_shows_can_be_attached_to(site: &Site) {
    let gate = site.path("gate");
    let array = fail_or_wait::map((0..2).map(|n| (n, gate.clone()))).submit(&site.cluster).unwrap();
    let id = array.job_ids().next().unwrap();
    let cluster = &site.cluster;
    for name in [id.to_string(), format!("{id}_1"), array.submission_id().to_string()] {
        let error = cluster.attach::<fail_or_wait>(name.as_str()).unwrap_err();
        let said = format!("{error} {}", error.hint().unwrap());
        assert!(matches!(error, Error::OtherKind { .. }), "{error:?}");
        assert!(said.contains("array of 2 calls") && said.contains("attach_array"), "{said}");
        let found = cluster.attach_array::<fail_or_wait>(name.as_str()).unwrap();
        assert_eq!(found.job_ids().next(), Some(id));
    }
    assert_eq!(cluster.attach_array::<fail_or_wait>(id).unwrap().len(), 2);
    let job = add::job(1, 2).submit(cluster).unwrap();
    let error = cluster.attach_array::<add>(job.id()).unwrap_err();
    assert!(matches!(error, Error::OtherKind { .. }), "{error:?}");
    for name in [job.id().to_string(), job.submission_id().to_string()] {
        let error = cluster.attach::<exit_with>(name.as_str()).unwrap_err();
        assert!(matches!(error, Error::OtherTask { .. }), "{name}: {error:?}");
    }
    let error = cluster.attach_array::<square>(array.submission_id()).unwrap_err();
    assert!(matches!(error, Error::OtherTask { .. }), "{error:?}");
    array.cancel().unwrap();
}

/// Returns commands for which the test cluster is `c2`, and which know no job on their own cluster.
fn federation(site: &Site) -> std::path::PathBuf {
    let translate = "found=; n=$#\n\
        while [ $n -gt 0 ]; do word=$1; shift; n=$((n - 1)); case $word in\n\
        -M) found=$1; shift; n=$((n - 1)); set -- \"$@\" -M sdktest;;\n\
        --clusters=*) found=${word#*=}; set -- \"$@\" -M sdktest;;\n\
        *) set -- \"$@\" \"$word\";; esac; done\n\
        echo \"${0##*/} on ${found:-own}: $*\" >> \"$log\"\n";
    let there = "\"$real\" \"$@\" | sed 's/;sdktest$/;c2/'";
    wrapper(site, "sbatch", &format!("{translate}{there}"));
    for (program, own) in [("squeue", ":"), ("sacct", ":"), ("scancel", "echo hit")] {
        wrapper(
            site,
            program,
            &format!("{translate}[ \"$found\" ] || {{ {own}; exit 0; }}\n{there}"),
        );
    }
    wrapper(site, "scontrol", "exec \"$real\" \"$@\"")
}

fn questions_about_jobs_go_to_their_cluster(site: &Site) {
    let cluster = behind(site, &federation(site));
    let job = wait_for::job(site.path("go")).set("clusters", "c2").submit(&cluster).unwrap();
    assert_eq!(job.handle().cluster.as_deref(), Some("c2"));
    assert!(!job.state().unwrap().is_terminal());
    let later = add::job(1, 2).after(&job).set("clusters", "c2").submit(&cluster).unwrap();
    let elsewhere = add::job(1, 2).after(&job).submit(&cluster).unwrap_err();
    assert!(matches!(elsewhere, Error::Options { .. }), "{elsewhere:?}");
    let named = format!("{};c2", job.id());
    let (handle, submission_id) = (job.handle().clone(), job.submission_id().to_string());
    let attached = [
        cluster.attach::<wait_for>(handle).unwrap(),
        cluster.attach::<wait_for>(submission_id.as_str()).unwrap(),
        cluster.attach::<wait_for>(named.as_str()).unwrap(),
    ];
    for attached in &attached {
        assert!(!attached.state().unwrap().is_terminal());
    }
    fs::write(site.path("go"), "").unwrap();
    assert!(crate::common::result_of(&job));
    assert_eq!(crate::common::result_of(&later), 3);
    let never = wait_for::job(site.path("never")).set("clusters", "c2").submit(&cluster).unwrap();
    never.cancel().unwrap();
    assert_eq!(kind_of(&never), JobErrorKind::Cancelled);
    let array =
        square::map(0..3).begin("now+1hour").set("clusters", "c2").submit(&cluster).unwrap();
    let same = cluster.attach_array::<square>(array.submission_id()).unwrap();
    same.cancel_items(0..3).unwrap();
    assert_cancelled(&array, 0..3);
    let calls = fs::read_to_string(site.path("calls")).unwrap();
    let own: Vec<&str> = calls.lines().filter(|line| line.contains(" on own: ")).collect();
    assert!(own.is_empty(), "{own:?}");
}

fn the_arrays_of_a_submission_are_on_one_cluster(site: &Site) {
    let dir = federation(site);
    wrapper(site, "scontrol", "\"$real\" \"$@\" | sed 's/^\\(MaxArraySize *= \\).*/\\12/'");
    let cluster = behind(site, &dir);
    let call = square::map(0..5).chunk(1).begin("now+1hour").set("clusters", "c1,c2");
    let array = call.submit(&cluster).unwrap();
    assert_eq!(array.job_ids().count(), 3);
    assert_eq!(array.handle().cluster.as_deref(), Some("c2"));
    array.cancel().unwrap();
    assert_cancelled(&array, 0..5);
    array.retry_failed().unwrap();
    array.cancel().unwrap();
    let calls = fs::read_to_string(site.path("calls")).unwrap();
    let sbatch: Vec<&str> = calls.lines().filter(|line| line.starts_with("sbatch")).collect();
    let first: Vec<&str> = sbatch.iter().filter_map(|line| line.split(':').next()).collect();
    let (first, others) = first.split_first().unwrap();
    assert_eq!(*first, "sbatch on c1,c2");
    assert!(others.len() >= 3 && others.iter().all(|call| *call == "sbatch on c2"), "{calls}");
    assert!(!calls.contains("scancel on own"), "{calls}");
}

fn variables_can_choose_the_cluster(site: &Site) {
    let dir = federation(site);
    for variable in ["SBATCH_CLUSTERS", "SLURM_CLUSTERS"] {
        let answer = roles::run(site, "add", "", |command| {
            let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
            command.env("PATH", path).env(variable, "c2");
        });
        assert_eq!(answer, "Ok(42)", "{variable}");
    }
    let calls = fs::read_to_string(site.path("calls")).unwrap();
    assert!(calls.contains("sbatch on c2"), "{calls}");
    assert!(!calls.contains(" on own: "), "{calls}");
}
