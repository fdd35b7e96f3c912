//! Single items of arrays as arguments.

use std::fs;

use slurm::error::{JobErrorKind, UpstreamFailure};
use slurm::{Error, JobArray, JobError};

use crate::common::{PATIENCE, Site, error_of, result_of, until};
use crate::tasks::*;

trials![
    both an_item_depends_on_its_own_element_alone,
    both an_item_of_a_crashed_element_is_reported,
    both an_item_that_was_cancelled_before_it_ran_fails_its_dependents,
    both a_dependency_on_an_item_is_on_its_latest_attempt,
    all an_item_has_its_value_although_others_of_its_element_failed,
    all items_taken_in_another_order_fail_one_by_one,
    local items_of_many_elements_wait_for_the_whole_array,
    local an_item_is_found_in_its_slurm_array,
];

/// Returns the failed dependencies of a job.
fn upstream(error: &JobError) -> &[UpstreamFailure] {
    match &error.kind {
        JobErrorKind::DependencyFailed { upstream } => upstream,
        _ => panic!("{error:?}"),
    }
}

fn item_error<T: std::fmt::Debug>(array: &JobArray<T>, index: usize) -> JobError {
    match array.result(index) {
        Err(Error::Job(error)) => *error,
        other => panic!("{other:?}"),
    }
}

fn an_item_depends_on_its_own_element_alone(site: &Site) {
    let gate = site.path("gate");
    let items = [0, -1, 1].map(|n| (n, gate.as_path()));
    let array = fail_or_wait::map(items).submit(&site.cluster).unwrap();
    let well = add::job(array.item(0), 10).submit(&site.cluster).unwrap();
    let badly = add::job(array.item(1), 10).submit(&site.cluster).unwrap();
    let late = add::job(array.item(2), 10).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&well), 10);
    let error = error_of(&badly);
    let [failure] = upstream(&error) else { panic!("{error:?}") };
    assert_eq!(failure.job, array.job_ids().next().unwrap());
    assert_eq!(failure.message, "failed: item 1: -1 is no good");
    assert!(!late.state().unwrap().is_terminal(), "the last item has not ended yet");
    fs::write(&gate, "").unwrap();
    assert_eq!(result_of(&late), 11);
}

fn an_item_has_its_value_although_others_of_its_element_failed(site: &Site) {
    let single = root::map([4, -1]).submit(&site.cluster).unwrap();
    let array = root::map([4, -1, 9]).chunk(3).submit(&site.cluster).unwrap();
    let well = root_of::job(array.item(2)).submit(&site.cluster).unwrap();
    let badly = root_of::job(array.item(1)).submit(&site.cluster).unwrap();
    let never = root_of::job(single.item(1)).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&well), 3_f64.sqrt());
    // One job ran and found no value, the other was never started. Both report the same.
    let (badly, never) = (error_of(&badly), error_of(&never));
    let message = |error: &JobError| upstream(error)[0].message.clone();
    assert_eq!(message(&badly), "failed: item 1: -1 has no root");
    assert_eq!(message(&badly), message(&never));
    assert_eq!(upstream(&badly)[0].job, array.job_ids().next().unwrap());
    assert_eq!(upstream(&badly)[0].task, upstream(&never)[0].task);
}

fn an_item_of_a_crashed_element_is_reported(site: &Site) {
    let single = exit_at::map([(0, 9), (2, 2)]).submit(&site.cluster).unwrap();
    let chunk = exit_at::map([(0, 9), (2, 2)]).chunk(2).submit(&site.cluster).unwrap();
    for array in [&single, &chunk] {
        let well = add::job(array.item(0), 10).submit(&site.cluster).unwrap();
        let badly = add::job(array.item(1), 10).submit(&site.cluster).unwrap();
        assert_eq!(result_of(&well), 10);
        let error = error_of(&badly);
        let [failure] = upstream(&error) else { panic!("{error:?}") };
        assert_eq!(failure.message, "left no value of item 1: its element ended as FAILED");
    }
}

fn an_item_that_was_cancelled_before_it_ran_fails_its_dependents(site: &Site) {
    let gate = site.path("gate");
    let items = [1, 2].map(|n| (n, gate.as_path()));
    let array = fail_or_wait::map(items).max_running(1).submit(&site.cluster).unwrap();
    let after = add::job(array.item(1), 10).submit(&site.cluster).unwrap();
    until("the first runs", || {
        array.wait_timeout(std::time::Duration::from_millis(50)).unwrap().running == 1
    });
    array.cancel_items([1]).unwrap();
    // Slurm treats a cancelled element that has never run as an unknown job.
    let error = error_of(&after);
    assert!(upstream(&error)[0].message.starts_with("left no value of item 1"), "{error}");
    array.cancel().unwrap();
}

fn a_dependency_on_an_item_is_on_its_latest_attempt(site: &Site) {
    let items = [site.path("one"), site.path("two")];
    let array = second_time::map(items).submit(&site.cluster).unwrap();
    assert_eq!(array.wait_timeout(PATIENCE).unwrap().failed, 2);
    assert_eq!(array.retry_failed().unwrap(), 2);
    let job = identity::job(array.item(1)).submit(&site.cluster).unwrap();
    let each = identity::map([array.item(1), array.item(0)]).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), "this time");
    assert_eq!(each.results().unwrap(), ["this time"; 2]);
    let [edge] = job.explain().unwrap().after.as_slice() else { panic!("{:?}", job.explain()) };
    assert_ne!(edge.job, array.job_ids().next().unwrap());
}

#[slurm::task(time = "5:00")]
fn identity(text: String) -> String {
    text
}

fn dependency<T>(array: &JobArray<T>) -> String {
    let options = &array.explain().unwrap().options;
    let found = options.iter().find(|option| option.key == "dependency");
    found.and_then(|option| option.value.clone()).unwrap_or_default()
}

fn items_taken_in_another_order_fail_one_by_one(site: &Site) {
    let array = root::map([4, -1, 9]).submit(&site.cluster).unwrap();
    let id = array.job_ids().next().unwrap();
    let items = [2, 1, 0].map(|index| array.item(index));
    let each = root_of::map(items).submit(&site.cluster).unwrap();
    assert_eq!(dependency(&each), format!("afterany:{id}_0,afterany:{id}_1,afterany:{id}_2"));
    assert_eq!(each.wait_timeout(PATIENCE).unwrap().failed, 1);
    let values: Vec<Option<f64>> =
        each.try_results().unwrap().into_iter().map(Result::ok).collect();
    assert_eq!(values, [Some(3_f64.sqrt()), None, Some(2_f64.sqrt())]);
    let error = item_error(&each, 1);
    assert_eq!(upstream(&error)[0].message, "failed: item 1: -1 has no root");
}

fn items_of_many_elements_wait_for_the_whole_array(site: &Site) {
    let array = root::map((0..60).map(|n| n - 1)).submit(&site.cluster).unwrap();
    let id = array.job_ids().next().unwrap();
    let items = (0..60).rev().map(|index| array.item(index));
    let each = root_of::map(items).submit(&site.cluster).unwrap();
    assert_eq!(dependency(&each), format!("afterany:{id}"));
    let progress = each.wait_timeout(PATIENCE).unwrap();
    assert_eq!((progress.succeeded, progress.failed), (59, 1));
    assert_eq!(upstream(&item_error(&each, 59))[0].message, "failed: item 0: -1 has no root");
}

fn an_item_is_found_in_its_slurm_array(site: &Site) {
    let array = square::map(0..1100).chunk(1).submit(&site.cluster).unwrap();
    let [first, second] = array.job_ids().collect::<Vec<_>>()[..] else { panic!("{array:?}") };
    let size = array.handle().parts[0].elements as usize;
    for (item, job, index) in [(size - 1, first, size - 1), (1099, second, 1099 - size)] {
        let after = add::job(array.item(item), 1).submit(&site.cluster).unwrap();
        // It may have ended already, and then it is not a dependency.
        let [edge] = &after.explain().unwrap().after[..] else { panic!("{:?}", after.explain()) };
        let element = edge.element.unwrap();
        assert_eq!((edge.kind.as_str(), edge.job), ("afterok", job));
        assert_eq!(element.index as usize, index);
        // A thousand elements may run first, four at a time.
        assert_eq!(after.result_timeout(10 * PATIENCE).unwrap(), (item * item) as i64 + 1);
    }
}
