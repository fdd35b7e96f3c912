//! Requeueing through an scontrol that fails or whose answer is lost.

use slurm::Cluster;

use crate::common::{Site, result_of};
use crate::retries::requeue::{count_runs, last_one_asks_at, not_requeued};
use crate::slurm::command_answers::wrapper;
use crate::workflows::jobs_of_workflows::with_slurmfile;

trials![
    slurm a_lost_answer_to_a_requeue_is_not_a_refusal,
    slurm a_requeue_is_repeated_after_scontrol_was_killed,
    slurm a_refused_requeue_is_reported_with_scontrols_message,
];

/// Returns a cluster whose jobs call `script` instead of scontrol.
fn with_scontrol(site: &Site, script: &str) -> Cluster {
    let dir = wrapper(site, "scontrol", script);
    let text = format!("[default]\nsetup = ['PATH={}:$PATH']\n", dir.display());
    with_slurmfile(site, &text)
}

fn a_lost_answer_to_a_requeue_is_not_a_refusal(site: &Site) {
    let lost = "echo 'Socket timed out on send/recv operation' >&2; exit 1";
    let before = format!("if mkdir \"$log\"; then {lost}; fi; exec \"$real\" \"$@\"");
    let after = format!("\"$real\" \"$@\"; {lost}");
    for script in [before, after] {
        let cluster = with_scontrol(site, &script);
        let job = count_runs::job(2_usize).submit(&cluster).unwrap();
        assert_eq!(result_of(&job).0, [0, 1], "{script}");
    }
}

fn a_requeue_is_repeated_after_scontrol_was_killed(site: &Site) {
    let killed = "if mkdir \"$log\"; then kill -9 $$; fi; exec \"$real\" \"$@\"";
    let cluster = with_scontrol(site, killed);
    let job = count_runs::job(2_usize).submit(&cluster).unwrap();
    assert_eq!(result_of(&job).0, [0, 1]);
}

fn a_refused_requeue_is_reported_with_scontrols_message(site: &Site) {
    let cluster =
        with_scontrol(site, "echo 'Requested operation is presently disabled' >&2; exit 1");
    let job = count_runs::job(2_usize).submit(&cluster).unwrap();
    let array = last_one_asks_at::map([false]).submit(&cluster).unwrap();
    for reason in [not_requeued(&job.result()), not_requeued(&array.result(0))] {
        assert!(reason.contains("Requested operation is presently disabled"), "{reason}");
    }
}
