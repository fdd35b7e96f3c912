//! Items that are tried again.

mod attempts;
mod inputs;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = attempts::trials();
    trials.extend(inputs::trials());
    trials
}
