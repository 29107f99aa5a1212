use std::collections::VecDeque;
use std::io::{self, Write};

use serde_json::Value as Json;

use crate::cassette::{Exchange, RecordedReply, reply_of, scrub};
use crate::commands::is_silent;
use crate::wire::json::{Message, Object, Reader, Value, text};

/// Writes the requests and replies that pass by into a cassette.
#[derive(Debug)]
pub(super) struct Recorder<W> {
    out: W,
    with_secrets: bool,
    reader: Reader,
    /// The requests that have not been answered yet, the oldest first.
    pending: VecDeque<Pending>,
    /// The beginning of a line that is not complete yet.
    line: Vec<u8>,
    /// Why the last write failed.
    failure: Option<io::Error>,
}

/// Something that waits for one reply.
#[derive(Debug)]
enum Pending {
    /// Something that is not recorded: a plain sync, or bytes that are not a request.
    Nothing,
    /// A sync whose reply begins with a sentinel and so cannot be mistaken for another.
    Sentinel,
    Request(Exchange),
}

/// The longest reply that is recorded, in bytes.
const LINE_LIMIT: usize = 128 << 20;
/// How many requests may wait for a reply.
const PENDING_LIMIT: usize = 100_000;

impl<W: Write> Recorder<W> {
    pub(super) fn new(out: W, with_secrets: bool) -> Self {
        Self {
            out,
            with_secrets,
            reader: Reader::default(),
            pending: VecDeque::new(),
            line: Vec::new(),
            failure: None,
        }
    }

    /// Takes bytes that the client has sent.
    pub(super) fn sent(&mut self, mut bytes: &[u8]) {
        while let Some(message) = self.reader.read(&mut bytes) {
            if self.pending.len() < PENDING_LIMIT {
                self.pending.push_back(pending(message));
            }
        }
    }

    /// Takes bytes that the agent has answered.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + piece.len() <= LINE_LIMIT {
                self.line.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.reply(&line);
            }
        }
    }

    /// Notes that the connection has ended, so that open requests get no reply any more.
    pub(super) fn disconnected(&mut self) {
        self.line.clear();
        for pending in std::mem::take(&mut self.pending) {
            self.leave(pending);
        }
    }

    /// Ends the recording, and says whether everything could be written.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.disconnected();
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => self.out.flush(),
        }
    }

    fn reply(&mut self, line: &[u8]) {
        if line.starts_with(b"\xff") {
            // Whatever was asked before the sync has not been answered.
            while let Some(pending) = self.pending.pop_front() {
                if matches!(pending, Pending::Sentinel) {
                    return;
                }
                self.leave(pending);
            }
            return;
        }
        let reply = serde_json::from_slice(line).ok().map(reply_of);
        let Some(Ok(Some(reply))) = reply else {
            return;
        };
        while let Some(pending) = self.pending.pop_front() {
            match pending {
                Pending::Request(exchange) if silent(&exchange, &reply) => {
                    self.leave(Pending::Request(exchange));
                }
                Pending::Request(exchange) => {
                    let reply = Some(reply);
                    return self.write(Exchange { reply, ..exchange });
                }
                Pending::Nothing | Pending::Sentinel => return,
            }
        }
    }

    fn leave(&mut self, pending: Pending) {
        if let Pending::Request(exchange) = pending {
            self.write(exchange);
        }
    }

    fn write(&mut self, mut exchange: Exchange) {
        if !self.with_secrets {
            let Exchange {
                command,
                arguments,
                reply,
                ..
            } = &mut exchange;
            scrub(command, arguments, reply);
        }
        if let Err(failure) = writeln!(self.out, "{}", exchange.written()) {
            self.failure = Some(failure);
        }
    }
}

/// Whether this reply cannot be for this request, since its command answers only when it fails.
fn silent(exchange: &Exchange, reply: &RecordedReply) -> bool {
    is_silent(&exchange.command) && matches!(reply, RecordedReply::Return(_))
}

fn pending(message: Message) -> Pending {
    let Ok(Value::Object(mut envelope)) = message.outcome else {
        return Pending::Nothing;
    };
    let command = match envelope.take("execute") {
        Some(Value::String(name)) => text(&name),
        _ => return Pending::Nothing,
    };
    match command.as_str() {
        "guest-sync" => Pending::Nothing,
        "guest-sync-delimited" => Pending::Sentinel,
        _ => Pending::Request(Exchange {
            arguments: arguments(&mut envelope),
            command,
            line: 0,
            reply: None,
        }),
    }
}

fn arguments(envelope: &mut Object) -> Json {
    match envelope.take("arguments") {
        Some(value @ Value::Object(_)) => value.to_json(),
        _ => Json::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::Recorder;

    fn recorded(with_secrets: bool, talk: &[(&str, &[u8])]) -> Vec<String> {
        let mut recorder = Recorder::new(Vec::new(), with_secrets);
        for (sent, received) in talk {
            recorder.sent(sent.as_bytes());
            recorder.received(received);
        }
        recorder.finish().unwrap();
        let text = String::from_utf8(recorder.out).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn requests_and_replies_go_together_in_order() {
        let talk: &[(&str, &[u8])] = &[
            (
                "{'execute':'guest-ping'}{'execute':'guest-x',",
                b"{\"return\"",
            ),
            (
                "'arguments':{'a':1}}",
                b": {}}\n{\"error\": {\"class\": \"C\", \"desc\": \"d\"}}\n",
            ),
        ];
        let wanted = [
            r#"{"reply":{"return":{}},"request":{"execute":"guest-ping"}}"#,
            r#"{"reply":{"error":{"class":"C","desc":"d"}},"request":{"arguments":{"a":1},"execute":"guest-x"}}"#,
        ];
        assert_eq!(recorded(false, talk), wanted);
    }

    #[test]
    fn a_sentinel_ends_the_wait_for_older_replies_and_syncs_are_left_out() {
        let talk: &[(&str, &[u8])] = &[
            ("{'execute':'guest-lost'}@\n", b""),
            (
                "{'execute':'guest-sync-delimited','arguments':{'id':1}}",
                b"\xff{\"return\": 1}\n",
            ),
            (
                "{'execute':'guest-shutdown'}{'execute':'guest-ping'}",
                b"{\"return\": {}}\n",
            ),
        ];
        let wanted = [
            r#"{"reply":null,"request":{"execute":"guest-lost"}}"#,
            r#"{"reply":null,"request":{"execute":"guest-shutdown"}}"#,
            r#"{"reply":{"return":{}},"request":{"execute":"guest-ping"}}"#,
        ];
        assert_eq!(recorded(false, talk), wanted);
    }

    #[test]
    fn secrets_are_taken_out_unless_asked_for() {
        let talk: &[(&str, &[u8])] = &[
            (
                "{'execute':'guest-set-user-password','arguments':{'username':'u','password':'SECRET1','crypted':false}}",
                b"{\"return\": {}}\n",
            ),
            (
                "{'execute':'guest-exec','arguments':{'path':'cat','input-data':'SECRET2'}}",
                b"{\"return\": {\"pid\": 1}}\n",
            ),
            (
                "{'execute':'guest-ssh-add-authorized-keys','arguments':{'username':'u','keys':['SECRET3']}}",
                b"{\"return\": {}}\n",
            ),
            (
                "{'execute':'guest-ssh-get-authorized-keys','arguments':{'username':'u'}}",
                b"{\"return\": {\"keys\": [\"SECRET4\"]}}\n",
            ),
        ];
        let scrubbed = recorded(false, talk).join("\n");
        assert!(!scrubbed.contains("SECRET"), "{scrubbed}");
        let whole = recorded(true, talk).join("\n");
        assert_eq!(whole.matches("SECRET").count(), 4);
    }
}
