//! How many requests, each a round trip, things take over SSH.

use std::time::Duration;

use slurm::{Awaitable, Job};

use crate::common::{Site, login_node, result_of, until};
use crate::logger;
use crate::roles;
use crate::ssh::remote_host::open;
use crate::tasks::*;

// Requests are counted in a process of its own, where nothing else makes any.
trials![
    ssh_alone a_submission_is_one,
    ssh_alone a_hundred_submissions_are_few,
    ssh_alone a_thousand_jobs_are_polled_like_one,
    ssh_alone a_result_is_one_and_a_cancellation_two,
    ssh_alone two_hundred_items_are_submitted_and_polled_like_twenty,
    ssh_alone the_results_of_two_hundred_items_are_one_transfer,
];

fn a_submission_is_one(site: &Site) {
    add::job(1, 2).submit(&site.cluster).unwrap();
    logger::requests();
    add::job(1, 2).submit(&site.cluster).unwrap();
    assert_eq!(logger::requests(), ["submit"]);
    let cluster = open(login_node(), site);
    logger::requests();
    add::job(1, 2).submit(&cluster).unwrap();
    assert_eq!(logger::requests(), ["check the binary", "submit"], "in a new process");
}

fn a_hundred_submissions_are_few(site: &Site) {
    add::job(1, 2).submit(&site.cluster).unwrap();
    logger::requests();
    let jobs = site.cluster.submit_all((0..100).map(|n| add::job(n, 1)));
    let requests = logger::requests();
    assert!(requests.len() <= 3, "{requests:?}");
    jobs.into_iter().for_each(|job| job.unwrap().cancel().unwrap());
}

fn a_thousand_jobs_are_polled_like_one(site: &Site) {
    let job = wait_for::job(site.path("never")).submit(&site.cluster).unwrap();
    until("the job runs", || job.stderr().unwrap().contains("waiting"));
    // A thousand submissions that no queue knows would be lost; a thousand waits for the same
    // one, under different names, are what the poller sees of a thousand jobs.
    let handles: Vec<slurm::JobHandle> = (0..1000)
        .map(|n| {
            let mut handle = job.handle().clone();
            handle.submission_id = format!("20260101_000000_{n:08x}").parse().unwrap();
            handle
        })
        .collect();
    let jobs: Vec<Job<bool>> =
        handles.iter().map(|handle| site.cluster.attach::<wait_for>(handle).unwrap()).collect();
    let polled = |jobs: &[Job<bool>]| {
        // All are watched before anything is counted: each that comes makes the next look come sooner.
        let all: Vec<&dyn Awaitable> = jobs.iter().map(|job| job as &dyn Awaitable).collect();
        let _watched = slurm::as_completed(&all).unwrap();
        logger::requests();
        // The window is a wait for one of them.
        jobs[0].result_timeout(Duration::from_secs(3)).unwrap_err();
        logger::requests()
    };
    let one = polled(&jobs[..1]).len();
    let thousand = polled(&jobs);
    job.cancel().unwrap();
    assert!(one >= 3, "one job was polled {one} times");
    assert!(
        thousand.len() <= one + one / 2,
        "{} requests for 1000 jobs, {one} for one",
        thousand.len()
    );
    assert!(thousand.iter().all(|what| what == "look" || what == "squeue"), "{thousand:?}");
}

fn a_result_is_one_and_a_cancellation_two(site: &Site) {
    // By another process, so that nothing of this one still looks.
    let go = site.path("go");
    std::fs::write(&go, "").unwrap();
    let handle = roles::run(site, "submit-and-die", go.to_str().unwrap(), |_| {});
    let handle: slurm::JobHandle = serde_json::from_str(&handle).unwrap();
    until("it has ended", || handle.dir.join("result").exists());
    let job = site.cluster.attach::<wait_for>(handle).unwrap();
    logger::requests();
    assert!(result_of(&job));
    // Whoever is kept from reading for long asks the queue meanwhile.
    let looks: Vec<_> = logger::requests().into_iter().filter(|what| what != "squeue").collect();
    assert_eq!(looks, ["look"]);
    let job = wait_for::job(site.path("never")).submit(&site.cluster).unwrap();
    logger::requests();
    job.cancel().unwrap();
    assert_eq!(logger::requests(), ["scancel"]);
}

fn two_hundred_items_are_submitted_and_polled_like_twenty(site: &Site) {
    // The program is staged, and the limits of the cluster are known.
    square::map(0..2).begin("now+1hour").submit(&site.cluster).unwrap().cancel().unwrap();
    let all = [20, 200].map(|count| {
        logger::requests();
        let array = square::map(0..count).begin("now+1hour").submit(&site.cluster).unwrap();
        let submitted = logger::requests();
        assert_eq!((array.len(), array.job_ids().count()), (count as usize, 1));
        assert_eq!(array.refresh().unwrap().ended(), 0);
        let polled = logger::requests();
        array.cancel().unwrap();
        (submitted, polled, logger::requests())
    });
    let upload = ["begin to upload", "upload a piece", "end the upload", "submit"];
    for (submitted, polled, cancelled) in all {
        assert_eq!(submitted, upload);
        // The segments that a look has found are read by the next one.
        assert_eq!(polled, ["look", "squeue", "look", "look"]);
        // A look for retries of other processes comes first, and a note about the cancelled elements last.
        assert_eq!(cancelled, ["look", "scancel", "write"]);
    }
}

fn the_results_of_two_hundred_items_are_one_transfer(site: &Site) {
    for count in [20, 200] {
        let array = square::map(0..count).mem("256M").submit(&site.cluster).unwrap();
        // Looking alone leaves no thread behind that looks, too.
        until("all have ended", || array.refresh().unwrap().succeeded == count as usize);
        let again = site.cluster.attach_array::<square>(array.handle()).unwrap();
        logger::requests();
        assert_eq!(again.refresh().unwrap().succeeded, count as usize);
        assert_eq!(logger::requests(), ["look", "squeue", "look"], "their names, and all of them");
        assert_eq!(again.results().unwrap(), (0..count).map(|n| n * n).collect::<Vec<_>>());
        assert_eq!(logger::requests(), [""; 0]);
    }
}
