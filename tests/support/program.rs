//! Test programs of our own: how their tests are listed, timed and run.

use std::io::Write;
use std::time::Instant;

use libtest_mimic::{Arguments, Failed, Trial};

/// Lists the tests of a file: where each runs, and the function, which is also the name of the test.
///
/// A word for a place is a function of the program's `crate::places`.
macro_rules! trials {
    ($($place:ident $name:ident),+ $(,)?) => {
        $(::inventory::submit! {
            $crate::places::$place(::std::module_path!(), ::std::stringify!($name), $name)
        })+
    };
}

/// A file to which each test appends its seconds and its name: `tests/run` sets it and shows the slowest.
const TIMES: &str = "SLURM_SDK_TEST_TIMES";

/// A test whose time can be noted.
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
    // The file exists: who runs the tests may not be allowed to create one there.
    let file = std::fs::OpenOptions::new().append(true).open(path);
    let line = format!("{seconds:.1} {name}\n");
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the file of times");
}

/// Runs the tests that the command line asks for, in the order of their names.
pub(crate) fn run(mut trials: Vec<Trial>) -> ! {
    trials.sort_by(|a, b| a.name().cmp(b.name()));
    let mut arguments = Arguments::from_args();
    // Tests wait for jobs and connections most of the time, so more of them run than there are processors.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(processors.max(6));
    libtest_mimic::run(&arguments, trials).exit()
}
