//! The output of the examples, with panics that unwind and with panics that abort.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the folder into which cargo has put the examples.
fn built() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples")
}

fn output_of(program: &Path, arguments: &[&str]) -> String {
    let base = tempfile::tempdir().unwrap();
    let output = Command::new(program)
        .args(arguments)
        .env("SLURM_SDK_JOB_BASE_DIR", base.path())
        .env_remove("SLURM_SDK_BACKEND")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", program.display());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn hello_prints_the_sum_and_the_node() {
    let text = output_of(&built().join("hello"), &[]);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("add(20, 22) = 42"));
    assert!(lines.next().unwrap().starts_with("job 1 ran on "), "{text}");
}

#[test]
fn a_sweep_finds_the_least_point() {
    let text = output_of(&built().join("sweep"), &[]);
    assert_eq!(text, "441 points; the smallest value is 0.000 at (1, 1)\n");
}

#[test]
fn million_makes_the_requested_number_of_calls() {
    let text = output_of(&built().join("million"), &["--calls", "10000"]);
    let expected = "of 10000 numbers, 6171 takes the most steps: 261\n";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn monte_carlo_comes_close_to_pi() {
    let text = output_of(&built().join("monte_carlo"), &[]);
    let pi: f64 = text.split_whitespace().last().unwrap().parse().unwrap();
    assert!((pi - std::f64::consts::PI).abs() < 0.01, "{text}");
}

#[test]
fn a_pipeline_passes_results_and_failures() {
    let text = output_of(&built().join("pipeline"), &[]);
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("y = 2.000 x + "), "{text}");
    let failure = lines.next().unwrap();
    assert!(failure.contains("(pipeline::fit) failed: 1 points do not make a line"), "{text}");
}

#[test]
fn a_workflow_trains_in_several_runs_until_one_model_is_left() {
    let text = output_of(&built().join("workflow"), &[]);
    let expected = "rate 0.3 reached a loss of 0.000008 in 6 epochs";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("2 models are left") && text.contains("1 models are left"), "{text}");
}

#[test]
fn a_graph_is_drawn_before_and_after() {
    let program = built().join("graph");
    let text = output_of(&program, &[]);
    assert!(text.starts_with("6 jobs, at most 4.3 core hours; there may be more"), "{text}");
    assert!(text.contains("    n5[\"compare<br>job 6, completed\"]:::completed\n"), "{text}");
    let dir = tempfile::tempdir().unwrap();
    output_of(&program, &["--write", dir.path().to_str().unwrap()]);
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    assert!(
        read("plan.dot").starts_with("digraph jobs {\n") && read("run.dot").contains("n1 -> n2;")
    );
    let json: serde_json::Value = serde_json::from_str(&read("run.json")).unwrap();
    assert_eq!(json["nodes"].as_array().unwrap().len(), 6);
}

#[test]
fn a_custom_command_line_reaches_the_task() {
    let program = built().join("custom_cli");
    assert_eq!(output_of(&program, &["--words", "3"]), "[1, 2, 3]\n");
    let dry = output_of(&program, &["--words", "3", "--dry-run"]);
    assert!(dry.contains("mem       = 100M  (attribute)"), "{dry}");
    let wrong = Command::new(&program).args(["--backend", "slrum"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&wrong.stderr).contains("unknown backend `slrum`"),
        "{wrong:?}"
    );
}

#[test]
fn the_slurmfile_of_the_repository_is_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Slurmfile.example.toml");
    let file = slurm::Slurmfile::open(&path).unwrap();
    assert_eq!(file.environments().collect::<Vec<_>>(), ["default", "gpu", "laptop", "remote"]);
    let gpu = file.environment("gpu").unwrap().submit.to_args();
    assert!(gpu.contains(&"--mem=32G".to_owned()), "{gpu:?}");
    assert!(!gpu.iter().any(|flag| flag.starts_with("--mem-per-cpu")), "{gpu:?}");
}

#[test]
fn a_slurmfile_reaches_the_job() {
    let project = tempfile::tempdir().unwrap();
    let (file, below) = (project.path().join("Slurmfile"), project.path().join("src/deep"));
    std::fs::create_dir_all(&below).unwrap();
    let text = "[default.submit]\ntime = 7\ncomment = 'of the file'\n\
                [other.env]\nGREETING = \"it's\"\n[other]\nsetup = ['GREETING=\"$GREETING me\"']\n";
    std::fs::write(&file, text).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(built().join("custom_cli"));
        command.args(["--words", "1", "--dry-run"]).args(arguments).current_dir(&below);
        let output = command.env_remove("SLURM_ENV").env_remove("SLURMFILE").output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
    };
    let plain = run(&[]);
    // The attribute of the task sets five minutes.
    assert!(plain.contains("time      = 00:05:00  (attribute)"), "{plain}");
    assert!(plain.contains("comment   = of the file  (Slurmfile)"), "{plain}");
    let other = run(&["--env", "other"]);
    assert!(
        other.contains("export GREETING='it'\\''s'\n")
            && other.contains("GREETING=\"$GREETING me\"\n"),
        "{other}"
    );
    let unknown = run(&["--env", "ohter"]);
    assert!(
        unknown.contains("has no environment `ohter`") && unknown.contains("default, other"),
        "{unknown}"
    );
    std::fs::write(&file, "[default.submit]\ntime = '4 h'\n").unwrap();
    let wrong = run(&[]);
    assert!(
        wrong.contains("Slurmfile:2:8: `time`: `4 h`") && wrong.contains("04:00:00"),
        "{wrong}"
    );
}

/// Returns the comment that a program would submit in this folder, with these flags and variables.
fn comment_of(folder: &Path, flags: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(built().join("custom_cli"));
    command.args(["--words", "1", "--dry-run"]).args(flags).current_dir(folder);
    for name in ["SLURMFILE", "SLURM_ENV", "SLURM_SDK_BACKEND", "SLURM_SDK_JOB_BASE_DIR"] {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("#SBATCH --comment="));
    let problem = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    line.map_or_else(problem, str::to_owned)
}

#[test]
fn flags_take_precedence_over_variables_and_variables_over_files() {
    let project = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let dir = project.path().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("Slurmfile");
        let text = format!(
            "[default.submit]\ncomment = '{name}-default'\n[one.submit]\ncomment = '{name}-one'\n\
             [two.submit]\ncomment = '{name}-two'\n"
        );
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (above, named, flagged) = (file("above"), file("named"), file("flagged"));
    file("above/near");
    let (near, below) =
        (Path::new(&above).with_file_name("near/src"), Path::new(&above).with_file_name("src"));
    for dir in [&near, &below] {
        std::fs::create_dir(dir).unwrap();
    }
    let variable = ("SLURMFILE", named.as_str());
    let one = ("SLURM_ENV", "one");

    // The file comes from the flag, then from the variable, then it is the nearest one.
    assert_eq!(comment_of(&below, &[], &[]), "above-default");
    assert_eq!(comment_of(&near, &[], &[]), "above/near-default");
    assert_eq!(comment_of(&near, &[], &[variable]), "named-default");
    assert_eq!(comment_of(&near, &["--slurmfile", &flagged], &[variable]), "flagged-default");
    assert_eq!(comment_of(&near, &["--slurmfile", &flagged], &[]), "flagged-default");
    // The environment comes from the flag, then from the variable, then it is the default.
    assert_eq!(comment_of(&below, &[], &[one]), "above-one");
    assert_eq!(comment_of(&below, &["--env", "two"], &[one]), "above-two");
    assert_eq!(comment_of(&below, &["--env", "two"], &[]), "above-two");
    assert_eq!(comment_of(&below, &["--env", "default"], &[one]), "above-default");
    let both = ["--slurmfile", &flagged, "--env", "two"];
    assert_eq!(comment_of(&near, &both, &[variable, one]), "flagged-two");
    // An empty variable counts as unset.
    assert_eq!(comment_of(&below, &[], &[("SLURMFILE", ""), ("SLURM_ENV", "")]), "above-default");
    // A missing file or environment that is named is an error, and no other is used.
    let missing = project.path().join("missing");
    let missing = missing.to_str().unwrap();
    for problem in [
        comment_of(&below, &["--slurmfile", missing], &[variable]),
        comment_of(&below, &[], &[("SLURMFILE", missing)]),
    ] {
        assert!(problem.contains(missing), "{problem}");
    }
    let problem = comment_of(&below, &[], &[("SLURM_ENV", "three")]);
    assert!(problem.contains("has no environment `three`"), "{problem}");
}

#[test]
fn no_escape_sequence_passes_through_main() {
    let program = built().join("hello");
    let output = Command::new(program).args(["--env", "\u{1b}]0;owned\u{7}"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("`\\u{1b}]0;owned\\u{7}`") && !stderr.contains('\u{1b}'), "{stderr:?}");
}

/// Each failure with its heading and the expected texts below it.
const FAILURES: &[(&str, &[&str])] = &[
    ("an argument that cannot travel", &["argument `value` does not survive", "slurm::Json<T>"]),
    ("two wrong options", &["`4 h`", "`1.5G`", "1536M"]),
    ("an error", &["failed: reading \"forty-two\": invalid digit found in string"]),
    ("a panic", &["panicked at examples/errors.rs:", "attempt to divide by zero"]),
    ("an exit", &["ended without a result, with exit code 3", "I am off"]),
    ("a wait that is too short", &["did not end within 0.05 s: "]),
    ("a cancelled job", &["was cancelled"]),
    (
        "an item of an array",
        &["item 1 of job 4_1 (errors::divide on ", "panicked at examples/errors.rs:"],
    ),
    ("a job whose input failed", &["cannot run: job 7 (errors::divide) failed: panicked at"]),
];

fn check_failures(text: &str) {
    for (heading, expected) in FAILURES {
        let (_, section) = text.split_once(&format!("--- {heading}\n")).expect(heading);
        let section = section.split("---").next().unwrap();
        for words in *expected {
            assert!(section.contains(words), "{heading}: {words:?} is not in {section:?}");
        }
    }
    assert!(text.contains("the task said: reading \"x\""), "{text}");
}

#[test]
fn every_failure_has_its_own_text() {
    check_failures(&output_of(&built().join("errors"), &[]));
}

#[test]
fn every_failure_has_its_own_text_where_panics_abort() {
    let build = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--profile", "panic-abort", "--example", "errors"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    // target/debug/examples → target/panic-abort/examples
    let examples = built().parent().unwrap().with_file_name("panic-abort").join("examples");
    check_failures(&output_of(&examples.join("errors"), &[]));
}
