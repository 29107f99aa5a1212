//! Small files of the guest, many by one program.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::bundle::{Amount, small, take};
use super::entry::Entry;
use super::finishing::Finishing;
use super::host::{Sink, Target};
use super::listing::Listing;
use super::steps::most;
use super::ustar::Members;
use super::{Transfer, ustar};
use crate::guest::GuestError;
use crate::guest::output::Output;
use crate::guest::pace::{self, Pace};
use crate::guest::scripts::{ARE_EMPTY, PACK, Script};
use crate::guest::shell::SCRIPT_TIMEOUT;
use crate::limits;

/// What the files of the first archive take at most, in bytes.
const FIRST: u64 = 512 << 10;
/// What a `tar` may add at the end of an archive, in bytes.
const END: u64 = 20 << 10;
/// What a `tar` may add to a path that is too long for a header, in bytes.
const LONG_PATH: u64 = 4 << 10;
/// What stands beside a path in the arguments, in bytes.
const BESIDE: usize = 8;
/// What is listed as empty and still keeps its reader waiting is no such file.
const EMPTY_TIMEOUT: Duration = Duration::from_secs(30);

/// A copy of small files. Those that it leaves out have to go one by one: all of them where the guest has no `tar`,
/// and those that are not as they were listed.
pub(super) struct FetchBundles<'a> {
    pub(super) transfer: &'a mut Transfer,
    pub(super) listing: &'a mut Listing,
    pub(super) target: &'a Target,
    pub(super) pace: &'a mut Pace,
    pub(super) finishing: &'a mut Finishing,
    /// The files that were copied, by their numbers in the list.
    pub(super) fetched: HashSet<usize>,
}

impl FetchBundles<'_> {
    pub(super) async fn all(mut self) -> Result<HashSet<usize>, GuestError> {
        self.archives().await?;
        self.empty().await?;
        Ok(self.fetched)
    }

    async fn archives(&mut self) -> Result<(), GuestError> {
        let most = self.arguments(PACK);
        let files = small(&self.listing.entries, |entry| {
            entry.size > 0 && entry.there == 0 && cost(entry)[1] <= most
        });
        let mut amount = Amount::new(FIRST, u64::MAX);
        let mut left = &*files;
        while !left.is_empty() {
            let cost = |index| self.cost(index);
            let bundle = take(&mut left, [amount.now(), most], cost);
            let begun = Instant::now();
            let Some(output) = self.pack(bundle).await? else {
                break;
            };
            amount.took(begun.elapsed());
            let is_whole = output
                .stderr
                .split(|byte| *byte == b'\n')
                .any(|line| line == b"whole");
            if output.status.success() && is_whole && !output.truncated {
                self.unpack(bundle, &output.stdout).await?;
            }
        }
        Ok(())
    }

    /// What files print as an archive; `None` if the guest makes none.
    async fn pack(&mut self, bundle: &[usize]) -> Result<Option<Output>, GuestError> {
        let room: u64 = bundle.iter().map(|index| self.cost(*index)[0]).sum();
        let room = room.saturating_add(END).to_string();
        let paths = self.paths(bundle);
        let args = [&*self.transfer.remote, &room].into_iter();
        let args: Vec<_> = args.chain(paths.iter().map(String::as_str)).collect();
        let output = PACK.run(&self.transfer.guest, &args, SCRIPT_TIMEOUT);
        let output = pace::until(self.pace.end(), output).await?;
        Ok(output.filter(|output| output.status.code() != Some(127)))
    }

    /// Takes from an archive what was asked for, and nothing else.
    async fn unpack(&mut self, bundle: &[usize], archive: &[u8]) -> Result<(), GuestError> {
        let entry = |index: &usize| Some((*index, self.listing.entries.get(*index)?));
        let wanted = bundle.iter().filter_map(entry);
        let mut wanted: HashMap<_, _> = wanted
            .map(|(index, entry)| (entry.path.clone().into_bytes(), (index, entry.size)))
            .collect();
        for member in Members::of(archive) {
            let path = member.path.strip_prefix(b"./").unwrap_or(&member.path);
            if let Some((index, size)) = wanted.remove(path)
                && size == member.bytes.len() as u64
            {
                self.keep(index, member.bytes).await?;
            }
        }
        Ok(())
    }

    /// Looks whether the files that were listed as empty are empty.
    async fn empty(&mut self) -> Result<(), GuestError> {
        let most = self.arguments(ARE_EMPTY);
        let files = small(&self.listing.entries, |entry| {
            entry.size == 0 && cost(entry)[1] <= most
        });
        let mut left = &*files;
        while !left.is_empty() {
            let cost = |index| [self.cost(index)[1]];
            let bundle = take(&mut left, [most], cost);
            if self.are_empty(bundle).await? {
                for index in bundle {
                    self.keep(*index, &[]).await?;
                }
            }
        }
        Ok(())
    }

    async fn are_empty(&mut self, bundle: &[usize]) -> Result<bool, GuestError> {
        let paths = self.paths(bundle);
        let args = std::iter::once(&*self.transfer.remote);
        let args: Vec<_> = args.chain(paths.iter().map(String::as_str)).collect();
        let output = ARE_EMPTY.run(&self.transfer.guest, &args, EMPTY_TIMEOUT);
        match pace::until(self.pace.end(), output).await {
            Ok(Some(output)) => Ok(output.status.success() && output.stdout.is_empty()),
            Ok(None) | Err(GuestError::TimedOut { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes a file of this host.
    async fn keep(&mut self, index: usize, bytes: &[u8]) -> Result<(), GuestError> {
        let Some(entry) = self.listing.entries.get(index) else {
            return Ok(());
        };
        let size = bytes.len() as u64;
        let sink = Sink::create(self.target.creation(&entry.path, 0));
        if !bytes.is_empty() {
            sink.push(bytes.to_vec());
            self.transfer.report.file(&entry.path, size, size);
        }
        self.transfer.report.done(size);
        self.pace.moved(size);
        self.pace.file_done();
        let (meta, sum) = (entry.meta, self.transfer.verify);
        self.listing.copied_file(index, size, false);
        self.fetched.insert(index);
        self.finishing.add(index, sink, meta, sum).await
    }

    /// The paths of files as the scripts take them.
    fn paths(&self, bundle: &[usize]) -> Vec<String> {
        let entries = bundle
            .iter()
            .filter_map(|index| self.listing.entries.get(*index));
        entries.map(|entry| format!("./{}", entry.path)).collect()
    }

    fn cost(&self, index: usize) -> [u64; 2] {
        self.listing.entries.get(index).map_or([0, 0], cost)
    }

    /// What the paths may take in the arguments of a script, in bytes.
    fn arguments(&self, script: Script) -> u64 {
        let most = most(&self.transfer.guest, script);
        most.saturating_sub(limits::length_of(&self.transfer.remote) + 32) as u64
    }
}

/// What a file takes of an archive and of the arguments, in bytes.
fn cost(Entry { path, size, .. }: &Entry) -> [u64; 2] {
    let long = match path.len() {
        ..90 => 0,
        length => LONG_PATH.saturating_add(ustar::room(length as u64)),
    };
    let argument = limits::length_of(path).saturating_add(BESIDE);
    [ustar::room(*size).saturating_add(long), argument as u64]
}
