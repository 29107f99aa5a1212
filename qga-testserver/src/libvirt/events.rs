//! What the daemon tells its clients by itself.

use std::sync::Mutex;

use tokio::sync::mpsc;

use super::domains::Domain;
use super::packet::{Refusal, message, put_number};
use crate::lock::lock;

/// What is told of a domain.
#[derive(Clone, Copy)]
pub(super) enum News {
    Lifecycle(i32, i32),
    Reboot,
    Agent(i32, i32),
}

pub(super) const DEFINED: News = News::Lifecycle(0, 0);
pub(super) const UNDEFINED: News = News::Lifecycle(1, 0);
pub(super) const STARTED: News = News::Lifecycle(2, 0);
pub(super) const WOKEN: News = News::Lifecycle(2, 4);
pub(super) const PAUSED: News = News::Lifecycle(3, 0);
pub(super) const STALLED: News = News::Lifecycle(3, 2);
pub(super) const RESUMED: News = News::Lifecycle(4, 0);
pub(super) const SHUT_DOWN: [News; 2] = [News::Lifecycle(6, 1), News::Lifecycle(5, 0)];
pub(super) const DESTROYED: [News; 2] = [News::Lifecycle(6, 2), News::Lifecycle(5, 1)];
pub(super) const MIGRATED: News = News::Lifecycle(5, 3);
pub(super) const SUSPENDED: News = News::Lifecycle(7, 0);
pub(super) const CRASHED: News = News::Lifecycle(8, 0);
pub(super) const AGENT_CAME: News = News::Agent(1, 2);
pub(super) const AGENT_WENT: News = News::Agent(2, 2);
pub(super) const NO_AGENT_YET: News = News::Agent(2, 1);

/// Who is to be told of what.
#[derive(Default)]
pub(super) struct Callbacks(Mutex<All>);

#[derive(Default)]
struct All {
    /// They are counted for all clients together.
    last: i32,
    callbacks: Vec<Callback>,
}

struct Callback {
    number: i32,
    client: usize,
    topic: i32,
    domain: Option<[u8; 16]>,
    packets: mpsc::UnboundedSender<Vec<u8>>,
}

impl News {
    fn topic(self) -> i32 {
        match self {
            Self::Lifecycle(..) => 0,
            Self::Reboot => 1,
            Self::Agent(..) => 18,
        }
    }

    fn packet(self, callback: i32, domain: &Domain) -> Vec<u8> {
        let mut payload = Vec::new();
        put_number(&mut payload, callback);
        domain.put(&mut payload);
        let procedure = match self {
            Self::Lifecycle(event, detail) => {
                put_number(&mut payload, event);
                put_number(&mut payload, detail);
                318
            }
            Self::Reboot => 319,
            Self::Agent(state, reason) => {
                put_number(&mut payload, state);
                put_number(&mut payload, reason);
                348
            }
        };
        message(procedure, &payload)
    }
}

impl Callbacks {
    pub(super) fn register(
        &self,
        client: usize,
        topic: i32,
        domain: Option<[u8; 16]>,
        packets: &mpsc::UnboundedSender<Vec<u8>>,
    ) -> Result<i32, Refusal> {
        let mut all = lock(&self.0);
        let mut others = all.callbacks.iter();
        if others.any(|it| (it.client, it.topic, it.domain) == (client, topic, domain)) {
            return Err(Refusal::new(8, 0, "it is registered already"));
        }
        all.last += 1;
        let number = all.last;
        all.callbacks.push(Callback {
            number,
            client,
            topic,
            domain,
            packets: packets.clone(),
        });
        Ok(number)
    }

    pub(super) fn deregister(&self, client: usize, number: i32) -> Result<(), Refusal> {
        let callbacks = &mut lock(&self.0).callbacks;
        let before = callbacks.len();
        callbacks.retain(|it| (it.client, it.number) != (client, number));
        if callbacks.len() == before {
            return Err(Refusal::new(8, 0, "it is not registered"));
        }
        Ok(())
    }

    pub(super) fn forget(&self, client: usize) {
        lock(&self.0).callbacks.retain(|it| it.client != client);
    }

    pub(super) fn count(&self) -> usize {
        lock(&self.0).callbacks.len()
    }

    /// Sends each callback the header of an event, and less than an event has.
    pub(super) fn tell_nonsense(&self) {
        for callback in &lock(&self.0).callbacks {
            // The client may just have gone.
            drop(callback.packets.send(message(318, &[0xFF; 8])));
        }
    }

    pub(super) fn tell(&self, domain: &Domain, news: impl IntoIterator<Item = News>) {
        let all = lock(&self.0);
        for news in news {
            for callback in &all.callbacks {
                let is_meant = callback.domain.is_none_or(|uuid| uuid == domain.uuid);
                if is_meant && callback.topic == news.topic() {
                    // The client may just have gone.
                    drop(callback.packets.send(news.packet(callback.number, domain)));
                }
            }
        }
    }
}
