//! Dependencies on jobs that the queue has forgotten.
//!
//! Scripts before squeue and sbatch make the queue forget single jobs, because the real one takes minutes.

use std::fs;
use std::time::{Duration, Instant};

use slurm::error::{SubmitError, UpstreamFailure};
use slurm::{Cluster, Error, Job, JobErrorKind, JobId, JobState, Warning};

use crate::common::{Site, error_of, login_node, result_of, until};
use crate::slurm::command_answers::wrapper;
use crate::tasks::*;

trials![
    ssh dependencies_on_ended_jobs_are_not_left_to_the_queue,
    ssh dependencies_on_ended_arrays_and_items_are_not_left_to_the_queue,
    ssh a_dependency_whose_end_no_source_knows_is_an_error,
    ssh a_job_forgotten_just_before_sbatch_is_checked_again,
    ssh a_short_min_job_age_is_taken_into_account,
    ssh a_source_that_does_not_answer_is_asked_again,
    both a_process_that_exits_with_0_fails_but_meets_dependencies,
];

/// The way in which a release treats a dependency on a forgotten job.
#[derive(Clone, Copy)]
enum Release {
    /// Up to 22.05: it is dropped.
    Drops,
    /// From 23.02 on: the submission is refused.
    Refuses,
}

/// Returns a cluster whose queue does not know the jobs whose ids are in the file `forgotten`.
fn forgetful(site: &Site, release: Release) -> Cluster {
    let list = site.path("forgotten");
    fs::write(&list, "").unwrap();
    let hide = format!(
        "\"$real\" \"$@\" >\"$log.$$\" || exit\n\
         ids=$(paste -sd'|' {0}); [ \"$ids\" ] || ids=none\n\
         grep -vE \"^ *($ids)[_|]\" \"$log.$$\"; exit 0",
        list.display()
    );
    wrapper(site, "squeue", &hide);
    let then = match release {
        Release::Drops => {
            "for word do shift; case $word in --dependency=*) ;; *) set -- \"$@\" \"$word\";; esac; done"
        }
        Release::Refuses => {
            "echo 'sbatch: error: Batch job submission failed: Job dependency problem' >&2; exit 1"
        }
    };
    let look = format!(
        "echo \"$*\" >> \"$log\"\n\
         for id in $(cat {}); do case \"$*\" in *--dependency=*:\"$id\"[,_\\ ]*) {then}; break;; esac; done\n\
         exec \"$real\" \"$@\"",
        list.display()
    );
    let dir = wrapper(site, "sbatch", &look);
    let login = login_node().slurm_bin_dir(dir.to_str().unwrap());
    Cluster::builder().ssh(login).job_base_dir(site.base.path()).build().unwrap()
}

fn forget(site: &Site, id: JobId) {
    crate::tasks::note(&site.path("forgotten"), &format!("{id}\n"));
}

/// Forgets a job when the accounting knows that it has ended.
fn forget_ended(site: &Site, cluster: &Cluster, id: JobId) {
    let id_text = id.to_string();
    let words = ["sacct", "-X", "-n", "-P", "-o", "State", "-j", &id_text];
    until("the accounting knows its end", || {
        let states = cluster.command(words).unwrap().stdout;
        !states.trim().is_empty() && !states.contains("ING")
    });
    forget(site, id);
}

/// Returns the failed dependencies of a submission that was refused because it can never run.
fn in_vain<T: std::fmt::Debug>(submitted: slurm::Result<T>) -> Vec<UpstreamFailure> {
    match submitted {
        Err(Error::Submit(SubmitError::DependencyFailed { upstream })) => upstream,
        other => panic!("it should not have been submitted: {other:?}"),
    }
}

fn dependencies_on_ended_jobs_are_not_left_to_the_queue(site: &Site) {
    for release in [Release::Drops, Release::Refuses] {
        let cluster = &forgetful(site, release);
        let good = add::job(1, 2).submit(cluster).unwrap();
        let bad = exit_with::job(3).submit(cluster).unwrap();
        let cancelled = add::job(1, 2).begin("now+1hour").submit(cluster).unwrap();
        cancelled.cancel().unwrap();
        result_of(&good);
        error_of(&bad);
        assert_eq!(error_of(&cancelled).kind, JobErrorKind::Cancelled);
        [good.id(), bad.id(), cancelled.id()].iter().for_each(|id| forget(site, *id));
        let before = site.submissions().len();
        let call = || add::job(20, 22);

        let upstream = in_vain(call().after(&bad).submit(cluster));
        assert_eq!(upstream[0].job, bad.id());
        assert!(upstream[0].message.contains("failed: the process ended"), "{upstream:?}");
        let upstream = in_vain(call().after_not_ok(&good).submit(cluster));
        assert_eq!((upstream[0].job, upstream[0].message.as_str()), (good.id(), "succeeded"));
        let upstream = in_vain(add::job(&cancelled, 1).submit(cluster));
        assert_eq!(upstream[0].job, cancelled.id());
        assert!(upstream[0].message.contains("CANCELLED"), "{upstream:?}");
        let both = call().after(&good).after(&bad).submit(cluster);
        assert_eq!(in_vain(both).len(), 1);
        assert_eq!(site.submissions().len(), before, "no directory of those is left");

        let ran = [
            call().after(&good).submit(cluster),
            call().after_not_ok(&bad).submit(cluster),
            call().after_any(&bad).after_any(&cancelled).submit(cluster),
            add::job(&good, 39).submit(cluster),
        ];
        for job in ran {
            assert_eq!(result_of(&job.unwrap()), 42);
        }
        // One dependency is still running, and the other one has ended.
        let go = site.path("go");
        let gate = wait_for::job(&go).submit(cluster).unwrap();
        let next = call().after(&good).after(&gate).submit(cluster).unwrap();
        let options = &next.explain().unwrap().options;
        let dependency = options.iter().find(|option| option.key == "dependency").unwrap();
        assert_eq!(dependency.value.as_deref(), Some(&*format!("afterok:{}", gate.id())));
        assert_eq!(next.explain().unwrap().after.len(), 2, "both are in the description");
        fs::write(&go, "").unwrap();
        assert_eq!(result_of(&next), 42);
        fs::remove_file(go).unwrap();
    }
}

fn dependencies_on_ended_arrays_and_items_are_not_left_to_the_queue(site: &Site) {
    let cluster = &forgetful(site, Release::Refuses);
    let mixed = root::map([4, -1, 9]).submit(cluster).unwrap();
    let well = root::map([4, 9]).chunk(2).submit(cluster).unwrap();
    let bad = root::map([-1, -2]).submit(cluster).unwrap();
    assert_eq!(bad.wait().unwrap().failed, 2);
    bad.job_ids().for_each(|id| forget_ended(site, cluster, id));
    assert_eq!((mixed.wait().unwrap().failed, well.wait().unwrap().failed), (1, 0));
    mixed.job_ids().chain(well.job_ids()).for_each(|id| forget_ended(site, cluster, id));
    // The second handle is that of another process.
    let again = cluster.attach_array::<root>(mixed.submission_id()).unwrap();
    for mixed in [&mixed, &again] {
        let upstream = in_vain(add::job(1, 2).after(mixed).submit(cluster));
        assert!(upstream[0].message.contains("item 1"), "{upstream:?}");
        let upstream = in_vain(root_of::job(mixed.item(1)).submit(cluster));
        assert!(upstream[0].message.contains("item 1"), "{upstream:?}");
        let corr = square::map(0..3).after_corr(mixed).submit(cluster).unwrap();
        assert!(
            matches!(&corr.warnings()[..], [Warning::Options(said)] if said.contains("item 1"))
        );
        let corr = corr.try_results().unwrap();
        assert!(matches!(&corr[..], [Ok(0), Err(_), Ok(4)]), "{corr:?}");
        let Err(Error::Job(error)) = &corr[1] else { panic!("{corr:?}") };
        assert!(matches!(error.kind, JobErrorKind::DependencyFailed { .. }), "{error}");
        assert!(error.to_string().contains("item 1"), "{error}");
        in_vain(square::map(0..2).after_corr(&bad).submit(cluster));
        let item = root_of::job(mixed.item(2)).submit(cluster).unwrap();
        let failed = add::job(20, 22).after_not_ok(mixed).submit(cluster).unwrap();
        let each = root_of::map(mixed).submit(cluster).unwrap();
        assert_eq!((result_of(&item), result_of(&failed)), (3_f64.sqrt(), 42));
        let each = each.try_results().unwrap();
        assert_eq!(each.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        let Err(Error::Job(error)) = &each[1] else { panic!("{each:?}") };
        assert!(matches!(error.kind, JobErrorKind::DependencyFailed { .. }), "{error}");
        assert!(error.to_string().contains("item 1"), "{error}");
    }
    let after = add::job(20, 22).after(&well).submit(cluster).unwrap();
    let corr = square::map(0..2).chunk(2).after_corr(&well).submit(cluster).unwrap();
    assert_eq!((result_of(&after), corr.results().unwrap()), (42, vec![0, 1]));
}

fn a_dependency_whose_end_no_source_knows_is_an_error(site: &Site) {
    let cluster = &forgetful(site, Release::Drops);
    let bad = abort::job().submit(cluster).unwrap();
    let good = add::job(1, 2).submit(cluster).unwrap();
    let array = exit_at::map([(1, 1), (2, 1)]).submit(cluster).unwrap();
    error_of(&bad);
    result_of(&good);
    array.wait().unwrap();
    [bad.id(), good.id()].into_iter().chain(array.job_ids()).for_each(|id| forget(site, id));
    // Without accounting, the result in the job's directory decides.
    wrapper(site, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1");
    let attached: Job<()> = cluster.attach::<abort>(bad.handle()).unwrap();
    let error = add::job(1, 2).after(&attached).submit(cluster).unwrap_err();
    let Error::Submit(SubmitError::DependencyUnknown { job, reason, .. }) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(*job, bad.id());
    assert!(reason.contains("accounting"), "{error}");
    assert!(error.hint().unwrap().contains("sacct"), "{error}");
    let attached = cluster.attach::<add>(good.handle()).unwrap();
    assert_eq!(result_of(&add::job(20, 22).after(&attached).submit(cluster).unwrap()), 42);
    // The end that this process has seen counts.
    in_vain(add::job(1, 2).after(&bad).submit(cluster));
    // The element has no value, and no source knows its end.
    let attached = cluster.attach_array::<exit_at>(array.handle()).unwrap();
    in_vain(add::job(1, 2).after(&attached).submit(cluster));
    let item = add::job(attached.item(1), 40).submit(cluster).unwrap();
    assert_eq!(result_of(&item), 42);
}

fn a_job_forgotten_just_before_sbatch_is_checked_again(site: &Site) {
    let cluster = &forgetful(site, Release::Refuses);
    let good = add::job(1, 2).submit(cluster).unwrap();
    let bad = exit_with::job(3).submit(cluster).unwrap();
    let array = root::map([4, -1]).submit(cluster).unwrap();
    // The jobs have just been submitted, so sbatch is called without a look at them.
    [good.id(), bad.id()].into_iter().chain(array.job_ids()).for_each(|id| {
        forget_ended(site, cluster, id);
    });
    let next = add::job(20, 22).after(&good).submit(cluster);
    in_vain(add::job(20, 22).after(&bad).submit(cluster));
    in_vain(square::map(0..3).after(&array).submit(cluster));
    assert_eq!(result_of(&next.unwrap()), 42);
    let several = square::map(0..3).after(&good).after_not_ok(&bad).submit(cluster).unwrap();
    assert_eq!(several.results().unwrap(), [0, 1, 4]);
    assert_eq!(good.state().unwrap(), JobState::Completed);
}

fn a_short_min_job_age_is_taken_into_account(site: &Site) {
    let cluster = &forgetful(site, Release::Drops);
    let config = "\"$real\" \"$@\" | sed 's/^\\(MinJobAge *= \\).*/\\12 sec/'";
    wrapper(site, "scontrol", config);
    let bad = exit_with::job(3).submit(cluster).unwrap();
    let array = exit_at::map([(1, 1), (2, 1)]).submit(cluster).unwrap();
    let began = Instant::now();
    [bad.id()].into_iter().chain(array.job_ids()).for_each(|id| forget_ended(site, cluster, id));
    until("they are old enough", || began.elapsed() > Duration::from_secs(3));
    let upstream = in_vain(add::job(1, 2).after(&bad).submit(cluster));
    assert_eq!(upstream[0].job, bad.id());
    in_vain(square::map(0..3).after(&array).submit(cluster));
}

/// Lets a program fail a few times.
fn fails_at_first(site: &Site, program: &str, times: usize, otherwise: &str) {
    let tries = site.path(&format!("{program}-tries"));
    fs::write(&tries, "x".repeat(times)).unwrap();
    let script = format!(
        "tries={}; left=$(cat \"$tries\"); printf %s \"${{left#x}}\" > \"$tries\"\n\
         [ \"$left\" ] && {{ echo 'Unable to contact slurm controller' >&2; exit 1; }}\n{otherwise}",
        tries.display()
    );
    wrapper(site, program, &script);
}

fn a_source_that_does_not_answer_is_asked_again(site: &Site) {
    let good = add::job(1, 2).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&good), 3);
    let cluster = &forgetful(site, Release::Drops);
    let attached = || cluster.attach::<add>(good.handle()).unwrap();
    fails_at_first(site, "squeue", 4, "exec \"$real\" \"$@\"");
    let next = add::job(20, 22).after(&attached()).submit(cluster).unwrap();
    assert_eq!(result_of(&next), 42);
    // Only the accounting knows how it ended.
    let bad = abort::job().submit(&site.cluster).unwrap();
    error_of(&bad);
    forget_ended(site, &site.cluster, bad.id());
    forgetful(site, Release::Drops);
    forget(site, bad.id());
    fails_at_first(site, "sacct", 3, "exec \"$real\" \"$@\"");
    let attached = cluster.attach::<abort>(bad.handle()).unwrap();
    let upstream = in_vain(add::job(1, 2).after(&attached).submit(cluster));
    assert_eq!(upstream[0].job, bad.id());
}

fn a_process_that_exits_with_0_fails_but_meets_dependencies(site: &Site) {
    let cluster = &site.cluster;
    // None of the jobs has ended when the ones that depend on it are submitted.
    let go = site.path("go");
    let gate = wait_for::job(go.as_path()).submit(cluster).unwrap();
    let exits = exit_with::job(0).after(&gate).submit(cluster).unwrap();
    let waits = add::job(20, 22).after(&exits).submit(cluster).unwrap();
    fs::write(go, "").unwrap();
    assert_eq!(error_of(&exits).kind, JobErrorKind::Crashed);
    assert_eq!(result_of(&waits), 42);
}
