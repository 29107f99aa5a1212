//! Who it is that answers.
//!
//! Linux tells each boot by a random number, and each process when and where in memory it was started,
//! which is random too. Of other systems an agent tells nothing of the kind; there, what shows another
//! agent is only that it hands out a number again.

use std::sync::Arc;

use qga_core::{Client, Contact, Error, Execution, Options, QgaCommand};
use tokio::time::Instant;

use super::dropped::Dropped;
use super::{AgentResource, Agents, Owned};
use crate::backoff::after;
use crate::commands::file::{FileClose, FileOpen, FileRead};
use crate::optional;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// Of the process that reads it, which is the agent.
const SELF: &str = "/proc/self/stat";
/// What is there in every guest, but for these it has a name: in Windows it is the second.
const ALWAYS_THERE: [&str; 2] = ["/dev/null", "NUL"];

/// As much of a file as is read, in bytes.
const ENOUGH: i64 = 4096;

/// What tells one agent from another, as far as its system has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(super) boot: Option<String>,
    pub(super) process: Option<Vec<String>>,
}

impl Identity {
    pub(crate) fn is_empty(&self) -> bool {
        self.boot.is_none() && self.process.is_none()
    }

    /// `None` if both tell nothing that could be compared.
    pub(crate) fn differs_from(&self, other: &Self) -> Option<bool> {
        let boots = self.boot.as_ref().zip(other.boot.as_ref());
        let processes = self.process.as_ref().zip(other.process.as_ref());
        let other_boot = boots.map(|(one, other)| one != other);
        let other_process = processes.map(|(one, other)| one != other);
        match (other_boot, other_process) {
            (None, None) => None,
            (boot, process) => Some(boot == Some(true) || process == Some(true)),
        }
    }
}

/// What an agent answers.
pub(crate) enum Answer {
    Named(Identity),
    /// Its system has nothing to tell it by.
    Nameless,
    /// It does not let files be read now, or this client does not.
    Refused,
}

/// What came of the question.
pub(crate) enum Asked {
    /// The answer, and in which contact it was given.
    Answered(Answer, Contact),
    /// A contact has ended meanwhile.
    Interrupted(Error),
}

/// How much an answer is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It serves to know more, and nobody waits for it long.
    Idle,
    /// It is needed now, from an agent that may never answer.
    Answerable,
    /// Nothing can be done without it, and the agent has answered before.
    Must,
}

/// Asks who answers. Where it has no name, it has to open a file at least if the answer is needed, since a
/// number that it hands out again tells of another agent too.
pub(crate) async fn ask(client: &Client, need: Need) -> Result<Asked, Error> {
    let options = client.options();
    let mut question = Question {
        options: match need {
            Need::Idle => options.timeout(optional::time(client)),
            Need::Answerable => options.reply_timeout(optional::time(client)),
            Need::Must => options,
        },
        need,
        end: None,
        client,
        contact: client.contact(),
        opened: Vec::new(),
        is_refused: false,
    };
    let answer = question.ask().await;
    let contact = question.contact;
    // What comes of that changes nothing about the answer.
    question.close().await;
    match answer {
        Ok(answer) => Ok(Asked::Answered(answer, contact)),
        Err(error) if error.is_not_allowed() => Ok(Asked::Interrupted(error)),
        Err(error) => Err(error),
    }
}

/// A question of several commands, all of them within one time from the first answer on.
struct Question<'a> {
    client: &'a Client,
    options: Options,
    need: Need,
    end: Option<Instant>,
    /// In which the last answer was given.
    contact: Contact,
    /// The files that are to be closed, and in which contact each was opened.
    opened: Vec<(i64, Contact)>,
    is_refused: bool,
}

impl Question<'_> {
    async fn ask(&mut self) -> Result<Answer, Error> {
        let mut identity = Identity::default();
        if !Agents::of(self.client).is_nameless() {
            // A slow one is not asked for more than it takes.
            let is_slow = optional::is_slow(self.client);
            if !is_slow {
                identity.boot = self.read(BOOT_ID).await?.and_then(|text| boot_id(&text));
            }
            let asked_in = self.contact;
            identity.process = self.read(SELF).await?.and_then(|text| process(&text));
            if self.contact != asked_in && identity.process.is_some() {
                // Another agent may have answered the second question than the first.
                identity.boot = None;
            }
            if is_slow && identity.process.is_none() {
                identity.boot = self.read(BOOT_ID).await?.and_then(|text| boot_id(&text));
            }
        }
        if self.need != Need::Idle && self.opened.is_empty() {
            for path in ALWAYS_THERE {
                if self.read(path).await?.is_some() {
                    break;
                }
            }
        }
        Ok(match identity {
            identity if !identity.is_empty() => Answer::Named(identity),
            _ if self.is_refused => Answer::Refused,
            _ => Answer::Nameless,
        })
    }

    /// The beginning of a file; `None` if the agent, or the client, does not let it be read.
    async fn read(&mut self, path: &str) -> Result<Option<String>, Error> {
        if self.is_refused {
            return Ok(None);
        }
        let agents = Agents::of(self.client);
        let highest = agents.highest_handle();
        let open = FileOpen::new(path);
        let Some(handle) = self.execute(open, &self.client.clone()).await? else {
            return Ok(None);
        };
        agents.opened(handle, highest, self.contact);
        self.opened.push((handle, self.contact));
        let same_agent = self.client.in_contact(self.contact);
        let read = FileRead::new(handle).count(ENOUGH);
        let read = self.execute(read, &same_agent).await?;
        let bytes = read.map(|read| read.data.into_vec());
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Closes the files, or has them closed later where that was not sent. An agent that does not answer to
    /// that is not asked for it again soon, and one that is slow has something else to do first.
    async fn close(&mut self) {
        let dropped = self.client.attachment::<Dropped>();
        let agents = Agents::of(self.client);
        for (handle, contact) in std::mem::take(&mut self.opened) {
            self.is_refused = false;
            let rests = dropped.rests() || optional::is_slow(self.client);
            let same_agent = self.client.in_contact(contact);
            let is_closed = !rests
                && match self.execute(FileClose::new(handle), &same_agent).await {
                    Ok(_) => {
                        dropped.tried(true);
                        !self.is_refused
                    }
                    Err(error) if error.execution() == Execution::NotRun => false,
                    Err(_) => {
                        dropped.tried(false);
                        true
                    }
                };
            if !is_closed {
                let origin = Some(agents.answering(contact, self.client));
                let file = Owned::new(AgentResource::File(handle), origin);
                dropped.push(Arc::new(file));
            }
        }
    }

    fn options(&self) -> Options {
        match self.end {
            Some(end) => {
                let left = end.saturating_duration_since(Instant::now());
                self.options.timeout(left)
            }
            None => self.options,
        }
    }

    /// Runs a command in the time that is left; `None` if it is refused or fails in the guest.
    async fn execute<C: QgaCommand>(
        &mut self,
        command: C,
        client: &Client,
    ) -> Result<Option<C::Response>, Error> {
        let client = client.with_options(self.options());
        let (answer, contact) = client.execute_with_contact(command).await;
        let answer = match answer {
            Ok(answer) => Some(answer),
            Err(error) if error.agent_error().is_some() => {
                self.is_refused |= error.is_command_not_found();
                None
            }
            Err(error) if error.is_not_allowed() && !self.client.allows(C::NAME) => {
                self.is_refused = true;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.contact = contact;
        if self.need != Need::Must && self.end.is_none() {
            self.end = Some(after(optional::time(self.client)));
        }
        Ok(answer)
    }
}

/// A UUID, in its usual form.
fn boot_id(text: &str) -> Option<String> {
    let text = text.trim();
    let lengths = text.split('-').map(str::len);
    let is_uuid =
        lengths.eq([8, 4, 4, 4, 12]) && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    is_uuid.then(|| text.to_owned())
}

/// The number of a process, when it was started, and where its code and its stack are.
fn process(text: &str) -> Option<Vec<String>> {
    // The second field is a name in parentheses, which may have anything in it.
    let (start, rest) = text.rsplit_once(')')?;
    let pid = start.split(' ').next()?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // By the numbers of proc(5), of which the first two are cut off: starttime, startcode, startstack.
    let fields = [22, 26, 28].map(|number: usize| fields.get(number - 3).copied());
    let fields = fields.into_iter().collect::<Option<Vec<_>>>()?;
    let all = [pid].into_iter().chain(fields);
    let all: Vec<String> = all.map(str::to_owned).collect();
    let is_number = |field: &String| !field.is_empty() && field.bytes().all(|b| b.is_ascii_digit());
    all.iter().all(is_number).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_by_its_number_its_start_and_its_places() {
        let stat = |pid: u32, code: u64| {
            format!(
                "{pid} (qemu-ga) a) S 1 {pid} {pid} 0 -1 4194560 905 0 0 0 2 1 0 0 20 0 2 0 774 83886080 \
                 1801 18446744073709551615 {code} 94110 140722 0 0 0 0 4096 17479 0 0 0 17 1 0"
            )
        };
        let known = process(&stat(412, 94_000)).unwrap();
        assert_eq!(known, ["412", "774", "94000", "140722"]);
        assert_ne!(process(&stat(412, 95_000)).unwrap(), known);
        for garbage in ["", "?", "1 (x", "1 (x) S 1", "AAAA) b c", &"x".repeat(5000)] {
            assert_eq!(process(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn a_boot_id_is_a_uuid() {
        let id = "6f1e2a0c-8d4b-4c57-9f3e-0123456789ab";
        assert_eq!(boot_id(&format!("{id}\n")).as_deref(), Some(id));
        for garbage in [
            "",
            "AAAA",
            "6f1e2a0c8d4b4c579f3e0123456789ab",
            &id[1..],
            &id.replace('6', "x"),
        ] {
            assert_eq!(boot_id(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn what_one_of_two_does_not_tell_makes_no_difference() {
        let identity = |boot: &str, process: &str| Identity {
            boot: Some(boot.to_owned()).filter(|boot| !boot.is_empty()),
            process: Some(vec![process.to_owned()]).filter(|_| !process.is_empty()),
        };
        for (one, other, differs) in [
            (("a", "p"), ("a", "p"), Some(false)),
            (("a", "p"), ("b", "p"), Some(true)),
            (("a", "p"), ("a", "q"), Some(true)),
            (("a", ""), ("a", "q"), Some(false)),
            (("a", ""), ("", "q"), None),
            (("", ""), ("a", "q"), None),
        ] {
            let found = identity(one.0, one.1).differs_from(&identity(other.0, other.1));
            assert_eq!(found, differs, "{one:?} {other:?}");
        }
    }
}
