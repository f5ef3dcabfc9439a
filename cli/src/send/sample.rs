//! Made-up events in the gateways' own shapes, so that the first minute shows every step of a pipeline at work.

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Map, Value};

use super::batch::{Batches, body};
use super::door::Door;
use super::watch::Watch;
use super::{Sample, Stopped};

/// The events are from the last minutes, because some SIEMs throw older ones away.
const OLDEST_SECONDS: u64 = 300;

/// What a gateway's events are made of.
struct Scenes {
    /// A list of events without id and time. The first three hold an e-mail address, a card number and an API key.
    events: &'static str,
    id: &'static str,
    time: &'static str,
}

impl Sample {
    fn scenes(self) -> Scenes {
        match self {
            Self::PolicyGateway => Scenes {
                events: include_str!("samples/policy_gateway.json"),
                id: "event_id",
                time: "created_at",
            },
            Self::Keeptrusts => Scenes {
                events: include_str!("samples/keeptrusts.json"),
                id: "event_id",
                time: "timestamp",
            },
            Self::LlmGateway => Scenes {
                events: include_str!("samples/llm_gateway.json"),
                id: "id",
                time: "timestamp",
            },
        }
    }

    /// `count` events with ids that nobody has seen, up to `now`, and the first of them once more at the end.
    fn events(self, count: u64, now: Timestamp) -> impl Iterator<Item = Vec<u8>> {
        let Scenes { events, id, time } = self.scenes();
        let scenes: Vec<Map<String, Value>> =
            serde_json::from_str(events).expect("the scenes are a list of objects: tested");
        let mut first = None;
        let mut number = 0;
        std::iter::from_fn(move || {
            if number == count {
                return first.take();
            }
            let at = usize::try_from(number % scenes.len() as u64).expect("less than a length");
            let mut event = scenes[at].clone();
            let age = (count - number).min(OLDEST_SECONDS).cast_signed();
            let happened = now.checked_sub(age.seconds()).unwrap_or(now);
            event[id] = uuid::Uuid::new_v4().to_string().into();
            event[time] = Timestamp::from_second(happened.as_second())
                .unwrap_or(happened)
                .to_string()
                .into();
            number += 1;
            let event = Value::Object(event).to_string().into_bytes();
            first.get_or_insert_with(|| event.clone());
            Some(event)
        })
    }
}

/// Posts `count` different events, and one of them twice. Returns what to tell the user.
pub(super) async fn send(door: &Door, sample: Sample, count: u64) -> Result<String, Stopped> {
    let watch = Watch::lines();
    let mut events = sample.events(count, Timestamp::now());
    let (mut requests, mut answer) = (0, String::new());
    for batch in Batches::new(1, || events.next().map(Ok)) {
        let batch = batch.map_err(|bad| Stopped::Failed(bad.to_string()))?;
        let delivered = door.deliver(body(&batch.rows), &watch).await;
        answer = delivered.map_err(|why| {
            let sent = batch.first - 1;
            Stopped::Failed(match sent {
                0 => why.to_string(),
                _ => format!("{why}; the first {sent} sample events were accepted"),
            })
        })?;
        requests += 1;
    }
    if requests > 1 {
        answer = format!("{answer} (the last of {requests} requests)");
    }
    Ok(format!(
        "sent:   {count} sample events, and the first of them once more, to {}\n\
         answer: {answer}\n\
         look:   where the pipeline delivers to; with configs/quickstart.yaml that is ./sluice-events.jsonl and the\n\
         \x20       terminal of `sluice run`. The repeated event is there once, and [REDACTED:...] stands for the e-mail\n\
         \x20       addresses, card numbers and API keys of the first events.",
        door.url()
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ALL: [Sample; 3] = [
        Sample::PolicyGateway,
        Sample::Keeptrusts,
        Sample::LlmGateway,
    ];

    fn made(sample: Sample, count: u64) -> Vec<Value> {
        let now = "2026-04-20T18:30:00.5Z".parse().unwrap();
        let events: Vec<Value> = sample
            .events(count, now)
            .map(|event| serde_json::from_slice(&event).unwrap())
            .collect();
        events
    }

    #[test]
    fn every_event_is_new_but_the_last_which_is_the_first_again() {
        for sample in ALL {
            let id = sample.scenes().id;
            let ids = |events: &[Value]| -> BTreeSet<String> {
                events
                    .iter()
                    .map(|event| event[id].as_str().unwrap().to_owned())
                    .collect()
            };
            let (once, again) = (made(sample, 40), made(sample, 40));
            assert_eq!((once.len(), ids(&once).len()), (41, 40));
            assert_eq!(once[0], once[40]);
            assert!(ids(&once).is_disjoint(&ids(&again)));
            assert_eq!(made(sample, 1).len(), 2);
        }
    }

    #[test]
    fn events_are_from_the_last_minutes_in_the_order_in_which_they_happened() {
        let events = made(Sample::Keeptrusts, 1_000);
        let times: Vec<&str> = events[..1_000]
            .iter()
            .map(|event| event["timestamp"].as_str().unwrap())
            .collect();
        assert!(times.is_sorted());
        assert_eq!(
            (times[0], times[999]),
            ("2026-04-20T18:25:00Z", "2026-04-20T18:29:59Z")
        );
    }

    #[test]
    fn the_first_three_hold_an_address_a_card_number_and_an_api_key() {
        for sample in ALL {
            let events = made(sample, 3);
            for (event, plant) in events.iter().zip([
                "jane.doe@example.com",
                "4111 1111 1111 1111",
                "sk-proj-abcdEFGH1234ijklMNOP5678",
            ]) {
                assert!(event.to_string().contains(plant), "{event}");
            }
        }
    }

    #[test]
    fn decisions_vary_and_every_class_of_event_is_there() {
        let values = |sample, field: &str| -> BTreeSet<String> {
            made(sample, 20)
                .iter()
                .filter_map(|event| Some(event[field].as_str()?.to_owned()))
                .collect()
        };
        let expect = |sample, field, expected: &[&str]| {
            let found = values(sample, field);
            assert!(
                expected.iter().all(|value| found.contains(*value)),
                "{field}: {found:?}"
            );
        };
        let decisions = ["allow", "rewrite", "refuse", "escalate"];
        expect(Sample::PolicyGateway, "decision", &decisions);
        expect(
            Sample::PolicyGateway,
            "event_type",
            &["enforcement", "simulation", "revision"],
        );
        expect(
            Sample::PolicyGateway,
            "rollout_mode",
            &["enforced", "shadow"],
        );
        expect(
            Sample::Keeptrusts,
            "action",
            &["allow", "block", "escalate", "redact"],
        );
        assert!(values(Sample::LlmGateway, "action").len() >= 8);
    }
}
