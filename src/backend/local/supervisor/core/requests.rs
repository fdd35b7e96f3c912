//! What clients ask for.

use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::array::{self, Array, Elements, End};
use super::dependency;
use super::entry::Entry;
use super::event::{Action, Moment};
use super::job::{Parent, RunFiles};
use super::state::Core;
use crate::backend::Indices;
use crate::backend::local::protocol::{JobRequest, Reply, Request, SubmissionKey};

impl Core {
    pub(super) fn request(&mut self, request: Request, now: Moment) {
        let reply = match request {
            Request::Submit(request) => match self.submit(*request) {
                // The answer has to wait until the submission is kept.
                Ok(()) => return,
                Err(reply) => reply,
            },
            Request::Survey(ids) => Reply::Statuses(self.survey(&ids)),
            Request::Find { submission_id, part } => {
                let found = self.submission(&SubmissionKey::new(submission_id, part));
                let statuses = found.map(|id| self.jobs.statuses(id, &self.machine.host));
                Reply::Statuses(statuses.unwrap_or_default())
            }
            Request::Cancel { job, elements } => self.cancel(job, elements.as_ref(), now),
        };
        self.act(Action::Reply(reply));
    }

    /// Checks a submission and has it kept, or returns the answer.
    fn submit(&mut self, mut request: JobRequest) -> Result<(), Reply> {
        if let Some(id) = self.submission(&request.key()) {
            return Err(Reply::Submitted(id));
        }
        let id = self.last_id.checked_add(1).and_then(JobId::new);
        let id = id.ok_or_else(|| Reply::Refused("all job ids are used up".to_owned()))?;
        let within = Parent::of(id, &request).map_err(Reply::Refused)?;
        if let Some((workflow, _)) = within.and_then(|parent| self.jobs.find(parent.id())) {
            request.gpus.clone_from(&workflow.request.gpus);
        }
        let without_environment = JobRequest { environment: Vec::new(), ..request.clone() };
        let array = Array::new(id, without_environment.clone()).map_err(Reply::Refused)?;
        let dependency = array.dependency.as_ref();
        let unknown = dependency.and_then(|of| dependency::unknown(of, &self.jobs));
        if let Some(unknown) = unknown {
            return Err(Reply::UnknownDependency(unknown));
        }
        if let Some(reason) = self.no_room_for(&request, within) {
            return Err(Reply::NoRoom(reason));
        }
        let entry = Entry::submitted(id, without_environment);
        self.last_id = entry.last_id();
        self.act(Action::GiveOut(self.last_id));
        self.act(Action::Keep { request: Box::new(request), entry });
        Ok(())
    }

    /// Takes in a submission that is kept.
    pub(super) fn kept(&mut self, entry: Entry, result: Result<(), String>) {
        let id = entry.id();
        let taken = result.and_then(|()| self.replay(entry));
        self.act(Action::Reply(match taken {
            Ok(()) => Reply::Submitted(id),
            Err(error) => Reply::Refused(error),
        }));
    }

    /// Cancels a job, an array, or some elements of one.
    fn cancel(&mut self, id: JobId, elements: Option<&Indices>, now: Moment) -> Reply {
        let Some((array, index)) = self.jobs.find(id) else { return Reply::NoSuchJob };
        let is_array = array.id == id && array.is_array();
        let elements = match elements {
            Some(_) if !is_array => return Reply::Refused(format!("job {id} is not an array")),
            Some(elements) => array::read(elements),
            None if is_array => Elements::from_iter([array.indices()]),
            None => Elements::from_iter([index..=index]),
        };
        let running = self.jobs.running_of(array).filter(|job| elements.contains(&job.index));
        let running: Vec<JobId> = running.map(|job| job.id).collect();
        self.end_pending(array.id, &elements, JobState::Cancelled, None, now);
        running.into_iter().for_each(|id| self.stop(id, JobState::Cancelled, now));
        Reply::Done
    }

    /// Ends the pending elements of the array `id` among `elements`.
    pub(super) fn end_pending(
        &mut self,
        id: JobId,
        elements: &Elements,
        state: JobState,
        reason: Option<&str>,
        now: Moment,
    ) {
        let Some(array) = self.jobs.array(id) else { return };
        let which = array::written(&(&array.pending & elements));
        if which.is_empty() {
            return;
        }
        // A run that was put back has marks, although it did not begin.
        let again = array.requeued.iter().filter(|(index, _)| elements.contains(index));
        let files = |(index, restarts): (&u32, &u32)| {
            Some(RunFiles::of(array, array.id_of(*index)?, *index, *restarts))
        };
        let put_back: Vec<RunFiles> = again.filter_map(files).collect();
        let end = End::without_run(state, reason.map(str::to_owned));
        self.note(Entry::EndedTogether { id, elements: which, at: now.clock, end });
        put_back.into_iter().for_each(|files| self.act(Action::RemoveMarks(files)));
        self.forget_environment(id);
    }

    /// Removes the environment of a submission once all of it has ended.
    pub(super) fn forget_environment(&mut self, array: JobId) {
        let ended = self.jobs.array(array).filter(|array| self.jobs.has_ended(array));
        if let Some(key) = ended.map(|array| array.request.key()) {
            self.act(Action::Forget(key));
        }
    }
}
