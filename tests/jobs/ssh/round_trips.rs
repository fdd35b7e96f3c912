//! The number of requests, each a round trip, that actions take over SSH.

use std::time::Duration;

use slurm::{Awaitable, Job};

use crate::common::{Site, login_node, result_of, until};
use crate::logger;
use crate::roles;
use crate::ssh::remote_host::open;
use crate::tasks::*;

// Requests are counted in separate processes, where no other code makes any.
trials![
    ssh_alone a_submission_takes_one_request,
    ssh_alone a_hundred_submissions_take_few_requests,
    ssh_alone a_thousand_jobs_take_as_many_polls_as_one,
    ssh_alone a_result_and_a_cancellation_take_one_request_each,
    ssh_alone two_hundred_items_take_as_many_requests_as_twenty,
    ssh_alone the_results_of_two_hundred_items_take_one_transfer,
];

fn a_submission_takes_one_request(site: &Site) {
    add::job(1, 2).submit(&site.cluster).unwrap();
    logger::requests();
    add::job(1, 2).submit(&site.cluster).unwrap();
    assert_eq!(logger::requests(), ["submit"]);
    let cluster = open(login_node(), site);
    logger::requests();
    add::job(1, 2).submit(&cluster).unwrap();
    assert_eq!(logger::requests(), ["check the binary", "submit"], "in a new process");
}

fn a_hundred_submissions_take_few_requests(site: &Site) {
    add::job(1, 2).submit(&site.cluster).unwrap();
    logger::requests();
    let jobs = site.cluster.submit_all((0..100).map(|n| add::job(n, 1)));
    let requests = logger::requests();
    assert!(requests.len() <= 3, "{requests:?}");
    jobs.into_iter().for_each(|job| job.unwrap().cancel().unwrap());
}

fn a_thousand_jobs_take_as_many_polls_as_one(site: &Site) {
    let job = wait_for::job(site.path("never")).submit(&site.cluster).unwrap();
    until("the job runs", || job.stderr().unwrap().contains("waiting"));
    // A thousand submissions that the queue does not know would be lost. For the poller, a thousand handles of
    // one job with different submission ids look like a thousand jobs.
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
        // All jobs are watched before the counting starts, because each new one makes the next look come
        // sooner.
        let all: Vec<&dyn Awaitable> = jobs.iter().map(|job| job as &dyn Awaitable).collect();
        let _watched = slurm::as_completed(&all).unwrap();
        logger::requests();
        // The measured time is a wait for one of them.
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

fn a_result_and_a_cancellation_take_one_request_each(site: &Site) {
    // Another process submits the job, so that no thread of this one looks at it.
    let go = site.path("go");
    std::fs::write(&go, "").unwrap();
    let handle = roles::run(site, "submit-and-die", go.to_str().unwrap(), |_| {});
    let handle: slurm::JobHandle = serde_json::from_str(&handle).unwrap();
    until("it has ended", || handle.dir.join("result").exists());
    let job = site.cluster.attach::<wait_for>(handle).unwrap();
    logger::requests();
    assert!(result_of(&job));
    // A slow read may overlap with a question to the queue.
    let looks: Vec<_> = logger::requests().into_iter().filter(|what| what != "squeue").collect();
    assert_eq!(looks, ["look"]);
    let job = wait_for::job(site.path("never")).submit(&site.cluster).unwrap();
    logger::requests();
    job.cancel().unwrap();
    assert_eq!(logger::requests(), ["scancel"]);
}

fn two_hundred_items_take_as_many_requests_as_twenty(site: &Site) {
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
        // The next look reads the segments that a look has found.
        assert_eq!(polled, ["look", "squeue", "look", "look"]);
        // A look for retries of other processes comes first, and a note about the cancelled elements last.
        assert_eq!(cancelled, ["look", "scancel", "write"]);
    }
}

fn the_results_of_two_hundred_items_take_one_transfer(site: &Site) {
    for count in [20, 200] {
        let array = square::map(0..count).mem("256M").submit(&site.cluster).unwrap();
        // A refresh leaves no thread that also looks.
        until("all have ended", || array.refresh().unwrap().succeeded == count as usize);
        let again = site.cluster.attach_array::<square>(array.handle()).unwrap();
        logger::requests();
        assert_eq!(again.refresh().unwrap().succeeded, count as usize);
        assert_eq!(
            logger::requests(),
            ["look", "squeue", "look"],
            "one look for their names, and one for all of them"
        );
        assert_eq!(again.results().unwrap(), (0..count).map(|n| n * n).collect::<Vec<_>>());
        assert_eq!(logger::requests(), [""; 0]);
    }
}
