//! Asking who answers, once for all who want to know it.

use std::sync::Arc;

use qga_core::{Client, Error};
use tokio::time::timeout_at;

use super::identity::{Asked, Need, ask};
use super::{Agents, Incarnation};
use crate::backoff::after;
use crate::optional::{self, was_asked};

/// How often in a row it is asked who answers, where contacts end meanwhile.
const MOST_QUESTIONS: u32 = 2;

/// Asks until there is an answer, or a failure of the channel that any other command would have.
pub(crate) async fn identify(client: &Client, need: Need) -> Result<Arc<Incarnation>, Error> {
    let agents = Agents::of(client);
    let time = client.options().command_timeout();
    let end = after(match need {
        Need::Idle => optional::time(client),
        Need::Answerable | Need::Must => time,
    });
    let _asking = timeout_at(end, agents.asking.lock()).await.ok();
    let mut tries = 0;
    loop {
        let present = agents.present(client);
        if !agents.is_due(&present, need, client) {
            return Ok(present);
        }
        tries += 1;
        let is_last = tries >= MOST_QUESTIONS;
        let error = match ask(client, need).await {
            Ok(Asked::Answered(answer, contact)) => {
                let answerer = agents.answered(answer, contact, client);
                if contact == client.contact() || is_last {
                    return Ok(answerer);
                }
                continue;
            }
            Ok(Asked::Interrupted(_)) if !is_last => continue,
            Err(error) if !was_asked(&error) || error.is_deadline() => return Err(error),
            Ok(Asked::Interrupted(error)) | Err(error) => error,
        };
        agents.unanswered();
        if need == Need::Must {
            return Err(error);
        }
        return Ok(agents.present(client));
    }
}
