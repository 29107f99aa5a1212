//! Processors and memory that are taken online and offline, step by step.

use crate::support::faults::{TIMEOUT, at_every_message, can_be_done_again};
use qga_commands::commands::cpu::GuestLogicalProcessor;
use qga_commands::commands::memory::{GuestMemoryBlock, GuestMemoryBlockResponseType};
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution};
use qga_testserver::{Answer, MemoryBlock, TestAgent, Vcpu};
use serde_json::{Value, json};

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    (agent, Guest::new(Client::new(stream)))
}

/// The highest number first, as agents list them; number 0 cannot go offline.
fn plug(agent: &TestAgent, count: i64) {
    agent.edit_guest(|guest| {
        let numbers = (0..count).rev();
        guest.vcpus = numbers
            .map(|number| Vcpu::new(number, number > 0))
            .collect();
    });
}

fn plug_memory(agent: &TestAgent, count: u64) {
    agent.edit_guest(|guest| {
        guest.memory_blocks = (0..count).rev().map(MemoryBlock::new).collect();
    });
}

fn change(numbers: impl IntoIterator<Item = i64>, online: bool) -> Vec<GuestLogicalProcessor> {
    let change = |number| GuestLogicalProcessor::new(number, online);
    numbers.into_iter().map(change).collect()
}

fn online(agent: &TestAgent) -> Vec<i64> {
    let vcpus = agent.guest().vcpus.into_iter();
    let mut online: Vec<_> = vcpus.filter(|vcpu| vcpu.online).collect();
    online.sort_by_key(|vcpu| vcpu.logical_id);
    online.into_iter().map(|vcpu| vcpu.logical_id).collect()
}

fn offline_blocks(agent: &TestAgent) -> usize {
    let blocks = agent.guest().memory_blocks;
    blocks.iter().filter(|block| !block.online).count()
}

#[tokio::test(start_paused = true)]
async fn processors_are_listed_by_number_and_each_once() {
    let (agent, guest) = guest();
    plug(&agent, 3);
    agent.edit_guest(|guest| guest.vcpus.push(Vcpu::new(1, true)));
    let vcpus = guest.vcpus().await.unwrap();
    let numbers: Vec<_> = vcpus.iter().map(|vcpu| vcpu.logical_id).collect();
    assert_eq!(numbers, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_count_of_processors_is_reached_from_both_sides() {
    let (agent, guest) = guest();
    plug(&agent, 4);
    let changed = guest.set_online_vcpus(2).await.unwrap();
    assert_eq!(changed, change([3, 2], false));
    assert_eq!(online(&agent), [0, 1]);
    let changed = guest.set_online_vcpus(3).await.unwrap();
    assert_eq!(changed, change([2], true));
    assert_eq!(online(&agent), [0, 1, 2]);
    assert!(guest.set_online_vcpus(3).await.unwrap().is_empty());
    assert_eq!(agent.requests_of("guest-set-vcpus").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_count_that_cannot_be_reached_changes_nothing() {
    let (agent, guest) = guest();
    plug(&agent, 4);
    agent.edit_guest(|guest| guest.vcpus[1].can_offline = None);
    for count in [0, 1, 5, usize::MAX] {
        let error = guest.set_online_vcpus(count).await.unwrap_err();
        assert!(matches!(error, GuestError::InvalidInput(_)), "{error}");
    }
    assert!(agent.requests_of("guest-set-vcpus").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_cannot_go_is_not_asked_to() {
    let (agent, guest) = guest();
    plug(&agent, 3);
    for number in [0, 3, -1] {
        let error = guest.set_vcpus(change([1, number], false)).await;
        let error = error.unwrap_err();
        assert!(matches!(error, GuestError::InvalidInput(_)), "{error}");
        assert_eq!(error.execution(), Execution::NotRun);
    }
    assert!(agent.requests_of("guest-set-vcpus").is_empty());
    guest.set_vcpus(change([0, 1], true)).await.unwrap();
    guest.set_vcpus([]).await.unwrap();
    assert_eq!(agent.requests_of("guest-set-vcpus").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_names_the_processors_and_blocks_that_are_at_fault() {
    let (agent, guest) = guest();
    plug(&agent, 4);
    agent.edit_guest(|guest| guest.vcpus[1].can_offline = None);
    for (numbers, wanted) in [
        (vec![1, 0], "these processors cannot go offline: 0"),
        (vec![2, 0, 3], "these processors cannot go offline: 0, 2"),
        (
            vec![1, 9, -1],
            "the guest has no processors with these numbers: -1, 9",
        ),
        (
            vec![0, 9],
            "these processors cannot go offline: 0; the guest has none with these numbers: 9",
        ),
        (
            (1000..2000).collect(),
            "the guest has no processors with these numbers: 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007 \
             and 992 more",
        ),
    ] {
        let error = guest.set_vcpus(change(numbers, false)).await.unwrap_err();
        assert_eq!(error.to_string(), format!("this cannot be done: {wanted}"));
    }
    let few = "this cannot be done: the guest cannot have 1 processors online: it has 4, of which 4 are online, and these cannot \
               go offline: 0, 2";
    assert_eq!(
        guest.set_online_vcpus(1).await.unwrap_err().to_string(),
        few
    );
    let many = guest.set_online_vcpus(9).await.unwrap_err().to_string();
    assert!(
        many.starts_with(
            "this cannot be done: the guest cannot have 9 processors online: it has 4"
        ),
        "{many}"
    );

    agent.on("guest-set-vcpus").reply(7);
    let error = guest.set_vcpus(change([1, 2], true)).await.unwrap_err();
    let wanted = "the agent's answer makes no sense: 7 processors are said to be done, of 2 that were asked for, from number 1";
    assert_eq!(error.to_string(), wanted);

    let answer =
        json!([{"phys-index": 1, "response": "success"}, {"phys-index": 7, "response": "success"}]);
    agent.on("guest-set-memory-blocks").reply(answer);
    let blocks = [1, 2].map(|number| GuestMemoryBlock::new(number, true));
    let error = guest.set_memory_blocks(blocks).await.unwrap_err();
    let wanted = "the agent's answer makes no sense: of 2 blocks of memory it has set, it tells 2 times what became of them; \
                  not told of 2; not asked for 7";
    assert_eq!(error.to_string(), wanted);
}

#[tokio::test(start_paused = true)]
async fn after_a_partial_count_the_rest_is_asked_for() {
    let (agent, guest) = guest();
    // One that is busy for a moment: at most two of them at once.
    agent.on("guest-set-vcpus").reply_with(|request| {
        let asked = request.arguments.get("vcpus").and_then(Value::as_array);
        json!(asked.unwrap().len().min(2))
    });
    guest.set_vcpus(change(1..=5, true)).await.unwrap();
    let sent = agent.requests_of("guest-set-vcpus");
    let first = sent
        .iter()
        .map(|sent| &sent.arguments["vcpus"][0]["logical-id"]);
    assert_eq!(first.collect::<Vec<_>>(), [1, 3, 5]);
}

#[tokio::test(start_paused = true)]
async fn the_error_after_a_partial_count_tells_what_was_done() {
    let (agent, guest) = guest();
    plug(&agent, 3);
    let wanted = change([1, 2, 7, 0], true);
    let error = guest.set_vcpus(wanted).await.unwrap_err();
    assert!(matches!(error, GuestError::Partial { done: 2, of: 4, .. }));
    assert_eq!(error.execution(), Execution::Answered);
    let said = error.command_error().unwrap().to_string();
    assert!(said.contains("cpu7"), "{said}");
    let sent = agent.requests_of("guest-set-vcpus");
    assert_eq!(sent[1].arguments["vcpus"][0]["logical-id"], 7);
    let error = guest.set_vcpus(change([7], true)).await.unwrap_err();
    assert!(matches!(error, GuestError::Command(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_lies_about_its_count_comes_to_an_end() {
    for told in [
        json!(0),
        json!(-1),
        json!(6),
        json!(i64::MAX),
        json!(i64::MIN),
    ] {
        let (agent, guest) = guest();
        agent.on("guest-set-vcpus").reply(told);
        let error = guest.set_vcpus(change(1..=5, true)).await.unwrap_err();
        assert!(matches!(error, GuestError::Unexpected(_)), "{error:?}");
        assert_eq!(error.execution(), Execution::MaybeRun);
        assert_eq!(agent.requests_of("guest-set-vcpus").len(), 1);
    }
    let (agent, guest) = guest();
    agent.on("guest-set-vcpus").reply(1);
    let error = guest.set_vcpus(change(1..=100, true)).await.unwrap_err();
    assert!(
        matches!(
            error,
            GuestError::Partial {
                done: 17,
                of: 100,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn many_processors_are_done_some_at_a_time() {
    let (agent, guest) = guest();
    plug(&agent, 300);
    guest.set_online_vcpus(10).await.unwrap();
    assert_eq!(online(&agent), (0..10).collect::<Vec<_>>());
    let sent = agent.requests_of("guest-set-vcpus");
    let sizes = sent
        .iter()
        .map(|sent| sent.arguments["vcpus"].as_array().unwrap().len());
    assert_eq!(sizes.collect::<Vec<_>>(), [64, 64, 64, 64, 34]);
}

#[tokio::test(start_paused = true)]
async fn processors_can_be_set_again_after_any_fault() {
    can_be_done_again(
        6 * TIMEOUT,
        |agent| plug(agent, 100),
        async |guest: &Guest| guest.set_vcpus(change(10..100, false)).await,
        |agent| online(agent).len() == 10,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_the_error_tells_no_more_than_was_done() {
    at_every_message(
        6 * TIMEOUT,
        |agent| plug(agent, 200),
        async |guest: &Guest| guest.set_online_vcpus(10).await,
        |agent, context, result| {
            let done = 200 - online(agent).len();
            let Err(error) = result else {
                return assert_eq!(done, 190, "{context}");
            };
            if let GuestError::Partial { done: told, .. } = &error {
                assert!((1..=done).contains(told), "{context}: {told} of {done}");
            }
            let unchanged = error.execution() == Execution::NotRun;
            assert!(!unchanged || done == 0, "{context}: {error:?}");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_count_can_be_set_again_after_any_fault() {
    can_be_done_again(
        6 * TIMEOUT,
        |agent| plug(agent, 100),
        async |guest: &Guest| guest.set_online_vcpus(10).await,
        |agent| online(agent).len() == 10,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn blocks_of_memory_are_listed_by_number_with_their_size() {
    let (agent, guest) = guest();
    plug_memory(&agent, 3);
    agent.edit_guest(|guest| guest.memory_blocks.push(MemoryBlock::new(2)));
    let blocks = guest.memory_blocks().await.unwrap();
    let numbers: Vec<_> = blocks.iter().map(|block| block.phys_index).collect();
    assert_eq!(numbers, [0, 1, 2]);
    assert_eq!(guest.memory_block_size().await.unwrap(), 128 << 20);
}

#[tokio::test(start_paused = true)]
async fn each_block_of_memory_has_its_answer() {
    let (agent, guest) = guest();
    plug_memory(&agent, 3);
    agent.edit_guest(|guest| guest.memory_blocks[1].can_offline = Some(false));
    let wanted = [9, 2, 1].map(|number| GuestMemoryBlock::new(number, false));
    let answers = guest.set_memory_blocks(wanted).await.unwrap();
    let told: Vec<_> = answers
        .iter()
        .map(|answer| (answer.phys_index, answer.is_success(), answer.error_code))
        .collect();
    assert_eq!(
        told,
        [(1, false, Some(22)), (2, true, None), (9, false, None)]
    );
    let missing = &answers[2].response;
    assert_eq!(*missing, GuestMemoryBlockResponseType::NotFound);
    assert_eq!(offline_blocks(&agent), 1);
}

#[tokio::test(start_paused = true)]
async fn much_memory_is_done_some_at_a_time() {
    let (agent, guest) = guest();
    plug_memory(&agent, 200);
    let wanted = (0..200).map(|number| GuestMemoryBlock::new(number, false));
    let answers = guest.set_memory_blocks(wanted.clone()).await.unwrap();
    assert_eq!(answers.len(), 200);
    assert_eq!(agent.requests_of("guest-set-memory-blocks").len(), 4);
    plug_memory(&agent, 200);
    agent
        .on("guest-set-memory-blocks")
        .with(|arguments| arguments.pointer("/mem-blks/0/phys-index") == Some(&json!(128)))
        .error("CommandNotFound", "no");
    let error = guest.set_memory_blocks(wanted).await.unwrap_err();
    assert_eq!(error.execution(), Execution::Answered);
    assert!(matches!(
        error,
        GuestError::Partial {
            done: 128,
            of: 200,
            ..
        }
    ));
    assert_eq!(offline_blocks(&agent), 128);
    assert!(guest.set_memory_blocks([]).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn answers_about_other_blocks_are_an_error() {
    let block = |number: u64| json!({"phys-index": number, "response": "success"});
    let wrong: [Value; 4] = [
        json!([]),
        json!([block(1)]),
        json!([block(1), block(3)]),
        json!([block(1), block(2), block(2)]),
    ];
    for answers in wrong {
        let (agent, guest) = guest();
        agent
            .on("guest-set-memory-blocks")
            .reply_with(move |_| Answer::Return(answers.clone()));
        let wanted = [1, 2].map(|number| GuestMemoryBlock::new(number, false));
        let error = guest.set_memory_blocks(wanted).await.unwrap_err();
        assert!(matches!(error, GuestError::Unexpected(_)), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn memory_can_be_set_again_after_any_fault() {
    can_be_done_again(
        6 * TIMEOUT,
        |agent| plug_memory(agent, 100),
        async |guest: &Guest| {
            let wanted = (0..100).map(|number| GuestMemoryBlock::new(number, false));
            guest.set_memory_blocks(wanted).await
        },
        |agent| offline_blocks(agent) == 100,
    )
    .await;
}
