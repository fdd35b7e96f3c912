//! The behaviour of single jobs on every backend.

use std::path::Path;
use std::time::Duration;

use slurm::error::JobErrorKind;
use slurm::{BackendKind, Error, FailureKind, Job, JobState, Json};

use crate::common::{Site, error_of, kind_of, result_of, until};
use crate::roles;
use crate::tasks::*;

trials![
    all a_job_returns_a_value,
    all borrowed_parameters_accept_references,
    all json_carries_values_that_the_encoding_cannot,
    all an_error_is_reported_with_its_sources,
    all a_panic_is_reported_with_its_place,
    all a_value_that_cannot_be_encoded_is_a_failure,
    all a_task_that_exits_the_process_crashes_the_job,
    all a_task_that_aborts_crashes_the_job,
    all the_output_of_a_job_can_be_read,
    all a_task_knows_its_job,
    all several_processes_are_one_job,
    all a_running_job_can_be_cancelled,
    all a_task_that_watches_the_stop_flag_may_end_by_itself,
    all a_wait_that_times_out_leaves_the_job_alone,
    all a_result_can_be_an_argument,
    all a_failed_dependency_is_reported_at_once,
    all the_root_failure_of_a_failed_dependency_is_named,
    all a_job_outlives_the_client_that_submitted_it,
    all another_process_can_cancel_a_job,
    all a_job_is_found_by_each_of_its_names,
    all a_job_may_not_submit_itself,
    all a_job_has_the_submitters_environment,
    all a_dry_run_writes_nothing,
    all a_program_may_be_replaced_while_it_runs,
    all a_short_wait_is_not_delayed_by_a_long_one,
    all a_late_failure_of_one_process_fails_the_job,
    all files_that_cannot_be_opened_are_reported,
    all a_job_of_another_cluster_is_refused,
];

fn a_job_returns_a_value(site: &Site) {
    let job = add::job(20, 22).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 42);
    assert_eq!(job.state().unwrap(), JobState::Completed);
    let report = job.report().unwrap();
    assert!(report.peak_memory_kib > 0 && report.entered_at <= report.finished_at, "{report:?}");
    assert_eq!(add(20, 22), 42, "the function can still be called directly");
}

fn borrowed_parameters_accept_references(site: &Site) {
    let config = Config { name: "c".to_owned(), rates: vec![0.5] };
    let job = describe::job(&config, "label", [1, 2, 3], Path::new("/data"))
        .submit(&site.cluster)
        .unwrap();
    assert_eq!(result_of(&job), "label c [0.5] [1, 2, 3] /data");
}

fn json_carries_values_that_the_encoding_cannot(site: &Site) {
    let error = takes_unencodable::job(serde_json::json!([1])).submit(&site.cluster).unwrap_err();
    assert!(matches!(error, Error::Argument { parameter: "value", .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("slurm::Json"));
    let job = as_json::job(Json(serde_json::json!({ "a": 7 }))).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job)["a"], 7);
}

fn an_error_is_reported_with_its_sources(site: &Site) {
    let (typed, any) =
        (parse::job("x").submit(&site.cluster), parse_anyhow::job("x").submit(&site.cluster));
    let JobErrorKind::Failed(failure) = kind_of(&typed.unwrap()) else { panic!("not a failure") };
    assert_eq!(failure.kind, FailureKind::Error);
    assert_eq!(failure.to_string(), "the number is invalid: invalid digit found in string");
    assert!(failure.error_type.as_deref().unwrap().ends_with("Outer"), "{failure:?}");
    let error = error_of(&any.unwrap());
    assert!(
        error.to_string().ends_with("failed: parsing \"x\": invalid digit found in string"),
        "{error}"
    );
    assert_eq!(result_of(&parse::job("17").submit(&site.cluster).unwrap()), 17);
}

fn a_panic_is_reported_with_its_place(site: &Site) {
    let job = panic_with::job("over".to_owned()).submit(&site.cluster).unwrap();
    let JobErrorKind::Failed(failure) = kind_of(&job) else { panic!("not a failure") };
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Panic, "over"));
    assert!(
        failure.location.as_deref().unwrap().contains("tests/jobs/support/tasks.rs:"),
        "{failure:?}"
    );
    assert!(failure.backtrace.as_deref().unwrap().contains("panic_with"), "{failure:?}");
    assert!(job.stderr().unwrap().contains("over"), "the log has the panic too");
}

fn a_value_that_cannot_be_encoded_is_a_failure(site: &Site) {
    // Its type shows it, so nothing is submitted.
    let error = unencodable::job().submit(&site.cluster).unwrap_err();
    assert!(matches!(error, Error::Output { task: "unencodable", .. }), "{error}");
    assert!(error.hint().unwrap().contains("slurm::Json<T>"), "{error}");
    let error = unencodable::map([()]).submit(&site.cluster).unwrap_err();
    assert!(matches!(error, Error::Output { .. }), "{error}");
    assert!(site.submissions().is_empty());

    // This is known only from the value.
    let job = return_seven::job().submit(&site.cluster).unwrap();
    let JobErrorKind::Failed(failure) = kind_of(&job) else { panic!("not a failure") };
    assert_eq!(failure.kind, FailureKind::Value);
    assert!(failure.to_string().contains("slurm::Json<T>"), "{failure}");
    let value = failure.debug.as_deref();
    assert_eq!(value, Some(r#"{"precious":[1.5,2.5]}"#), "the failure keeps the value");
}

fn a_task_that_exits_the_process_crashes_the_job(site: &Site) {
    let job = exit_with::job(7).submit(&site.cluster).unwrap();
    let error = error_of(&job);
    assert_eq!((&error.kind, error.job.exit_code), (&JobErrorKind::Crashed, Some(7)));
    assert_eq!(error.job.stderr_tail, "leaving with 7");
}

fn a_task_that_aborts_crashes_the_job(site: &Site) {
    let error = error_of(&abort::job().submit(&site.cluster).unwrap());
    assert_eq!((&error.kind, error.job.signal), (&JobErrorKind::Crashed, Some(6)));
}

fn the_output_of_a_job_can_be_read(site: &Site) {
    let job = print::job("to out", "to err").submit(&site.cluster).unwrap();
    result_of(&job);
    assert_eq!(
        (job.stdout().unwrap().as_str(), job.stderr().unwrap().as_str()),
        ("to out\n", "to err\n")
    );
    let elsewhere = site.path("elsewhere-%j.log");
    let elsewhere = elsewhere.to_str().unwrap();
    let job =
        print::job("one", "two").output(elsewhere).error(elsewhere).submit(&site.cluster).unwrap();
    result_of(&job);
    assert!(job.stdout().unwrap().contains("one") && job.stdout().unwrap().contains("two"));
    assert!(site.path(&format!("elsewhere-{}.log", job.id())).exists());
}

fn a_task_knows_its_job(site: &Site) {
    let job = look_around::job().cpus_per_task(2).submit(&site.cluster).unwrap();
    let seen = result_of(&job);
    assert_eq!(seen.job_id, Some(job.id().get()));
    assert_eq!((seen.world_size, seen.cpus, seen.memory_mib), (1, 2, Some(512)));
    assert_eq!(seen.dir, job.job_dir());
    assert_eq!(seen.nodes, [seen.master]);
    assert_eq!(seen.nodes[0], job.report().unwrap().node);
    assert!((200..=300).contains(&seen.seconds_left.unwrap()), "{:?}", seen.seconds_left);
    assert_eq!(std::fs::read_to_string(job.job_dir().join("output/note")).unwrap(), "mine");
}

fn several_processes_are_one_job(site: &Site) {
    let folder = site.path("rank-files");
    std::fs::create_dir(&folder).unwrap();
    let job = ranks::job(folder.as_path()).ntasks(3).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), [0, 1, 2]);
    // The others would wait for the failed process. Its failure is reported, not their end.
    let job = fail_in::job(1_usize).ntasks(3).submit(&site.cluster).unwrap();
    let JobErrorKind::Failed(failure) = kind_of(&job) else { panic!("not a failure") };
    assert_eq!(failure.message, "process 1 gives up");
    assert_eq!(job.report().unwrap().rank, 1);
}

fn a_running_job_can_be_cancelled(site: &Site) {
    let job = wait_for::job(site.path("never")).submit(&site.cluster).unwrap();
    until("the job runs", || job.stderr().unwrap().contains("waiting"));
    assert_eq!(job.state().unwrap(), JobState::Running);
    job.cancel().unwrap();
    assert_eq!(kind_of(&job), JobErrorKind::Cancelled);
    assert_eq!(job.state().unwrap(), JobState::Cancelled);
    job.cancel().unwrap();
}

fn a_task_that_watches_the_stop_flag_may_end_by_itself(site: &Site) {
    let ready = site.path("ready");
    let job = wait_for_stop::job(ready.as_path()).submit(&site.cluster).unwrap();
    until("the task watches", || ready.exists());
    job.cancel().unwrap();
    assert_eq!(result_of(&job), "asked to stop");
}

fn a_wait_that_times_out_leaves_the_job_alone(site: &Site) {
    let file = site.path("go");
    let job = wait_for::job(file.as_path()).submit(&site.cluster).unwrap();
    let error = job.result_timeout(Duration::from_millis(30)).unwrap_err();
    assert!(matches!(error, Error::StillRunning { .. }), "{error:?}");
    std::fs::write(&file, "").unwrap();
    assert!(result_of(&job));
}

fn a_result_can_be_an_argument(site: &Site) {
    let first = double::job(vec![1, 2]).submit(&site.cluster).unwrap();
    let second = double::job(&first).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&second), [4, 8]);
}

fn the_root_failure_of_a_failed_dependency_is_named(site: &Site) {
    let first = parse::job("x").submit(&site.cluster).unwrap();
    // The failure of this job is not the reason.
    let other = parse::job("y").submit(&site.cluster).unwrap();
    let second = add::job(&first, 1).after_any(&other).submit(&site.cluster).unwrap();
    // A job that waits for an array that cannot run cannot run either.
    let array = square::map([1, 2]).after_any(&other).after(&second).submit(&site.cluster).unwrap();
    let last = add::job(1, 2).after_any(&other).after(&array).submit(&site.cluster).unwrap();
    let error = error_of(&last);
    let JobErrorKind::DependencyFailed { upstream } = &error.kind else { panic!("{error:?}") };
    assert_eq!((upstream.len(), upstream[0].job), (1, array.job_ids().next().unwrap()), "{error}");
    let (message, first) = (&upstream[0].message, format!("job {} (", first.id()));
    assert!(message.contains(&first) && message.contains("failed: "), "{message}");
    assert!(message.contains("`x`") || message.contains("invalid digit"), "{message}");
}

fn a_failed_dependency_is_reported_at_once(site: &Site) {
    let first = parse::job("x").submit(&site.cluster).unwrap();
    let second = add::job(&first, 1).submit(&site.cluster).unwrap();
    let error = error_of(&second);
    assert!(matches!(error.kind, JobErrorKind::DependencyFailed { .. }), "{error}");
    let upstream =
        format!("job {} (jobs::support::tasks::parse) failed: the number is invalid", first.id());
    assert!(error.to_string().contains(&upstream), "{error}");
}

fn a_job_outlives_the_client_that_submitted_it(site: &Site) {
    let go = site.path("go");
    let handle = roles::run(site, "submit-and-die", go.to_str().unwrap(), |_| {});
    let handle: slurm::JobHandle = serde_json::from_str(&handle).unwrap();
    let job = site.cluster.attach::<wait_for>(&handle).unwrap();
    std::fs::write(&go, "").unwrap();
    assert!(result_of(&job));
}

fn another_process_can_cancel_a_job(site: &Site) {
    let job = wait_for::job(site.path("never")).submit(&site.cluster).unwrap();
    let handle = serde_json::to_string(job.handle()).unwrap();
    assert_eq!(roles::run(site, "attach-and-cancel", &handle, |_| {}), "Ok(())");
    assert_eq!(kind_of(&job), JobErrorKind::Cancelled);
}

fn a_job_is_found_by_each_of_its_names(site: &Site) {
    let job = add::job(1, 2).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 3);
    assert_eq!(roles::run(site, "attach-by-id", job.submission_id().as_str(), |_| {}), "Ok(3)");
    assert_eq!(roles::run(site, "attach-by-id", &job.id().to_string(), |_| {}), "Ok(3)");
    // It is also found if the client died before it could note the id.
    std::fs::remove_file(job.job_dir().join("submitted.json")).unwrap();
    assert_eq!(roles::run(site, "attach-by-id", job.submission_id().as_str(), |_| {}), "Ok(3)");
    let error = site.cluster.attach::<parse>(job.handle()).unwrap_err();
    assert!(matches!(error, Error::OtherTask { .. }), "{error:?}");
    for unknown in ["4000000", "20200101_000000_00000000", "no id"] {
        let error = site.cluster.attach::<add>(unknown).unwrap_err();
        assert!(matches!(error, Error::NoSuchJob { .. }), "{unknown}: {error:?}");
    }
}

fn a_job_may_not_submit_itself(site: &Site) {
    let answer = result_of(&submit_another::job().submit(&site.cluster).unwrap());
    assert!(answer.starts_with("this process runs inside the job"), "{answer}");
}

fn a_job_has_the_submitters_environment(site: &Site) {
    let home = result_of(&variable::job("HOME").submit(&site.cluster).unwrap());
    assert_eq!(home, std::env::var("HOME").ok());
    let submission_id = variable::job("SLURM_SDK_JOB").submit(&site.cluster).unwrap();
    assert_eq!(result_of(&submission_id).as_deref(), Some(submission_id.submission_id().as_str()));
}

fn a_dry_run_writes_nothing(site: &Site) {
    let base = site.path("dry");
    let dry = site.builder().job_base_dir(&base).dry_run(true).build().unwrap();
    let first = add::job(1, 2).submit(&dry).unwrap();
    let second = add::job(&first, 3).after(&first).submit(&dry).unwrap();
    let squares = square::map([1, 2, 3]).after(&second).submit(&dry).unwrap();
    let last = sum::job(&squares).submit(&dry).unwrap();
    let item = add::job(squares.item(2), 1).submit(&dry).unwrap();
    let all = dry.submit_all([add::job(5, 6), add::job(7, 8)]);
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    let tasks: Vec<String> =
        dry.rehearsed().into_iter().map(|explanation| explanation.task).collect();
    let names: Vec<&str> = tasks.iter().map(|task| task.rsplit("::").next().unwrap()).collect();
    assert_eq!(names, ["add", "add", "square", "sum", "add", "add", "add"]);
    let edges = |job: &Job<i64>| job.explain().unwrap().after.len();
    assert_eq!(
        (edges(&first), edges(&second), edges(&last), edges(&item)),
        (0, 2, 1, 1),
        "as argument and with `after`"
    );
    let is_dry = |error: Error| matches!(error, Error::DryRun { .. });
    assert!(is_dry(last.result().unwrap_err()) && is_dry(squares.results().unwrap_err()));
    assert!(is_dry(first.state().unwrap_err()) && is_dry(second.cancel().unwrap_err()));
    assert!(is_dry(slurm::wait_any(&[&first, &squares]).unwrap_err()));
    assert!(!base.exists());
    for real in [add::job(&first, 1), add::job(1, 2).after(&squares)] {
        let error = real.submit(&site.cluster).unwrap_err();
        assert!(error.to_string().contains("is one of a dry run"), "{error}");
    }
}

fn a_program_may_be_replaced_while_it_runs(site: &Site) {
    let (program, go) = (site.path("a copy"), site.path("go"));
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let answer = std::thread::scope(|scope| {
        let role = scope.spawn(|| {
            roles::run_program(&program, site, "wait-then-add", go.to_str().unwrap(), |_| {})
        });
        until("it runs", || site.path("go.ready").exists());
        // cargo does the same: another file takes its place.
        std::fs::remove_file(&program).unwrap();
        std::fs::write(&program, "#!/bin/sh\nexit 1\n").unwrap();
        std::fs::write(&go, "").unwrap();
        role.join().unwrap()
    });
    assert_eq!(answer, "Ok(42)");
}

fn a_short_wait_is_not_delayed_by_a_long_one(site: &Site) {
    let go = site.path("go");
    let job = wait_for::job(go.as_path()).submit(&site.cluster).unwrap();
    std::thread::scope(|scope| {
        let long = scope.spawn(|| result_of(&job));
        until("the job runs", || job.stderr().unwrap().contains("waiting"));
        let short = job.result_timeout(Duration::from_millis(50));
        assert!(matches!(short, Err(Error::StillRunning { .. })), "{short:?}");
        std::fs::write(&go, "").unwrap();
        assert!(long.join().unwrap());
    });
}

fn a_late_failure_of_one_process_fails_the_job(site: &Site) {
    let go = site.path("go");
    let job = fail_late::job(go.as_path()).ntasks(2).submit(&site.cluster).unwrap();
    until("the first process has its value", || job.job_dir().join("value.0").exists());
    std::fs::write(&go, "").unwrap();
    let JobErrorKind::Failed(failure) = kind_of(&job) else { panic!("not a failure") };
    assert_eq!(failure.message, "too late");
}

fn files_that_cannot_be_opened_are_reported(site: &Site) {
    let error =
        error_of(&add::job(1, 2).output("/proc/no/such/file").submit(&site.cluster).unwrap());
    assert_eq!(error.kind, JobErrorKind::NotStarted);
    assert!(error.to_string().contains("could not be opened"), "{error}");
    assert!(error.hint().unwrap().contains("`output`"));
}

fn a_job_of_another_cluster_is_refused(site: &Site) {
    let other = Site::new(BackendKind::Local);
    let job = double::job(vec![1]).submit(&other.cluster).unwrap();
    let error = double::job(&job).submit(&site.cluster).unwrap_err();
    assert!(error.to_string().contains("belongs to another cluster"), "{error}");
    assert!(double::job(vec![1]).after(&job).submit(&site.cluster).is_err());
    result_of(&job);
}
