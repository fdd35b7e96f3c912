//! Who logs in, and answers when asked.

use std::sync::{Arc, Mutex};

use slurm::error::SshError;
use slurm::ssh::Prompt;
use slurm::{HostKeyPolicy, Ssh};

use crate::common::{Site, error_of};

/// Settings for a server whose key is known.
pub(crate) fn to(site: &Site, server: &str) -> Ssh {
    site.know(server, "host_ed25519");
    site.server(server).host_key_policy(HostKeyPolicy::Reject)
}

/// The attempts of a login that failed, one a line.
pub(crate) fn attempts(settings: &Ssh) -> String {
    match error_of(settings) {
        SshError::Authentication { attempts, .. } => {
            attempts.iter().map(|attempt| format!("{attempt}\n")).collect()
        }
        other => panic!("expected a refused login, found {other:?}"),
    }
}

/// What was asked, and answers.
#[derive(Clone, Default)]
pub(crate) struct Person {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Person {
    /// Settings in which this person answers what `answer` says.
    pub(crate) fn answers(
        &self,
        settings: Ssh,
        answer: impl Fn(&Prompt<'_>) -> String + Send + Sync + 'static,
    ) -> Ssh {
        let asked = Arc::clone(&self.asked);
        settings.prompter(move |prompt: &Prompt<'_>| {
            let echo = if prompt.echo { "shown" } else { "hidden" };
            asked.lock().unwrap().push(format!("{}|{}|{echo}", prompt.instruction, prompt.text));
            Some(answer(prompt))
        })
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}
