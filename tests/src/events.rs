//! Events as an AI policy gateway emits them: 25 fields, some with personal data or a secret in them, some repeated.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Map, Value, json};

/// Personal data and secrets that some events carry. None of these texts may reach a destination or a log.
pub const PLANTS: [&str; 6] = [
    "jane.doe@example.com",
    "4111 1111 1111 1111",
    "536-22-8726",
    "AKIAIOSFODNN7EXAMPLE",
    "sk-proj-abcdEFGH1234ijklMNOP5678",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
];

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// The object, fields in the vendor's order.
    pub object: Map<String, Value>,
    /// What was planted in it, if anything.
    pub plant: Option<&'static str>,
}

impl Event {
    /// Its `event_id`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.text("event_id")
    }

    /// Its `created_at` in seconds since 1970.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.text("created_at")
            .parse::<jiff::Timestamp>()
            .expect("we wrote it")
            .as_second()
    }

    /// A field that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.object[name].as_str().expect("a text field")
    }
}

/// `count` events from a seed: the same seed, the same events, apart from `created_at`, which is within the last
/// minutes because Datadog throws away what is older than 18 hours. One in `plant_every` carries a plant.
#[must_use]
pub fn generate(count: usize, seed: u64, plant_every: usize) -> Vec<Event> {
    let mut random = StdRng::seed_from_u64(seed);
    let now = jiff::Timestamp::now().as_second();
    (0..count)
        .map(|number| {
            let plant = number
                .is_multiple_of(plant_every)
                .then(|| PLANTS[number / plant_every % PLANTS.len()]);
            let created_at = now - 300 + i64::try_from(number % 240).expect("less than 240");
            event(
                &mut random,
                created_at,
                plant,
                number / plant_every / PLANTS.len(),
            )
        })
        .collect()
}

/// One event, planted in one of four places by `place`.
fn event(random: &mut StdRng, created_at: i64, plant: Option<&'static str>, place: usize) -> Event {
    let decision = *["allow", "allow", "allow", "rewrite", "refuse", "escalate"]
        .choose(random)
        .expect("it is not empty");
    let user = format!("user_{}", random.random_range(0..10_000));
    let created_at = jiff::Timestamp::from_second(created_at)
        .expect("a date of this century")
        .to_string();
    let Value::Object(mut object) = json!({
        "event_id": uuid::Builder::from_random_bytes(random.random()).into_uuid().to_string(),
        "event_type": "enforcement",
        "source": "policy_gateway",
        "created_at": created_at,
        "user_id": format!("acct-{}", random.random_range(0..500)),
        "org_id": null,
        "policy_id": "support-bot",
        "policy_name": "Support bot policy",
        "data_classification": "internal",
        "history_id": null,
        "decision": decision,
        "effective_decision": decision,
        "enforced": decision != "allow",
        "rollout_mode": "enforced",
        "reason_code": decision.to_uppercase(),
        "triggered_categories": if decision == "refuse" { json!(["self-harm/intent"]) } else { json!([]) },
        "allowlist_hits": ["refund policy"],
        "denylist_hits": if decision == "rewrite" { json!(["competitor-x"]) } else { json!([]) },
        "policy_target": "chat.completions",
        "policy_user": user,
        "quota_subject": user,
        "project_id": "proj_support_bot",
        "project_label": "Support Bot",
        "model": "abliterated-model",
        "latency_ms": random.random_range(0..4_000),
    }) else {
        unreachable!("an object was written")
    };
    if let Some(plant) = plant {
        match place % 4 {
            0 => object["denylist_hits"] = json!([format!("contact {plant} now")]),
            1 => object["policy_name"] = json!(format!("Grüße an {plant}, später")),
            2 => {
                object["allowlist_hits"] =
                    json!([json!({"prompt": format!("my value is {plant}")}).to_string()])
            }
            _ => {
                object.insert(
                    "config_snapshot".to_owned(),
                    json!({"notes": [{"text": format!("line one\n{plant}\nline three")}]}),
                );
            }
        }
    }
    Event { object, plant }
}

/// `events` with repetitions: about one in ten comes twice, next to itself or up to a few hundred events later.
#[must_use]
pub fn with_duplicates(events: &[Event], seed: u64) -> Vec<&Event> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut sequence: Vec<&Event> = events.iter().collect();
    for _ in 0..events.len() / 10 {
        let from = random.random_range(0..sequence.len());
        let to = (from + random.random_range(1..400)).min(sequence.len());
        sequence.insert(to, sequence[from]);
    }
    sequence
}

/// The events as an OTLP request: each body is the event's object, its name and time stand beside it.
#[must_use]
pub fn otlp_request<'a>(events: impl IntoIterator<Item = &'a Event>) -> ExportLogsServiceRequest {
    let log_records = events.into_iter().map(log_record).collect();
    let scope = Some(InstrumentationScope {
        name: "policy_gateway".to_owned(),
        version: "1".to_owned(),
        ..InstrumentationScope::default()
    });
    let scope_logs = vec![ScopeLogs {
        scope,
        log_records,
        ..ScopeLogs::default()
    }];
    let attributes = [
        ("service.name", "policy-gateway"),
        ("service.version", "4.2.1"),
        ("deployment.environment.name", "prod"),
    ]
    .map(|(key, value)| key_value(key, &json!(value)))
    .to_vec();
    let resource = Some(Resource {
        attributes,
        ..Resource::default()
    });
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource,
            scope_logs,
            ..ResourceLogs::default()
        }],
    }
}

fn log_record(event: &Event) -> LogRecord {
    let nanos = u64::try_from(event.seconds()).expect("after 1970") * 1_000_000_000;
    LogRecord {
        time_unix_nano: nanos,
        observed_time_unix_nano: nanos + 5_000,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(any_value(&Value::Object(event.object.clone()))),
        event_name: "ai.policy.decision".to_owned(),
        ..LogRecord::default()
    }
}

fn key_value(key: &str, value: &Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(any_value(value)),
        ..KeyValue::default()
    }
}

/// A JSON value as OTLP carries it; `null` is the empty value.
fn any_value(value: &Value) -> AnyValue {
    let value = match value {
        Value::Null => None,
        Value::Bool(value) => Some(any_value::Value::BoolValue(*value)),
        Value::Number(number) => Some(match number.as_i64() {
            Some(integer) => any_value::Value::IntValue(integer),
            None => any_value::Value::DoubleValue(number.as_f64().unwrap_or_default()),
        }),
        Value::String(text) => Some(any_value::Value::StringValue(text.clone())),
        Value::Array(items) => Some(any_value::Value::ArrayValue(ArrayValue {
            values: items.iter().map(any_value).collect(),
        })),
        Value::Object(members) => Some(any_value::Value::KvlistValue(KeyValueList {
            values: members
                .iter()
                .map(|(key, value)| key_value(key, value))
                .collect(),
        })),
    };
    AnyValue { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_events_again_and_no_id_twice() {
        let ids = |seed| {
            generate(500, seed, 20)
                .iter()
                .map(|event| event.id().to_owned())
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(ids(1), ids(1));
        assert_eq!(ids(1).len(), 500);
        assert!(ids(1).is_disjoint(&ids(2)));
    }

    #[test]
    fn every_plant_stands_in_every_place() {
        let events = generate(24 * 5, 1, 5);
        for plant in PLANTS {
            let carriers: Vec<String> = events
                .iter()
                .filter(|event| event.plant == Some(plant))
                .map(|event| Value::Object(event.object.clone()).to_string())
                .collect();
            assert_eq!(carriers.len(), 4);
            assert!(carriers.iter().all(|text| text.contains(plant)));
            for place in ["contact ", "Grüße an ", "my value is ", "line one"] {
                assert!(
                    carriers.iter().any(|text| text.contains(place)),
                    "{plant} {place}"
                );
            }
        }
    }

    #[test]
    fn a_tenth_comes_twice_and_nothing_is_left_out() {
        let events = generate(1_000, 1, 20);
        let sequence = with_duplicates(&events, 2);
        assert_eq!(sequence.len(), 1_100);
        let ids: std::collections::BTreeSet<_> = sequence.iter().map(|event| event.id()).collect();
        assert_eq!(ids.len(), 1_000);
    }

    #[test]
    fn an_otlp_body_is_the_object_in_its_order_with_null_as_the_empty_value() {
        let events = generate(1, 1, 20);
        let request = otlp_request(&events);
        let Some(any_value::Value::KvlistValue(body)) = request.resource_logs[0].scope_logs[0]
            .log_records[0]
            .body
            .clone()
            .and_then(|body| body.value)
        else {
            panic!("the body is a map")
        };
        assert!(
            body.values
                .iter()
                .map(|entry| &entry.key)
                .eq(events[0].object.keys())
        );
        let org = body
            .values
            .iter()
            .find(|entry| entry.key == "org_id")
            .unwrap();
        assert_eq!(org.value, Some(AnyValue { value: None }));
    }
}
