use serde_json::Value;

use super::names::{Difference, Names, Pair};
use super::order::{is_idle, topic};
use super::{Cassette, Exchange, RecordedReply, scrub};
use crate::Request;

/// A cassette that an agent answers from.
#[derive(Debug)]
pub(crate) struct Player {
    tracks: Vec<Track>,
    strict: bool,
    names: Names,
    complaints: Vec<String>,
}

/// An exchange of the cassette.
#[derive(Debug)]
struct Track {
    exchange: Exchange,
    topic: Option<String>,
    is_idle: bool,
    is_played: bool,
}

/// The number of a track, and the names with which it is the one for a request.
type Fit = (usize, Vec<Pair>);

/// How many complaints are kept at most; the first ones matter most.
const COMPLAINT_LIMIT: usize = 20;

impl Track {
    fn new(exchange: &Exchange) -> Self {
        Self {
            topic: topic(&exchange.command, &exchange.arguments),
            is_idle: is_idle(exchange),
            is_played: false,
            exchange: exchange.clone(),
        }
    }

    /// Whether it must still be played.
    fn is_due(&self) -> bool {
        !self.is_played && !self.is_idle
    }
}

impl Player {
    pub(crate) fn new(cassette: &Cassette, strict: bool) -> Self {
        Self {
            tracks: cassette.exchanges.iter().map(Track::new).collect(),
            strict,
            names: Names::default(),
            complaints: Vec::new(),
        }
    }

    /// Returns what the recorded agent answered, or an error if the request was not recorded.
    pub(crate) fn answer(&mut self, request: &Request) -> Result<Option<RecordedReply>, String> {
        let request = Asked::new(request);
        let found = if self.strict {
            self.in_order(&request)
        } else {
            self.matching(&request)
        };
        if let Some((index, names)) = found {
            self.names.learn(names);
            return Ok(self.play(index));
        }
        let complaint = self.complaint(&request);
        if self.complaints.len() < COMPLAINT_LIMIT {
            self.complaints.push(complaint.clone());
        }
        Err(complaint)
    }

    /// Returns a line for each request that was not as recorded, and one if requests are missing.
    pub(crate) fn unmet(&self) -> Vec<String> {
        let mut lines = self.complaints.clone();
        let left = self.tracks.iter().filter(|track| track.is_due()).count();
        if let Some(next) = self.next().filter(|_| self.strict) {
            let next = self.describe(next);
            let left = match left {
                1 => "1 request of the cassette has".to_owned(),
                left => format!("{left} requests of the cassette have"),
            };
            lines.push(format!("{left} not been made; the next is {next}"));
        }
        lines
    }

    /// The first track that must still be played.
    fn next(&self) -> Option<usize> {
        self.tracks.iter().position(Track::is_due)
    }

    /// The track for a request whose turn it is.
    ///
    /// Requests about an open file or a process only need to be in order among themselves, as long as
    /// they pass no other request.
    fn in_order(&self, request: &Asked<'_>) -> Option<Fit> {
        let Some(topic) = &request.topic else {
            return self.fit(self.next()?, request, false);
        };
        let unplayed = self.tracks.iter().enumerate();
        let unplayed = unplayed.filter(|(_, track)| !track.is_played);
        let in_turn = unplayed.take_while(|(_, track)| track.topic.is_some());
        let (mut idle, mut due) = (None, None);
        for (index, track) in in_turn.filter(|(_, track)| track.topic.as_ref() == Some(topic)) {
            let fit = self.fit(index, request, false);
            if track.is_due() {
                due = fit;
                break;
            }
            idle = idle.or(fit.filter(|_| !self.is_past(index)));
        }
        idle.or(due).or_else(|| self.idle(request))
    }

    /// The next one of the tracks for a request, or the last one if none is left. If the request has a
    /// new random name for an old one, it begins with the first track again.
    fn matching(&self, request: &Asked<'_>) -> Option<Fit> {
        let unplayed = || {
            let tracks = self.tracks.iter().enumerate();
            tracks.filter(|(_, track)| !track.is_played)
        };
        let fit = |index| self.fit(index, request, false);
        let timely = unplayed().filter(|(index, track)| track.is_due() || !self.is_past(*index));
        let next = timely.map(|(index, _)| index).find_map(fit);
        let found = next.or_else(|| (0..self.tracks.len()).rev().find_map(fit));
        found.or_else(|| (0..self.tracks.len()).find_map(|index| self.fit(index, request, true)))
    }

    /// Whether the replay is beyond a track already.
    fn is_past(&self, index: usize) -> bool {
        let mut later = self.tracks.iter().skip(index + 1);
        later.any(|track| track.is_played)
    }

    /// A track that says that there is nothing new yet.
    fn idle(&self, request: &Asked<'_>) -> Option<Fit> {
        let idle = self
            .tracks
            .iter()
            .enumerate()
            .filter(|(_, track)| track.is_idle);
        let mut idle = idle.map(|(index, _)| self.fit(index, request, false));
        idle.find_map(|fit| fit)
    }

    /// The names with which a track is the one for this request.
    fn fit(&self, index: usize, request: &Asked<'_>, again: bool) -> Option<Fit> {
        let track = self.tracks.get(index)?;
        let names = request.fit(&track.exchange, &self.names, again)?;
        Some((index, names))
    }

    /// Plays a track.
    fn play(&mut self, index: usize) -> Option<RecordedReply> {
        self.go_back(index);
        let track = self.tracks.get_mut(index)?;
        track.is_played = true;
        let mut reply = track.exchange.reply.clone();
        match &mut reply {
            Some(RecordedReply::Return(value)) => self.names.rename(value),
            Some(RecordedReply::Error { text, .. }) => *text = self.names.renamed(text),
            None => {}
        }
        reply
    }

    /// When a track is played again in a replay in any order, the tracks after it can be played again
    /// too. If the track is about an open file or a process, only tracks about the same one can.
    fn go_back(&mut self, index: usize) {
        let Some(track) = self.tracks.get(index) else {
            return;
        };
        if self.strict || track.is_idle || !track.is_played {
            return;
        }
        let topic = track.topic.clone();
        for later in self.tracks.iter_mut().skip(index) {
            later.is_played &= topic.is_some() && later.topic != topic;
        }
    }

    fn complaint(&self, request: &Asked<'_>) -> String {
        let got = request.request;
        let differs = |index: &usize| {
            let track = self.tracks.get(*index)?;
            request.difference(&track.exchange, &self.names)
        };
        if self.strict {
            let Some(next) = self.next() else {
                return format!("the cassette has ended, and {got} came");
            };
            let described = self.describe(next);
            let how = differs(&next).map_or(String::new(), |how| format!(": {how}"));
            return format!("the next request on the cassette is {described}, not {got}{how}");
        }
        let close = (0..self.tracks.len()).find_map(|index| Some((index, differs(&index)?)));
        let close = close.map_or(String::new(), |(index, how)| {
            format!("; compared with {}, {how}", self.describe(index))
        });
        format!("the cassette has no answer to {got}{close}")
    }

    fn describe(&self, index: usize) -> String {
        let track = self.tracks.get(index);
        track.map_or(String::new(), |track| track.exchange.to_string())
    }
}

/// A request, and what it is without its secrets.
struct Asked<'a> {
    request: &'a Request,
    /// The arguments without their secrets, if there are any.
    scrubbed: Option<Value>,
    topic: Option<String>,
}

impl<'a> Asked<'a> {
    fn new(request: &'a Request) -> Self {
        let mut scrubbed = request.arguments.clone();
        scrub(&request.name, &mut scrubbed, &mut None);
        Self {
            topic: topic(&request.name, &request.arguments),
            scrubbed: Some(scrubbed).filter(|scrubbed| *scrubbed != request.arguments),
            request,
        }
    }

    /// The names with which it is the recorded one, of which the secrets may have been taken out.
    fn fit(&self, exchange: &Exchange, names: &Names, again: bool) -> Option<Vec<Pair>> {
        let is_command = exchange.command == self.request.name;
        let fit = |given| names.fit(plain(&exchange.arguments), given, again).ok();
        let fits = || {
            let fits = fit(plain(&self.request.arguments));
            fits.or_else(|| fit(self.scrubbed.as_ref()?))
        };
        is_command.then(fits).flatten()
    }

    /// Where the recorded request has other arguments, if it is for the same command.
    fn difference<'v>(&'v self, exchange: &'v Exchange, names: &Names) -> Option<Difference<'v>> {
        let is_command = exchange.command == self.request.name;
        let given = plain(&self.request.arguments);
        let fit = names.fit(plain(&exchange.arguments), given, false);
        fit.err().filter(|_| is_command)
    }
}

/// No arguments are the same as empty ones.
fn plain(arguments: &Value) -> &Value {
    static NONE: Value = Value::Null;
    match arguments {
        Value::Object(members) if members.is_empty() => &NONE,
        other => other,
    }
}
