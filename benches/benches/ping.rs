//! A sequential `guest-ping` beside the same bytes over a bare `UnixStream`, in turn.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use benches::{Pairs, Place, bare, peers, stream, timed};
use criterion::{Criterion, criterion_group, criterion_main};
use qga_core::{Client, QgaCommand};
use tokio::net::UnixStream;

#[derive(QgaCommand)]
#[qga(name = "guest-ping")]
struct Ping;

/// Pings in a block; the contenders change places after each.
const BLOCK: u64 = 50;

/// As long as the client's own.
const REQUEST: &[u8] = b"{\"execute\":\"guest-ping\",\"id\":1234567890123456}\n";

async fn blocks(
    client: Client,
    mut stream: UnixStream,
    count: u64,
    pairs: Arc<Mutex<Pairs>>,
) -> (Client, UnixStream, Duration, Duration) {
    let mut buffer = vec![0; 8192];
    let (mut ours_total, mut bare_total) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..count {
        let bare_time = timed(async {
            for _ in 0..BLOCK {
                bare(&mut stream, REQUEST, &mut buffer).await
            }
        })
        .await;
        let ours_time = timed(async {
            for _ in 0..BLOCK {
                client.execute(Ping).await.expect("ping");
            }
        })
        .await;
        pairs.lock().expect("pairs").push(ours_time, bare_time);
        bare_total += bare_time;
        ours_total += ours_time;
    }
    (client, stream, ours_total, bare_total)
}

fn ping(criterion: &mut Criterion) {
    for place in Place::ALL {
        let runtime = place.runtime();
        let pairs = Arc::new(Mutex::new(Pairs::default()));
        let (client, stream) = {
            let _inside = runtime.enter();
            let [ours, bare] = peers("{}").map(stream);
            (Client::new(ours), bare)
        };
        let mut state = Some((client, stream));
        let mut group = criterion.benchmark_group(format!("ping/{place:?}"));
        for (name, pick_ours) in [("bare", false), ("client", true)] {
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|iterations| {
                    let count = iterations.div_ceil(BLOCK);
                    let (client, stream) = state.take().expect("state");
                    let (client, stream, ours, bare) =
                        place.run(&runtime, blocks(client, stream, count, pairs.clone()));
                    state = Some((client, stream));
                    let total = if pick_ours { ours } else { bare };
                    total.mul_f64(iterations as f64 / (count * BLOCK) as f64)
                });
            });
        }
        group.finish();
        let [low, median, high] = pairs.lock().expect("pairs").quartiles();
        println!(
            "ping/{place:?}: client / bare = {median:.3} (middle half {low:.3} to {high:.3})\n"
        );
    }
}

criterion_group!(benches, ping);
criterion_main!(benches);
