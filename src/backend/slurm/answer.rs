//! What sbatch prints, and what that means for the job.

use slurm_core::ids::JobId;
use slurm_core::words::LEAVE_OPEN;
use slurm_host::Output;

/// The end of sbatch, apart from the numbers that it printed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SbatchEnd {
    /// It succeeded.
    Done,
    /// It failed, and prints the reason itself.
    Refused(String),
    /// It failed with a message that is not sbatch's own, so the cause may be something else.
    Other(String),
    /// It failed without information about the job.
    Nothing(String),
}

impl SbatchEnd {
    pub(super) fn of(output: &Output) -> Self {
        if output.status.success() {
            return Self::Done;
        }
        let message = output.stderr.trim().to_owned();
        let silent = message.is_empty() || output.status.code().is_none();
        if silent || leaves_open(&message) {
            return Self::Nothing(format!("sbatch ended with {}: {message}", output.status));
        }
        if message.lines().any(is_refusal) { Self::Refused(message) } else { Self::Other(message) }
    }
}

/// Returns whether sbatch refuses a job with this line. For a job that it submits, it also prints warnings and
/// the lines of a site's plugins.
fn is_refusal(line: &str) -> bool {
    // The last ones come from getopt(3).
    const BEGINNINGS: [&str; 5] =
        ["error: ", "fatal: ", "unrecognized option", "invalid option", "option "];
    let words = line.trim_start().strip_prefix("sbatch: ");
    // sbatch also prints this about an answer that it cannot verify, and then the job exists.
    let is_of_answer = line.contains("Protocol authentication error");
    let begins = |words: &str| BEGINNINGS.iter().any(|beginning| words.starts_with(beginning));
    words.is_some_and(begins) && !is_of_answer
}

/// Returns sbatch's own lines, without its name. Plugins of a site print lines with its name too.
pub(super) fn lines_of_sbatch(stderr: &str) -> Vec<String> {
    let lines = stderr.lines().filter_map(|line| line.trim().strip_prefix("sbatch: "));
    lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Returns the cluster that sbatch prints after the id: `4242;cluster`.
pub(super) fn cluster_of(stdout: &str) -> Option<String> {
    let named = |line: &str| {
        let (id, name) = line.trim().split_once(';')?;
        let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
        (is_name && id.parse::<JobId>().is_ok()).then(|| name.to_owned())
    };
    stdout.lines().find_map(named)
}

/// Returns the candidates for the id in the output of `sbatch --parsable`, each once. A site's wrapper may
/// print more. A candidate is a line `id` or `id;cluster`, or the id in sbatch's usual sentence.
pub(super) fn job_ids(stdout: &str) -> Vec<JobId> {
    let of_line = |line: &str| {
        let (id, cluster) = line.trim().split_once(';').unwrap_or((line.trim(), ""));
        let is_alone = !cluster.contains(char::is_whitespace);
        id.parse().ok().filter(|_| is_alone)
    };
    let of_sentence = |rest: &str| rest.split_whitespace().next()?.parse().ok();
    let sentences = stdout.split("Submitted batch job ").skip(1);
    let mut ids: Vec<JobId> =
        stdout.lines().filter_map(of_line).chain(sentences.filter_map(of_sentence)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Returns whether sbatch failed in such a way that the job may exist.
fn leaves_open(message: &str) -> bool {
    LEAVE_OPEN.iter().any(|phrase| message.contains(phrase))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn the_cluster_that_took_the_job_is_read() {
        assert_eq!(cluster_of("Welcome; today is Monday\n4242;c2\n").as_deref(), Some("c2"));
        assert_eq!(cluster_of("4242\n"), None);
        assert_eq!(cluster_of("12; drink water\n4242\n"), None);
    }

    #[test]
    fn lines_of_sbatch_about_an_accepted_job_are_kept_without_others() {
        let stderr = "Welcome\nsbatch: Warning: can't run 2 processes on 3 nodes\nsbatch: \nsbatch: charged to x\n";
        let lines = ["Warning: can't run 2 processes on 3 nodes", "charged to x"];
        assert_eq!(lines_of_sbatch(stderr), lines);
    }

    #[test]
    fn only_a_message_of_sbatch_itself_is_a_refusal() {
        let said = |code: i32, stderr: &str| {
            let status = ExitStatus::from_raw(code << 8);
            SbatchEnd::of(&Output { status, stdout: String::new(), stderr: stderr.to_owned() })
        };
        assert_eq!(said(0, "sbatch: warning: something"), SbatchEnd::Done);
        let own = "sbatch: error: Batch job submission failed: Invalid partition name specified";
        assert_eq!(said(1, own), SbatchEnd::Refused(own.to_owned()));
        let option =
            "sbatch: unrecognized option '--nonsense'\nTry \"sbatch --help\" for more information";
        assert_eq!(said(1, option), SbatchEnd::Refused(option.to_owned()));
        for word in [
            "sbatch: error: Batch job submission failed: Protocol authentication error",
            "audit: cannot write the log",
            "sbatch: warning: can't honor --ntasks-per-node\naudit: cannot write the log",
            "sbatch: your project has 12 hours left",
        ] {
            assert_eq!(said(1, word), SbatchEnd::Other(word.to_owned()));
        }
        assert!(matches!(said(1, " "), SbatchEnd::Nothing(_)));
        let lost =
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation";
        assert!(matches!(said(1, lost), SbatchEnd::Nothing(_)));
        let killed = Output {
            status: ExitStatus::from_raw(9),
            stdout: String::new(),
            stderr: own.to_owned(),
        };
        assert!(matches!(SbatchEnd::of(&killed), SbatchEnd::Nothing(_)));
    }

    #[test]
    fn candidates_for_the_id_are_found_in_the_output_of_a_site() {
        for (stdout, ids) in [
            ("4242\n", &[4242][..]),
            ("4242;cluster1\n", &[4242]),
            ("Welcome!\n  *** 12 days until maintenance ***\n4242\n", &[4242]),
            ("Submitted batch job 4242 on cluster c1\n", &[4242]),
            ("4242\r\nSubmitted batch job 4242\n", &[4242]),
            ("4242\ndays until maintenance:\n12\n", &[12, 4242]),
            ("Submitted batch job 4242\n12\n", &[12, 4242]),
            ("12; drink water\n4242\n", &[4242]),
            ("", &[]),
            ("no id today\n", &[]),
        ] {
            let found: Vec<u64> = job_ids(stdout).into_iter().map(|id| id.get().into()).collect();
            assert_eq!(found, ids, "{stdout:?}");
        }
    }

    #[test]
    fn only_a_lost_answer_leaves_the_job_open() {
        assert!(leaves_open(
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
        ));
        assert!(!leaves_open(
            "sbatch: error: Batch job submission failed: Invalid partition name specified"
        ));
    }
}
