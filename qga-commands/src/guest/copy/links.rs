//! Links, which are read and made, and never followed.

use super::CopyFault;
use super::entry::Kind;
use super::host::Target;
use super::listing::Listing;
use super::names::{TARGET_NOT_UTF8, join};
use super::steps::{batches, most, run, size};
use crate::guest::scripts::{MAKE_LINKS, READ_LINKS};
use crate::guest::shell::{NO_SHELL, SCRIPT_TIMEOUT};
use crate::guest::{Guest, GuestError};

/// What a target may have, in bytes; no system takes more.
const LONGEST: usize = 4095;
/// What all targets of a tree may have, in bytes.
const MOST: usize = 32 << 20;

/// Asks the guest where its links lead to. Where it cannot tell, they are skipped.
pub(super) async fn read(
    guest: &Guest,
    remote: &str,
    listing: &mut Listing,
) -> Result<(), GuestError> {
    let links = listing.of_kind(Kind::Link);
    let paths: Vec<_> = links.map(|entry| join(remote, &entry.path)).collect();
    let mut targets = Vec::new();
    let mut bytes = 0;
    for batch in batches(paths.iter().map(String::as_str), most(guest, READ_LINKS)) {
        let first = batch.first().copied().unwrap_or_default();
        let output = READ_LINKS.run(guest, &batch, SCRIPT_TIMEOUT).await?;
        let output = output.ok_or_else(|| CopyFault::Refused(NO_SHELL).at(first))?;
        match output.status.code() {
            Some(0) => {}
            Some(127) => {
                listing.skip_links();
                return Ok(());
            }
            _ => return Err(CopyFault::Program(output).at(first)),
        }
        let read = parse(&output.stdout, &batch)?;
        bytes += read.iter().map(Vec::len).sum::<usize>();
        if bytes > MOST {
            let text = format!("the targets of the links have more than {MOST} bytes");
            return Err(CopyFault::TooMuch(text.into()).at(remote));
        }
        targets.extend(read);
    }
    let links = listing.entries.iter_mut();
    let links = links.filter(|entry| entry.kind == Kind::Link);
    for (link, target) in links.zip(targets) {
        link.target = target;
    }
    Ok(())
}

/// What was printed for so many links: each target, a newline and a NUL, which no target can hold.
fn parse(printed: &[u8], links: &[&str]) -> Result<Vec<Vec<u8>>, GuestError> {
    let mut records = printed.split(|byte| *byte == 0);
    let mut targets = Vec::new();
    for link in links {
        let target = records.next().and_then(|record| record.strip_suffix(b"\n"));
        let fault = match target {
            Some(target) if target.len() > LONGEST => {
                CopyFault::UnsafeName("what the link leads to is too long")
            }
            Some(target @ [_, ..]) => {
                targets.push(target.to_vec());
                continue;
            }
            _ => {
                CopyFault::Changed("it was a link when it was listed, and is none any more".into())
            }
        };
        return Err(fault.at(*link));
    }
    if records.next() == Some(b"") && records.next().is_none() {
        return Ok(targets);
    }
    let fault = CopyFault::Refused("the guest's list of links cannot be read");
    Err(fault.at(links.first().copied().unwrap_or_default()))
}

/// Makes the links in the guest, below `content`.
pub(super) async fn make(
    guest: &Guest,
    listing: &Listing,
    content: &str,
) -> Result<(), GuestError> {
    let most = most(guest, MAKE_LINKS);
    let mut args: Vec<String> = Vec::new();
    let mut bytes = 0;
    for link in listing.of_kind(Kind::Link) {
        let path = join(content, &link.path);
        let Ok(target) = std::str::from_utf8(&link.target) else {
            return Err(CopyFault::UnsafeName(TARGET_NOT_UTF8).at(path));
        };
        // So that it is taken neither for an option nor for a path.
        let pair = [path, format!("={target}")];
        let more = pair.iter().map(|arg| size(arg)).sum::<usize>();
        if bytes + more > most && !args.is_empty() {
            send(guest, &args).await?;
            (args, bytes) = (Vec::new(), 0);
        }
        bytes += more;
        args.extend(pair);
    }
    if args.is_empty() {
        return Ok(());
    }
    send(guest, &args).await
}

async fn send(guest: &Guest, args: &[String]) -> Result<(), GuestError> {
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    run(guest, MAKE_LINKS, &args).await
}

/// Makes the links on this host.
pub(super) async fn make_here(target: &Target, listing: &Listing) -> Result<(), GuestError> {
    let links = listing.of_kind(Kind::Link);
    let links = links.map(|link| {
        let owner = link.meta.and_then(|meta| meta.owner);
        (link.path.clone(), link.target.clone(), owner)
    });
    target.make_links(links.collect()).await
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn targets_with_newlines_and_other_bytes_stay_whole() {
        let printed = b"-rf\n\0../../x\n\0a\n\n\n\0\xff\n\0";
        let targets = parse(printed, &["/1", "/2", "/3", "/4"]).unwrap();
        assert_eq!(targets, [&b"-rf"[..], b"../../x", b"a\n\n", b"\xff"]);
        assert!(parse(b"", &[]).is_ok());
    }

    #[test]
    fn what_does_not_fit_the_links_that_were_asked_for_is_an_error() {
        let long = [&[b'x'; 4096][..], b"\n\0"].concat();
        for printed in [
            &b""[..],
            b"x",
            b"x\n",
            b"\0",
            b"\n\0",
            b"x\0",
            b"x\n\0y\n\0",
            b"x\n\0y",
            &long,
        ] {
            assert!(parse(printed, &["/1"]).is_err(), "{printed:?}");
        }
        assert!(parse(b"x\n\0", &["/1", "/2"]).is_err());
    }
}
