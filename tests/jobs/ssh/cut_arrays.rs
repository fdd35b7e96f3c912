//! Arrays whose submission or results are interrupted by a cut connection.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use slurm::{Cluster, JobArray};

use crate::arrays::several_slurm_arrays::{in_parts, submitted};
use crate::common::{Site, until};
use crate::proxy::Proxy;
use crate::ssh::remote_host::{at_port, near, open};
use crate::workflows::jobs_of_workflows::{folder, runs, square};

trials![
    ssh items_arrive_complete_although_their_upload_is_cut,
    ssh a_cut_at_any_point_submits_an_array_once,
    ssh a_lost_answer_to_the_first_part_is_found,
    ssh a_cut_between_two_parts_submits_each_once,
    ssh a_lost_answer_to_the_last_part_is_found,
    ssh a_cut_before_the_note_of_the_ids_submits_each_once,
    ssh results_arrive_although_their_transfer_is_cut,
];

/// Records the run for `n`, and returns its argument.
#[slurm::task(time = "5:00", mem = "256M")]
fn carry(folder: &Path, n: u32, load: &str) -> (u32, String) {
    (square(folder, n), load.to_owned())
}

/// Returns texts that cannot be compressed much.
fn loads(count: usize, length: usize) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..count)
        .map(|_| std::iter::repeat_with(|| random.alphanumeric()).take(length).collect())
        .collect()
}

fn carried(cluster: &Cluster, folder: &Path, loads: &[String]) -> JobArray<(u32, String)> {
    let items = (0..).zip(loads).map(|(n, load)| (folder, n, load.as_str()));
    carry::map(items).submit(cluster).unwrap_or_else(|error| panic!("{error}"))
}

fn assert_carried(array: &JobArray<(u32, String)>, loads: &[String]) {
    let results = array.results().unwrap();
    assert_eq!(results.len(), loads.len());
    for ((n, load), (square, back)) in (0_u32..).zip(loads).zip(&results) {
        assert_eq!((n * n, load.len()), (*square, back.len()));
        assert!(load == back, "item {n} has another text");
    }
}

/// Submits four calls in four elements and two Slurm arrays.
fn four(cluster: &Cluster, folder: &Path) -> JobArray<u32> {
    let array = square::map((0..4).map(|n| (folder, n))).chunk(1).submit(cluster);
    array.unwrap_or_else(|error| panic!("{error}"))
}

fn items_arrive_complete_although_their_upload_is_cut(site: &Site) {
    let proxy = near();
    let cluster = open(at_port(proxy.port, site), site);
    // Each upload takes more than one piece.
    let loads = loads(6, 1 << 20);
    let all = folder(site);
    let subfolder = |n: u64| {
        let path = all.join(n.to_string());
        fs::create_dir(&path).unwrap();
        path
    };
    // The first array stages the program, the second one shows how many bytes an array takes.
    let first = subfolder(0);
    carried(&cluster, &first, &loads[..1]);
    let before = proxy.sent();
    let mut arrays = vec![(subfolder(1), carried(&cluster, &all.join("1"), &loads))];
    let size = proxy.sent() - before;
    assert!(size > 4 << 20, "{size} bytes");
    for n in 2..=5 {
        let connections = proxy.connections();
        proxy.cut_after(size * (n - 1) / 5);
        arrays.push((subfolder(n), carried(&cluster, &all.join(n.to_string()), &loads)));
        assert!(proxy.connections() > connections, "cut {n} happened");
    }
    for (folder, array) in &arrays {
        assert_carried(array, &loads);
        assert_eq!(runs(folder), [1; 6]);
    }
    let left: Vec<_> = fs::read_dir(site.path(".spool")).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

fn a_cut_at_any_point_submits_an_array_once(site: &Site) {
    const CUTS: u64 = 12;
    let proxy = near();
    let cluster = in_parts(site, at_port(proxy.port, site), "");
    let all = folder(site);
    let make = |n: u64| {
        let folder = all.join(n.to_string());
        fs::create_dir(&folder).unwrap();
        let array = four(&cluster, &folder);
        (folder, array)
    };
    make(100);
    let before = proxy.sent();
    make(101);
    let size = proxy.sent() - before;
    // From the first byte to a little beyond the last.
    let arrays: Vec<_> = (0..=CUTS)
        .map(|n| {
            proxy.cut_after(size * n / (CUTS - 1) + 1);
            make(n)
        })
        .collect();
    assert!(proxy.connections() as u64 > CUTS / 2, "{} connections", proxy.connections());
    let submitted = submitted(site);
    for (folder, array) in &arrays {
        assert_eq!(array.results().unwrap(), [0, 1, 4, 9]);
        assert_eq!(runs(folder), [1; 4]);
        assert_eq!(array.job_ids().count(), 2);
        let mut scripts: Vec<&PathBuf> =
            submitted.iter().filter(|script| script.starts_with(array.job_dir())).collect();
        scripts.sort();
        let expected = ["script-1.sh", "script.sh"].map(|name| array.job_dir().join(name));
        assert_eq!(scripts, expected.iter().collect::<Vec<_>>(), "each part is submitted once");
    }
    assert_eq!(submitted.len(), 2 * arrays.len() + 4, "no other script was submitted");
}

/// Submits an array in two parts. When sbatch has accepted the part, calls `then` before sbatch prints the id.
fn when_taken(site: &Site, part: usize, then: fn(&Proxy)) {
    let proxy = near();
    let go = site.path("go");
    let wait = format!("while [ ! -e {}.$(wc -l < \"$log\") ]; do sleep 0.05; done", go.display());
    let cluster = in_parts(site, at_port(proxy.port, site), &wait);
    let go = |part: usize| fs::write(go.with_extension(part.to_string()), "").unwrap();
    let folder = folder(site);
    (1..part).for_each(go);
    let array = thread::scope(|scope| {
        let submission = scope.spawn(|| four(&cluster, &folder));
        until("sbatch has accepted the part", || submitted(site).len() == part);
        then(&proxy);
        (part..=2).for_each(go);
        submission.join().unwrap()
    });
    assert_eq!(array.results().unwrap(), [0, 1, 4, 9]);
    assert_eq!(runs(&folder), [1; 4]);
    assert!(proxy.connections() >= 2, "the connection was cut");
    let expected = ["script.sh", "script-1.sh"].map(|name| array.job_dir().join(name));
    assert_eq!(submitted(site), expected, "each part is submitted once");
    assert_eq!(site.submissions(), [array.job_dir()]);
    // The handle is the same, although this connection sees a larger MaxArraySize.
    let again = open(at_port(proxy.port, site), site);
    let attached = again.attach_array::<square>(array.submission_id()).unwrap();
    assert_eq!(
        attached.handle().parts,
        array.handle().parts,
        "the shape comes from the description"
    );
}

fn a_lost_answer_to_the_first_part_is_found(site: &Site) {
    when_taken(site, 1, Proxy::cut);
}

fn a_cut_between_two_parts_submits_each_once(site: &Site) {
    // The cut is within the next request.
    when_taken(site, 1, |proxy| proxy.cut_after(100));
}

fn a_lost_answer_to_the_last_part_is_found(site: &Site) {
    when_taken(site, 2, Proxy::cut);
}

fn a_cut_before_the_note_of_the_ids_submits_each_once(site: &Site) {
    when_taken(site, 2, |proxy| proxy.cut_after(100));
}

fn results_arrive_although_their_transfer_is_cut(site: &Site) {
    let proxy = near();
    let cluster = open(at_port(proxy.port, site), site);
    let (folder, loads) = (folder(site), loads(4, 1 << 20));
    let array = carried(&cluster, &folder, &loads);
    assert_eq!(array.wait().unwrap().succeeded, 4);
    for received in [10_000, 1_000_000, 3_500_000] {
        let again = cluster.attach_array::<carry>(array.handle()).unwrap();
        let connections = proxy.connections();
        proxy.cut_after_received(received);
        assert_carried(&again, &loads);
        assert!(proxy.connections() > connections, "the connection was cut after {received} bytes");
    }
    assert_eq!(runs(&folder), [1; 4]);
}
