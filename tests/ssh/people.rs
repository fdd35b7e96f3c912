//! A person who logs in and answers questions.

use std::sync::{Arc, Mutex};

use slurm::error::SshError;
use slurm::ssh::Prompt;
use slurm::{HostKeyPolicy, Ssh};

use crate::common::{Site, error_of};

/// Returns settings for a server whose key is known.
pub(crate) fn to(site: &Site, server: &str) -> Ssh {
    site.know(server, "host_ed25519");
    site.server(server).host_key_policy(HostKeyPolicy::Reject)
}

/// Returns the attempts of a login that failed, one attempt a line.
pub(crate) fn attempts(settings: &Ssh) -> String {
    match error_of(settings) {
        SshError::Authentication { attempts, .. } => {
            attempts.iter().map(|attempt| format!("{attempt}\n")).collect()
        }
        other => panic!("expected a refused login, found {other:?}"),
    }
}

/// The questions that a person was asked.
#[derive(Clone, Default)]
pub(crate) struct Person {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Person {
    /// Returns settings in which this person answers every question with the result of `answer`.
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
