//! Arrays: many calls in one submission.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use slurm::error::JobErrorKind;
use slurm::{Error, JobArray, JobError, JobState};

use crate::common::{PATIENCE, Site, error_of, result_of, until};
use crate::tasks::*;

trials![
    all an_array_returns_a_value_for_each_item,
    all an_item_may_be_a_tuple_of_arguments,
    all without_items_nothing_is_submitted,
    all a_bad_item_is_named_and_nothing_is_submitted,
    all items_fail_one_by_one,
    all an_element_makes_the_calls_of_its_chunk,
    all an_element_keeps_its_finished_items,
    all items_are_streamed_as_they_end,
    all some_items_can_be_cancelled,
    all max_running_limits_the_running_elements,
    all all_values_can_be_an_argument,
    all arrays_follow_each_other_item_by_item,
    all a_failed_item_is_reported_to_its_dependents,
    all an_array_is_found_by_another_process,
    all as_completed_returns_jobs_and_arrays_as_they_end,
    all an_element_may_be_several_processes,
    all the_output_of_an_element_can_be_read,
    all a_dry_run_of_an_array_writes_nothing,
    both the_first_failed_item_fails_dependents,
    local many_items_share_elements,
    local many_elements_take_several_slurm_arrays,
    slurm a_requeued_element_skips_its_finished_items,
];

fn an_array_returns_a_value_for_each_item(site: &Site) {
    let array = square::map(0..10).submit(&site.cluster).unwrap();
    assert_eq!((array.len(), array.job_ids().count()), (10, 1));
    let expected: Vec<i64> = (0..10).map(|n| n * n).collect();
    assert_eq!(array.results().unwrap(), expected);
    assert_eq!(array.result(3).unwrap(), 9);
    assert_eq!(array.results_of(2..4).unwrap(), [4, 9]);
    let progress = array.progress();
    assert_eq!((progress.items, progress.succeeded, progress.failed), (10, 10, 0));
    assert_eq!(array.state(7).unwrap(), JobState::Completed);
    assert!(array.result(10).unwrap_err().hint().unwrap().contains("10 items"));
}

fn an_item_may_be_a_tuple_of_arguments(site: &Site) {
    let config = Config { name: "c".to_owned(), rates: vec![1.0] };
    let items = ["a", "b"].map(|label| (&config, label, &[1_u32, 2], "/data"));
    let array = describe::map(items).submit(&site.cluster).unwrap();
    assert_eq!(array.results().unwrap(), ["a c [1.0] [1, 2] /data", "b c [1.0] [1, 2] /data"]);
}

fn without_items_nothing_is_submitted(site: &Site) {
    let array = square::map(Vec::<i64>::new()).submit(&site.cluster).unwrap();
    assert!(array.is_empty() && array.results().unwrap().is_empty());
    assert_eq!((array.stream().unwrap().count(), array.job_ids().count()), (0, 0));
    assert_eq!(array.retry_failed().unwrap(), 0);
    assert!(site.submissions().is_empty());
}

fn a_bad_item_is_named_and_nothing_is_submitted(site: &Site) {
    let items = (0..5).map(|n| serde_json::json!(n));
    let error = takes_unencodable::map(items).submit(&site.cluster).unwrap_err();
    assert!(matches!(error, Error::Item { index: 0, .. }), "{error:?}");
    assert!(error.to_string().starts_with("item 0: argument `value` "), "{error}");
    assert!(error.hint().unwrap().contains("slurm::Json"));
    assert!(site.submissions().is_empty());
    let spooled = fs::read_dir(site.path(".spool")).map_or(0, Iterator::count);
    assert_eq!(spooled, 0, "no spooled items are left");
}

fn job_error<T: std::fmt::Debug>(result: slurm::Result<T>) -> JobError {
    match result {
        Err(Error::Job(error)) => *error,
        other => panic!("expected a job's error, found {other:?}"),
    }
}

fn items_fail_one_by_one(site: &Site) {
    let array = root::map([4, -1, 9, -2]).submit(&site.cluster).unwrap();
    let error = job_error(array.results());
    assert_eq!((error.job.item, error.job.index), (Some(1), Some(1)));
    let JobErrorKind::Failed(failure) = &error.kind else { panic!("{error:?}") };
    assert_eq!(failure.message, "-1 has no root");
    assert!(error.to_string().starts_with("item 1 of job "), "{error}");
    let each = array.try_results().unwrap();
    let values: Vec<Option<f64>> = each.into_iter().map(Result::ok).collect();
    assert_eq!(values, [Some(2.0), None, Some(3.0), None]);
    assert_eq!((array.state(1).unwrap(), array.progress().failed), (JobState::Failed, 2));
}

fn an_element_makes_the_calls_of_its_chunk(site: &Site) {
    let (notes, gate) = (site.path("notes"), site.path("gate"));
    fs::write(&gate, "").unwrap();
    let items = (0..7).map(|_| (notes.as_path(), gate.as_path()));
    let builder = note_and_wait::map(items.clone()).chunk(3);
    let shape = builder.explain(&site.cluster).unwrap().array.unwrap();
    assert_eq!((shape.items, shape.elements, shape.items_per_element), (7, 3, 3));
    for threads in [1, 2] {
        let builder = note_and_wait::map(items.clone()).chunk(3).threads(threads);
        let array = builder.submit(&site.cluster).unwrap();
        let values = array.results().unwrap();
        let indices: Vec<u64> = values.iter().map(|(index, _)| *index).collect();
        assert_eq!(indices, [0, 1, 2, 3, 4, 5, 6]);
        let processes = |range: std::ops::Range<usize>| {
            values[range].iter().map(|(_, process)| *process).collect::<HashSet<_>>().len()
        };
        assert_eq!((processes(0..3), processes(3..6), processes(0..7)), (1, 1, 3));
    }
}

fn an_element_keeps_its_finished_items(site: &Site) {
    let items = (0..4).map(|n| (n, 2));
    let array = exit_at::map(items).chunk(4).submit(&site.cluster).unwrap();
    let each = array.try_results().unwrap();
    assert_eq!(each[..2].iter().map(|item| *item.as_ref().unwrap()).collect::<Vec<_>>(), [0, 1]);
    for item in each.into_iter().skip(2) {
        let error = job_error(item);
        assert_eq!((error.kind, error.job.exit_code), (JobErrorKind::Crashed, Some(7)));
    }
}

fn items_are_streamed_as_they_end(site: &Site) {
    let notes = site.path("notes");
    let gates: Vec<_> = (0..3).map(|n| site.path(&format!("gate{n}"))).collect();
    let items = gates.iter().map(|gate| (&notes, gate));
    let array = note_and_wait::map(items).submit(&site.cluster).unwrap();
    let mut stream = array.stream().unwrap();
    for index in [2, 0, 1] {
        fs::write(&gates[index], "").unwrap();
        let (found, value) = stream.next().unwrap();
        assert_eq!((found, value.unwrap().0), (index, index as u64));
    }
    assert!(stream.next().is_none());
}

fn waiting(site: &Site, count: usize) -> JobArray<(u64, u32)> {
    let items = (0..count).map(|_| (site.path("notes"), site.path("gate")));
    note_and_wait::map(items).mem("256M").submit(&site.cluster).unwrap()
}

fn noted(site: &Site) -> Vec<String> {
    let notes = fs::read_to_string(site.path("notes")).unwrap_or_default();
    notes.split_whitespace().map(str::to_owned).collect()
}

fn some_items_can_be_cancelled(site: &Site) {
    let array = waiting(site, 4);
    until("all run", || noted(site).len() == 4);
    array.cancel_items([1, 3]).unwrap();
    // Refreshing shows their end too.
    until("their end is seen", || array.refresh().unwrap().failed == 2);
    for index in [1, 3] {
        assert_eq!(job_error(array.result(index)).kind, JobErrorKind::Cancelled);
    }
    fs::write(site.path("gate"), "").unwrap();
    assert_eq!(array.result(0).unwrap().0, 0);
    assert_eq!(array.result(2).unwrap().0, 2);
    array.cancel().unwrap();
}

fn max_running_limits_the_running_elements(site: &Site) {
    let items = (0..3).map(|_| (site.path("notes"), site.path("gate")));
    let array = note_and_wait::map(items).max_running(1).submit(&site.cluster).unwrap();
    until("one runs", || noted(site).len() == 1);
    // Without the limit, the others would have started by now.
    let progress = array.wait_timeout(Duration::from_millis(1500)).unwrap();
    assert_eq!((progress.ended(), noted(site).len()), (0, 1));
    fs::write(site.path("gate"), "").unwrap();
    assert_eq!(array.results().unwrap().len(), 3);
}

fn all_values_can_be_an_argument(site: &Site) {
    let array = square::map(0..5).chunk(2).submit(&site.cluster).unwrap();
    let total = sum::job(&array).submit(&site.cluster).unwrap();
    let one = add::job(array.item(3), 1).submit(&site.cluster).unwrap();
    assert_eq!((result_of(&total), result_of(&one)), (30, 10));
}

fn arrays_follow_each_other_item_by_item(site: &Site) {
    let first = square::map(0..4).chunk(2).submit(&site.cluster).unwrap();
    let builder = add::map((&first).into_iter().map(|item| (item, 100)));
    let second = builder.submit(&site.cluster).unwrap();
    let dependency = |array: &JobArray<i64>| {
        let options = &array.explain().unwrap().options;
        let found = options.iter().find(|option| option.key == "dependency");
        found.and_then(|option| option.value.clone()).unwrap_or_default()
    };
    assert!(dependency(&second).starts_with("aftercorr:"), "{}", dependency(&second));
    assert_eq!(second.results().unwrap(), [100, 101, 104, 109]);
    // Another order cannot be followed element by element.
    let reversed: Vec<_> = (&first).into_iter().collect();
    let third = square::map(reversed.into_iter().rev()).submit(&site.cluster).unwrap();
    assert!(dependency(&third).starts_with("afterany:"), "{}", dependency(&third));
    assert_eq!(third.results().unwrap(), [81, 16, 1, 0]);
}

fn a_failed_item_is_reported_to_its_dependents(site: &Site) {
    let array = root::map([4, -1, 9]).submit(&site.cluster).unwrap();
    let after = add::job(1, 2).after(&array).submit(&site.cluster).unwrap();
    let error = error_of(&after);
    let JobErrorKind::DependencyFailed { upstream } = &error.kind else { panic!("{error:?}") };
    assert_eq!(upstream.len(), 1, "{upstream:?}");
    let message = &upstream[0].message;
    assert!(message.contains("failed: item 1 of its 3: -1 has no root"), "{error}");
    let each = root_of::map(&array).submit(&site.cluster).unwrap().try_results().unwrap();
    let well: Vec<bool> = each.iter().map(Result::is_ok).collect();
    assert_eq!(well, [true, false, true], "{each:?}");
    let error = job_error(each.into_iter().nth(1).unwrap());
    assert!(matches!(error.kind, JobErrorKind::DependencyFailed { .. }), "{error:?}");
}

fn the_first_failed_item_fails_dependents(site: &Site) {
    let array = root::map([4, -1, 9]).submit(&site.cluster).unwrap();
    let after = add::job(1, 2).after(&array).submit(&site.cluster).unwrap();
    assert_eq!(array.wait().unwrap().failed, 1);
    // A reader of the other segments would block endlessly.
    for element in ["0", "2"] {
        let segment = array.job_dir().join("results").join(element);
        fs::remove_file(&segment).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&segment).status().unwrap().success());
    }
    let error = error_of(&after);
    assert!(error.to_string().contains("item 1 of its 3: -1 has no root"), "{error}");
}

fn an_array_is_found_by_another_process(site: &Site) {
    let array = square::map(0..3).submit(&site.cluster).unwrap();
    let again = site.builder().job_base_dir(site.base.path()).local_cpus(4).build().unwrap();
    let by_id = again.attach_array::<square>(array.submission_id()).unwrap();
    assert_eq!(by_id.results().unwrap(), [0, 1, 4]);
    assert_eq!(by_id.handle().parts, array.handle().parts);
    let text = serde_json::to_string(array.handle()).unwrap();
    let handle: slurm::ArrayHandle = serde_json::from_str(&text).unwrap();
    assert_eq!(again.attach_array::<square>(handle).unwrap().results().unwrap(), [0, 1, 4]);
    let error = again.attach_array::<root>(array.handle()).unwrap_err();
    assert!(matches!(error, Error::OtherTask { .. }), "{error:?}");
}

fn as_completed_returns_jobs_and_arrays_as_they_end(site: &Site) {
    let waiting = waiting(site, 2);
    let quick = add::job(1, 2).submit(&site.cluster).unwrap();
    let mut ended = slurm::as_completed(&[&waiting, &quick]).unwrap();
    assert_eq!(ended.next().unwrap().unwrap(), 1);
    assert_eq!(slurm::wait_any(&[&waiting, &quick]).unwrap(), Some(1));
    fs::write(site.path("gate"), "").unwrap();
    assert_eq!(ended.next().unwrap().unwrap(), 0);
    assert!(ended.next().is_none());
    assert_eq!(slurm::wait_any(&[]).unwrap(), None);
}

fn an_element_may_be_several_processes(site: &Site) {
    let array = square::map(0..3).ntasks(2).submit(&site.cluster).unwrap();
    assert_eq!(array.results().unwrap(), [0, 1, 4]);
    let array = root::map([-4, 4]).ntasks(2).submit(&site.cluster).unwrap();
    let each = array.try_results().unwrap();
    assert!(each[0].as_ref().unwrap_err().to_string().contains("-4 has no root"));
    assert_eq!(each[1].as_ref().unwrap(), &2.0);
    let error = square::map(0..3).ntasks(2).chunk(2).submit(&site.cluster).unwrap_err();
    assert!(error.to_string().contains("leave `chunk` out"), "{error}");
}

fn the_output_of_an_element_can_be_read(site: &Site) {
    let array = print::map([("one", "1"), ("two", "2")]).submit(&site.cluster).unwrap();
    assert_eq!(array.wait().unwrap().succeeded, 2);
    until("the log has the line", || array.stdout(1).unwrap() == "two\n");
    assert_eq!(array.stderr(0).unwrap(), "1\n");
}

fn a_dry_run_of_an_array_writes_nothing(site: &Site) {
    let cluster = site.builder().job_base_dir(site.base.path()).dry_run(true).build().unwrap();
    let array = square::map(0..3).submit(&cluster).unwrap();
    let explanation = array.explain().unwrap();
    assert!(explanation.to_string().contains("3 items in 3 elements, 1 each"), "{explanation}");
    assert_eq!(fs::read_dir(site.base.path()).unwrap().count(), 0);
}

fn many_items_share_elements(site: &Site) {
    let builder = square::map(0..5000);
    let explanation = builder.explain(&site.cluster).unwrap();
    let shape = explanation.array.as_ref().unwrap();
    assert_eq!((shape.elements, shape.items_per_element), (1000, 5));
    assert!(explanation.warnings[0].contains("each element makes 5 calls"), "{explanation}");
    let array = square::map(0..5000).chunk_auto().submit(&site.cluster).unwrap();
    let shape = array.explain().unwrap().array.clone().unwrap();
    assert_eq!(shape.elements, 16, "four elements for each of the four CPUs");
    let values = array.results().unwrap();
    assert!(values.iter().zip(0..).all(|(value, n)| *value == n * n));
}

fn many_elements_take_several_slurm_arrays(site: &Site) {
    let array = square::map(0..1100).chunk(1).submit(&site.cluster).unwrap();
    assert_eq!(array.job_ids().count(), 2);
    let progress = array.wait_timeout(PATIENCE).unwrap();
    assert_eq!((progress.succeeded, progress.failed), (1100, 0));
    assert_eq!(array.result(1099).unwrap(), 1099 * 1099);
    let attached = site.cluster.attach_array::<square>(array.submission_id()).unwrap();
    assert_eq!(attached.result(1050).unwrap(), 1050 * 1050);
}

fn a_requeued_element_skips_its_finished_items(site: &Site) {
    let (notes, gate) = (site.path("notes"), site.path("gate"));
    let open = site.path("open");
    fs::write(&open, "").unwrap();
    let items = [(&notes, &open), (&notes, &gate), (&notes, &open)];
    let array = note_and_wait::map(items).chunk(3).submit(&site.cluster).unwrap();
    until("the second item runs", || noted(site) == ["0", "1"]);
    let job = array.job_ids().next().unwrap();
    let requeued = std::process::Command::new("scontrol")
        .args(["requeue", &format!("{job}_0")])
        .output()
        .unwrap();
    assert!(requeued.status.success(), "{requeued:?}");
    until("it runs again", || noted(site).len() == 3);
    fs::write(&gate, "").unwrap();
    let processes = array.results().unwrap();
    assert_eq!(noted(site), ["0", "1", "1", "2"], "the first item was not made again");
    assert_ne!(processes[0].1, processes[1].1);
    assert_eq!(processes[1].1, processes[2].1);
}
