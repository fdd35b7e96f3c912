//! Test programs with their own `main`: how their tests are listed, timed and run.

use std::io::Write;
use std::time::Instant;

use libtest_mimic::{Arguments, Failed, Trial};

/// Lists the tests of a file: the place of each, and its function, whose name is the test's name.
///
/// The word for a place is a function of the program's `crate::places`.
macro_rules! trials {
    ($($place:ident $name:ident),+ $(,)?) => {
        $(::inventory::submit! {
            $crate::places::$place(::std::module_path!(), ::std::stringify!($name), $name)
        })+
    };
}

/// The variable with a file to which each test appends its duration and its name. `tests/run` sets it and shows
/// the slowest tests.
const TIMES: &str = "SLURM_SDK_TEST_TIMES";

/// Returns a test whose duration is recorded.
pub(crate) fn trial(name: String, body: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name.clone(), move || {
        let began = Instant::now();
        body();
        note(&name, began.elapsed().as_secs_f64());
        Ok::<(), Failed>(())
    })
}

fn note(name: &str, seconds: f64) {
    let Some(path) = std::env::var_os(TIMES) else { return };
    // The file exists, because the user of the tests may not be allowed to create it.
    let file = std::fs::OpenOptions::new().append(true).open(path);
    let line = format!("{seconds:.1} {name}\n");
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the file of times");
}

/// Runs the tests that the command line selects, in the order of their names.
pub(crate) fn run(mut trials: Vec<Trial>) -> ! {
    trials.sort_by(|a, b| a.name().cmp(b.name()));
    let mut arguments = Arguments::from_args();
    // Tests mostly wait for jobs and connections, so there are more threads than processors.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(processors.max(6));
    libtest_mimic::run(&arguments, trials).exit()
}
