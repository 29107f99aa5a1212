//! How long requests and replies may be that bring much at once: by what an agent takes, and by what the channel
//! carries.

use qga_core::Client;

use crate::commands::exec::Exec;
use crate::commands::file::FileRead;

/// What surrounds the data, in bytes, where there is room.
const REST: usize = 4 * 1024;
/// The same at least.
const LEAST_REST: usize = 256;

/// The agent keeps 16 MiB of each of two streams, and sends them as base64: 43 MiB.
pub(crate) const EXEC_STATUS: usize = 48 * 1024 * 1024;

/// As much as was asked for, as base64.
pub(crate) fn file_read(command: &FileRead) -> usize {
    let bytes = usize::try_from(command.count.unwrap_or(0)).unwrap_or(0);
    (bytes / 3 + 1).saturating_mul(4).saturating_add(REST)
}

/// What an agent takes as one request, in bytes.
const REQUEST: usize = 64 * 1024 * 1024;

/// What a read or a write of a file moves, in bytes, where the channel carries so much. Large enough that the way there and
/// back hardly counts: an agent waits for 4 % of the time of an upload. With twice as much it waits for 3 %, but takes longer
/// for each byte, since what it works on leaves its processor's cache.
const CHUNK: usize = 256 * 1024;

/// The longest request to an agent, in bytes, less what surrounds the arguments.
pub(crate) fn request(client: &Client) -> usize {
    let carried = client.transport_limits().request.unwrap_or(REQUEST);
    data(carried.min(REQUEST))
}

/// Whether the reply that tells the end of a program carries all the output that an agent keeps.
pub(crate) async fn carries_output(client: &Client) -> bool {
    if client.transport_limits().reply.is_none() && client.latency().is_none() {
        // A client that connects with its first command does not know it yet. If this fails, so does that.
        drop(client.sync().await);
    }
    let most = client.transport_limits().reply;
    most.is_none_or(|most| most >= EXEC_STATUS)
}

/// How many bytes one read of a file brings.
pub(crate) fn read_chunk(client: &Client) -> usize {
    chunk(client.transport_limits().reply)
}

/// How many bytes one write of a file takes.
pub(crate) fn write_chunk(client: &Client) -> usize {
    chunk(client.transport_limits().request)
}

/// As base64, within what is carried; one byte at least.
fn chunk(carried: Option<usize>) -> usize {
    let most = carried.map_or(CHUNK, |carried| data(carried) / 4 * 3);
    most.clamp(1, CHUNK)
}

/// What is left for the data. Where little is carried, that is half of it, as long as a message fits around it.
fn data(carried: usize) -> usize {
    carried.saturating_sub((carried / 2).clamp(LEAST_REST, REST))
}

/// The shell, its option and a few words, also those that let the output go to files, in bytes.
const AROUND_SCRIPT: usize = 512;

/// How much of a request is left for the arguments of a script, in bytes.
pub(crate) fn arguments(client: &Client, script: &str) -> usize {
    request(client).saturating_sub(length_of(script) + AROUND_SCRIPT)
}

/// How long this is as a request, in bytes, without what surrounds the arguments. Characters that JSON
/// escapes count as the longest escape.
pub(crate) fn length(command: &Exec) -> usize {
    let list = |list: &Option<Vec<String>>| -> usize {
        let texts = list.iter().flatten();
        texts.map(|text| length_of(text)).sum()
    };
    let input = command.input_data.as_ref().map_or(0, Vec::len);
    let input = input.div_ceil(3).saturating_mul(4);
    let rest = length_of(&command.path) + list(&command.arg) + list(&command.env);
    input.saturating_add(rest)
}

/// How long this is as one of several texts in a request, in bytes.
pub(crate) fn length_of(text: &str) -> usize {
    let escaped = |byte: u8| byte < b' ' || matches!(byte, b'"' | b'\\' | 0x7F);
    let bytes = text.bytes();
    // Two quotes and a comma.
    3 + bytes
        .map(|byte| if escaped(byte) { 6 } else { 1 })
        .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_64_mib_fits_and_a_longer_one_does_not() {
        let fits = |exec: &Exec| length(exec) <= REQUEST - REST;
        let input = |bytes| Exec::new("cat").input_data(vec![0; bytes]);
        assert!(fits(&input(48 * 1024 * 1024 - 8 * 1024)));
        assert!(!fits(&input(48 * 1024 * 1024)));
        let arguments = |text: &str| Exec::new("echo").arg([text.repeat(20 * 1024 * 1024)]);
        assert!(fits(&arguments("a")));
        assert!(!fits(&arguments("\n")));
    }
}
