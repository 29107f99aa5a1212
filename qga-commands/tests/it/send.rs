//! What operations return may move to another thread.

use qga_commands::guest::ready::Ready;
use qga_commands::{Guest, Usable};
use qga_core::Client;

fn check<T: Send>(_: T) {}

#[test]
fn the_futures_of_operations_may_move_to_another_thread() {
    let (_agent, stream) = tokio::io::duplex(1);
    let guest = Guest::new(Client::new(stream));
    check(guest.command("true").output());
    check(guest.process(1).kill());
    check(guest.read("/etc/hostname"));
    check(guest.write("/tmp/file", "x"));
    check(guest.open("/tmp/file"));
    check(guest.while_frozen(|| async {}).into_future());
    check(guest.while_frozen(|| async {}).until(async {}));
    check(guest.thaw());
    check(guest.set_password("root", "x"));
    check(guest.ssh_keys("root").add(["x"]));
    check(guest.set_online_vcpus(1));
    check(guest.set_vcpus([]));
    check(guest.set_memory_blocks([]));
    check(guest.sync_time());
    check(guest.addresses(&Usable::new()));
    check(guest.routes());
    check(guest.filesystems());
    check(guest.fstrim().into_future());
    check(guest.shutdown().send());
    check(guest.reboot().into_future());
    check(guest.health());
    check(guest.wait_ready(&Ready::ping()));
    check(Ready::ping().connect("unix:/run/vm1/qga.sock"));
}
