//! Submissions: directories, sbatch and the notes of the ids, in one round trip for all of them.
//!
//! sbatch must run once. Right before it, the shell on the host *claims* the submission: it creates a file that
//! must not exist. When the connection is lost before the answer has come, the whole is sent again; whichever
//! shell has the claim calls sbatch, at once and without needing anything more of the connection, and leaves in
//! the same file what sbatch said. So a second attempt either is the first to claim, and nobody
//! else will ever call sbatch, or finds the answer in the file.

use std::time::{Duration, Instant};

use slurm_core::backoff::Backoff;

use super::commands::{SLACK, add_command, ended, outcome, split_status};
use super::directory::{Attempt, Later, Ready, add_directory, add_empty, blame, narrower};
use super::failure::error_of;
use super::host::{Answer, LONG_PATIENCE, SshHost, send};
use super::shell::{Part, Script};
use crate::command::CommandLine;
use crate::error::HostError;
use crate::files::{NewDir, NewFile};
use crate::order::{Order, Submitted};

/// The file in the job's directory that claims the call of sbatch, and then holds what sbatch said.
pub(super) const CLAIM: &str = ".sbatch";

/// At least and at most so many submissions go in one request, and at best all of them in this many.
const TOGETHER: (usize, usize) = (8, 50);
const REQUESTS: usize = 3;

/// Up to this size, the files of further submissions go with the first.
const BYTES_TOGETHER: usize = 4 << 20;

/// How long sbatch's words are waited for in a claim.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// How often a submission is sent again.
const ATTEMPTS: u32 = 6;

type Answered = Result<Submitted, HostError>;

/// A submission on its way.
struct Case<'a> {
    order: &'a Order<'a>,
    command: CommandLine,
    files: Vec<Ready<'a>>,
    /// What separates the parts in the claim.
    token: String,
    /// Whether the host may have received it.
    sent: bool,
    /// Step that failed, if its partial files are safe to remove.
    failed_at: Option<usize>,
    answer: Option<Answered>,
}

impl Case<'_> {
    fn claim(&self) -> String {
        match self.order.number {
            0 => CLAIM.to_owned(),
            number => format!("{CLAIM}-{number}"),
        }
    }

    /// Whether this was the whole submission, and became a job. Of several arrays, a later one may still be
    /// refused, and then the directory of all is removed.
    fn went_through(&self) -> bool {
        let is_whole = self.order.note.is_some();
        is_whole && matches!(&self.answer, Some(Ok(submitted)) if submitted.output.status.success())
    }
}

impl SshHost {
    pub(super) fn submit_there(&self, orders: &[Order<'_>]) -> Vec<Answered> {
        let mut cases: Vec<Case<'_>> = orders
            .iter()
            .map(|order| {
                let (files, answer) =
                    match order.new.map(|(dir, files)| self.upload_spooled(dir, files)) {
                        Some(Ok(files)) => (files, None),
                        Some(Err(error)) => (Vec::new(), Some(Err(error))),
                        None => (Vec::new(), None),
                    };
                let token = format!("{:032x}", fastrand::u128(..));
                let command = order.command.with_limit(self.settings.command_timeout);
                Case { order, command, files, token, sent: false, failed_at: None, answer }
            })
            .collect();
        let began = Instant::now();
        for attempt in 1.. {
            let open: Vec<&mut Case<'_>> =
                cases.iter_mut().filter(|case| case.answer.is_none()).collect();
            if open.is_empty() {
                break;
            }
            let error = match self.link(LONG_PATIENCE) {
                Ok(_) if attempt > ATTEMPTS => self.lost("it breaks again and again"),
                Ok(_) => {
                    self.round(open, began);
                    continue;
                }
                Err(error) => error,
            };
            let reason = error.to_string();
            let mut error = Some(error);
            for case in open {
                // Of all that were never sent, the first tells why in full.
                let error = error.take_if(|_| !case.sent);
                case.answer = Some(Err(error.unwrap_or_else(|| self.lost(&reason))));
            }
        }
        let settled = cases.iter().filter(|case| case.went_through());
        self.are_settled(settled.map(|case| case.order.dir.join(case.claim())));
        let made = cases.iter().filter(|case| case.order.new.is_some());
        self.clear_away(made.filter_map(|case| Some((case.order.dir, case.failed_at?))));
        let missing = || Err(self.lost("there is no answer"));
        cases.into_iter().map(|case| case.answer.unwrap_or_else(missing)).collect()
    }

    /// Sends everything that has no answer yet, and takes in the answers that come.
    fn round(&self, cases: Vec<&mut Case<'_>>, began: Instant) {
        let Ok(link) = self.link(Duration::ZERO) else { return };
        let size = cases.len().div_ceil(REQUESTS).clamp(TOGETHER.0, TOGETHER.1);
        let mut batches: Vec<Vec<&mut Case<'_>>> = Vec::new();
        let mut bytes = 0;
        for case in cases {
            let of_case: usize = case.files.iter().map(Ready::size).sum();
            bytes += of_case;
            match batches.last_mut() {
                Some(batch) if batch.len() < size && bytes <= BYTES_TOGETHER => batch.push(case),
                _ => {
                    bytes = of_case;
                    batches.push(vec![case]);
                }
            }
        }
        let mut asked = Vec::new();
        for batch in batches {
            match script(&batch) {
                Ok(script) => {
                    let what = if batch.len() == 1 { "submit" } else { "submit several" };
                    asked.push((send(&link, what, &script), batch));
                }
                // Some path or argument that no shell can take; the others go without it.
                Err(_) => {
                    for case in batch {
                        if let Err(error) = script(&[case]) {
                            case.answer = Some(Err(error));
                        }
                    }
                }
            }
        }
        for (asked, mut batch) in asked {
            let resent: Vec<bool> = batch.iter().map(|case| case.sent).collect();
            let (answer, whole) = match asked.wait(&link) {
                Ok(answer) => (answer, true),
                Err(lost) => {
                    log::warn!("a submission lost its connection: {}", lost.reason);
                    batch.iter_mut().for_each(|case| case.sent |= lost.sent);
                    let sent = batch.iter().filter(|case| case.sent);
                    self.may_wake_up(sent.map(|case| case.order.dir.join(case.claim())));
                    (Answer::of(lost.partial, &link), false)
                }
            };
            let mut parts = answer.parts();
            if whole {
                batch.iter_mut().for_each(|case| case.sent = true);
            } else {
                // The last one may have been cut.
                parts.pop();
            }
            for (index, case) in batch.iter_mut().enumerate() {
                self.take_in(case, resent[index], &parts_of(&parts, index), began);
            }
        }
    }

    fn take_in(&self, case: &mut Case<'_>, resent: bool, parts: &[Part<'_>], began: Instant) {
        let Some(status) = parts.iter().find(|part| part.kind == b's') else { return };
        let status = status.name.rsplit(' ').next().and_then(|status| status.parse().ok());
        match status {
            Some(0) => {
                let went =
                    parts.iter().position(|part| part.kind == b'g').map(|at| &parts[at + 1..]);
                let Some(went) = went else { return };
                if went.first().is_some_and(|part| part.kind == b'c') {
                    case.answer = self.claimed(case);
                } else if let Some(answer) = outcome(&case.command, went, began.elapsed()) {
                    let noted = went.iter().find(|part| part.kind == b'i').map(|part| part.name);
                    let noted = noted.map(str::to_owned);
                    case.answer = Some(answer.map(|output| Submitted { output, noted }));
                }
            }
            Some(10) if resent => case.answer = self.claimed(case),
            _ => {
                let step = status.unwrap_or(0);
                let said = parts.iter().rfind(|part| part.kind == b'w');
                let said = said.map_or(&b""[..], |part| part.content);
                let error = error_of(step, said, |step| blame(case.order.dir, &case.files, step));
                // The attempt before may still go on, unless this one has the claim.
                case.failed_at = (!resent || step == 15).then_some(step);
                let open = || self.lost(&error.to_string());
                case.answer = Some(Err(if case.failed_at.is_some() { error } else { open() }));
            }
        }
    }

    /// Waits for what the shell that has the claim leaves in it.
    fn claimed(&self, case: &Case<'_>) -> Option<Answered> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let content = match self.read_file(&case.order.dir.join(case.claim()), 0) {
                Ok(content) => content,
                Err(error) => return Some(Err(self.lost(&error.to_string()))),
            };
            // It is gone if the command could not be started: the next attempt finds out.
            let content = content?;
            if let Some(output) = said_in_claim(case, &content) {
                return Some(output);
            }
            // The job is looked for then; the shell may be dead.
            if backoff.elapsed() > LAST_WORDS {
                return Some(Err(self.lost("the connection was lost while sbatch ran")));
            }
            backoff.pause();
        }
    }
}

/// Reads a claim; `None` if the command has not ended.
fn said_in_claim(case: &Case<'_>, content: &[u8]) -> Option<Answered> {
    let separator = format!("\n{}", case.token);
    let mut parts = memchr::memmem::find_iter(content, &separator);
    let (first, second) = (parts.next()?, parts.next()?);
    let (stdout, status) =
        split_status(content.get(first + separator.len() + 1..second).unwrap_or_default())?;
    let output = ended(&case.command, stdout, &content[..first], status, Duration::ZERO);
    Some(output.map(|output| Submitted { output, noted: None }))
}

/// The parts that belong to a case: those between a part with its number and the next number.
fn parts_of<'a>(parts: &[Part<'a>], index: usize) -> Vec<Part<'a>> {
    let mut current = None;
    let mut found = Vec::new();
    for part in parts {
        if matches!(part.kind, b'w' | b's' | b'g') {
            current = part.name.split(' ').next().and_then(|number| number.parse().ok());
        }
        if current == Some(index) {
            found.push(*part);
        }
    }
    found
}

/// First all directories, then sbatch for each that could be made.
fn script(batch: &[&mut Case<'_>]) -> Result<Script, HostError> {
    let mut script = Script::new();
    let mut limit = Duration::ZERO;
    let mut later = Later::default();
    let fresh: Vec<&NewDir<'_>> =
        batch.iter().filter(|case| !case.sent).filter_map(|case| Some(case.order.new?.0)).collect();
    let made = add_empty(&mut script, &fresh)?;
    for (index, case) in batch.iter().enumerate() {
        script.add(format!("t w{index}\n"));
        let claim = case.claim();
        match case.order.new {
            Some((new, _)) => {
                let attempt = if case.sent {
                    Attempt::Again { claim: &claim }
                } else {
                    Attempt::First { number: index, later: &mut later, made }
                };
                add_directory(&mut script, new, &case.files, attempt)?;
            }
            None if case.sent => {
                script.add("s=0; printf '' 2>/dev/null >").path(&case.order.dir.join(&claim))?;
                script.add(" || s=10\n");
            }
            None => drop(script.add("s=0\n")),
        }
        script.add(format!("S{index}=$s; if [ $s != 0 ]; then t \"s{index} $s\""));
        if case.files.iter().any(Ready::is_payload) {
            // What is left on the standard input would be taken for the next request.
            script.add("; t .; exit");
        }
        script.add("; fi\n");
    }
    add_later(&mut script, &later);
    for (index, case) in batch.iter().enumerate() {
        script.add(format!("if [ $S{index} = 0 ]; then "));
        if !case.sent && case.order.new.is_some() {
            let failed = format!("t w{index}; printf '%s' \"$L\"; S{index}=$s");
            script.add(format!("if [ $s != 0 ]; then {failed}; fi; "));
        }
        script.add(format!("t \"s{index} $S{index}\"; fi\n"));
    }
    for (index, case) in batch.iter().enumerate() {
        let Order { dir, note, .. } = case.order;
        let command = &case.command;
        limit = limit.max(command.limit());
        script.add(format!("if [ $S{index} = 0 ]; then t g{index}\nd=")).path(dir)?.add("\n");
        if !case.sent {
            script.add("umask 077; printf '' 2>/dev/null >\"$d\"/").word(&case.claim());
            script.add("; s=$?; umask \"$U\"; if [ $s = 0 ]; then\n");
        }
        script.add("b \"$d\"/").word(&case.claim()).words([case.token.as_str(), command.program()]);
        // Of many, each process more counts. One that hangs is given up with the connection, and then looked for.
        add_command(&mut script, command, batch.len() == 1)?;
        script.add("\ny=\n");
        if let Some(note) = note {
            // Before the answer, which nobody may be there to take. In one write of a few bytes: a reader
            // finds them all, or an empty file.
            let mode = case.order.new.and_then(|(dir, _)| dir.mode);
            script.add("if [ \"$i\" ]; then ");
            if let Some(clauses) = mode.map(narrower).filter(|clauses| !clauses.is_empty()) {
                script.add("umask ").word(&clauses).add("; ");
            }
            script.add("printf '%s%s%s' ").word(note.around.0);
            script.add(" \"$i\" ").word(note.around.1).add(" 2>/dev/null >\"$d\"/").word(note.name);
            script.add(" && y=$i; umask \"$U\"; fi\n");
        }
        script.add("p; [ -z \"$y\" ] || t \"i$y\"\n");
        if !case.sent {
            script.add("else t c; fi\n");
        }
        script.add("fi\n");
    }
    script.quiet(limit + SLACK);
    Ok(script)
}

/// Adds what is done for all directories that could be made, in as few processes as possible; its status is in
/// `s`, and what went wrong in `L`.
fn add_later(script: &mut Script, later: &Later) {
    script.add("L=$( (LC_ALL=C; export LC_ALL\n");
    let mut in_one_go = |command: &str, words: &[(usize, String)], code: u8| {
        script.add("set --\n");
        for (number, word) in words {
            script.add(format!("[ $S{number} != 0 ] || set -- \"$@\" {word}\n"));
        }
        script.add(format!("[ $# = 0 ] || {command} \"$@\" </dev/null || exit {code}\n"));
    };
    for (mode, words) in &later.modes {
        in_one_go(&format!("chmod {mode:o}"), words, 13);
    }
    in_one_go("sync", &later.synced, 14);
    script.add(") 2>&1 ); s=$?\n");
}

impl SshHost {
    /// Brings files that lie on this machine to the host, beside where they will be.
    pub(super) fn upload_spooled<'a>(
        &self,
        dir: &NewDir<'_>,
        files: &[NewFile<'a>],
    ) -> Result<Vec<Ready<'a>>, HostError> {
        files
            .iter()
            .map(|file| match Ready::new(file) {
                Some(ready) => Ok(ready),
                None => {
                    let there = self.upload(file, dir)?;
                    Ok(Ready::there(file, there))
                }
            })
            .collect()
    }
}
