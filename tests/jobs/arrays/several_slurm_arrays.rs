//! Arrays with more elements than one Slurm array may have.

use std::fs;
use std::path::{Path, PathBuf};

use slurm::error::JobErrorKind;
use slurm::{Cluster, Ssh, Workflow};

use crate::common::{Site, kind_of, login_node, result_of, until};
use crate::slurm::command_answers::wrapper;
use crate::ssh::remote_host::open;
use crate::tasks::{add, note_and_wait, parse};
use crate::workflows::jobs_of_workflows::{folder, runs, square, subdir, with_slurmfile};

trials![
    ssh all_parts_share_one_throttle,
    ssh a_retry_of_several_slurm_arrays_takes_several,
    slurm a_workflow_killed_between_two_parts_makes_each_once,
    slurm a_workflow_killed_after_the_last_part_makes_each_once,
];

/// Puts programs before Slurm's own. sbatch records its arguments after each submission and then runs `then`,
/// and Slurm arrays have at most two elements.
pub(crate) fn small_arrays(site: &Site, then: &str) -> PathBuf {
    let script = format!("\"$real\" \"$@\" || exit 1\necho \"$*\" >> \"$log\"\n{then}");
    wrapper(site, "sbatch", &script);
    let few = "\"$real\" \"$@\" | sed 's/^MaxArraySize .*/MaxArraySize = 2/'";
    wrapper(site, "scontrol", few)
}

/// Returns a cluster with these programs.
pub(crate) fn in_parts(site: &Site, ssh: Ssh, then: &str) -> Cluster {
    open(ssh.slurm_bin_dir(small_arrays(site, then).to_str().unwrap()), site)
}

/// Returns the arguments of each successful call of sbatch.
fn calls(site: &Site) -> Vec<String> {
    let calls = fs::read_to_string(site.path("calls")).unwrap_or_default();
    calls.lines().map(str::to_owned).collect()
}

/// Returns the submitted scripts, in the order of submission.
pub(crate) fn submitted(site: &Site) -> Vec<PathBuf> {
    let script = |call: &String| call.rsplit(' ').next().map(PathBuf::from);
    calls(site).iter().filter_map(script).collect()
}

fn all_parts_share_one_throttle(site: &Site) {
    let cluster = in_parts(site, login_node(), "");
    let (notes, gate) = (site.path("notes"), site.path("gate"));
    let items = (0..6).map(|_| (notes.as_path(), gate.as_path()));
    let builder = note_and_wait::map(items).mem("256M").chunk(1).max_running(4);
    let array = builder.submit(&cluster).unwrap();
    assert_eq!(array.job_ids().count(), 3);
    let throttles: Vec<String> = calls(site)
        .iter()
        .filter_map(|call| call.split(' ').find_map(|word| word.strip_prefix("--array=")))
        .map(str::to_owned)
        .collect();
    assert_eq!(throttles, ["0-1%2", "0-1%1", "0-1%1"]);
    let running = || fs::read_to_string(&notes).unwrap_or_default().split_whitespace().count();
    until("four run", || running() == 4);
    // Without the limit, the others would have started by now.
    let progress = array.wait_timeout(std::time::Duration::from_millis(1500)).unwrap();
    assert_eq!((progress.ended(), running()), (0, 4));
    fs::write(&gate, "").unwrap();
    let indices: Vec<u64> = array.results().unwrap().iter().map(|(index, _)| *index).collect();
    assert_eq!(indices, [0, 1, 2, 3, 4, 5]);
}

fn a_retry_of_several_slurm_arrays_takes_several(site: &Site) {
    let cluster = in_parts(site, login_node(), "");
    let items = ["1", "x", "2", "y", "z"];
    let array = parse::map(items).chunk(1).submit(&cluster).unwrap();
    assert_eq!((array.job_ids().count(), array.wait().unwrap().failed), (3, 3));
    assert_eq!(array.retry_failed().unwrap(), 3);
    assert_eq!(array.wait().unwrap().failed, 3);
    let arrays: Vec<String> = calls(site)
        .iter()
        .filter_map(|call| call.split(' ').find_map(|word| word.strip_prefix("--array=")))
        .map(str::to_owned)
        .collect();
    assert_eq!(arrays, ["0-1", "0-1", "0", "0-1", "0"], "an element has no more items than before");
    let found = cluster.attach_array::<parse>(array.handle()).unwrap();
    assert_eq!((found.wait().unwrap().failed, found.result(2).unwrap()), (3, 2));
    // The array has ended without success, so the job starts at once.
    assert_eq!(result_of(&add::job(1, 2).after_not_ok(&array).submit(&cluster).unwrap()), 3);
    let waiting = parse::map(items).chunk(1).begin("now+1hour").submit(&cluster).unwrap();
    let error = add::job(1, 2).after_not_ok(&waiting).submit(&cluster).unwrap_err();
    assert!(error.to_string().contains("several Slurm arrays"), "{error}");
    waiting.cancel().unwrap();
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn four_squares(flow: &Workflow, folder: &Path) -> slurm::Result<u32> {
    let array = square::map((0..4).map(|n| (folder, n))).chunk(1).submit(flow)?;
    Ok(array.results()?.iter().sum())
}

/// Runs a workflow that calls `script` instead of sbatch, once, when it submits the second part of its array.
/// Then runs the workflow again.
fn killed(site: &Site, script: &str) {
    let once = site.path("once");
    let dir = small_arrays(site, "");
    let sbatch = format!(
        "for part; do :; done\n\
         case $part in */script-1.sh) if mkdir {}; then {script}; fi;; esac\n\
         \"$real\" \"$@\" || exit 1\necho \"$*\" >> \"$log\"",
        once.display()
    );
    wrapper(site, "sbatch", &sbatch);
    // Only the workflow has these programs in its `PATH`.
    let text = format!("[default]\nsetup = ['PATH={}:$PATH']\n", dir.display());
    let cluster = with_slurmfile(site, &text);
    let folder = folder(site);
    let call = || four_squares::job(folder.as_path());
    let job = call().submit(&cluster).unwrap();
    assert_eq!(kind_of(&job), JobErrorKind::Crashed);
    let resumed = call().resume(&job).unwrap().submit(&cluster).unwrap();
    assert_eq!(result_of(&resumed), 14);
    assert_eq!(runs(&folder), [1; 4]);
    let array = subdir(&job.job_dir().join("tasks/square")).unwrap();
    let expected = ["script.sh", "script-1.sh"].map(|name| array.join(name));
    assert_eq!(submitted(site), expected, "each part is submitted once");
}

fn a_workflow_killed_between_two_parts_makes_each_once(site: &Site) {
    killed(site, "kill -9 $PPID; exit 1");
}

fn a_workflow_killed_after_the_last_part_makes_each_once(site: &Site) {
    killed(site, "\"$real\" \"$@\" >/dev/null; echo \"$*\" >> \"$log\"; kill -9 $PPID; exit 1");
}
