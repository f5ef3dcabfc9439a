//! Whatever the file holds: an answer, every place of it inside the file, and no value of a reference in it.

use proptest::prelude::*;

use super::fake::{fixed, registry, source};
use crate::{Plan, Style, print};

const SAMPLE: &str = r#"receivers:
  otlp: &a {endpoint: "localhost:1", max_body: 3, mode: short}
  webhook:
    <<: *a
    endpoint: '${env:C}x'
processors:
  classification:
    rules:
      - {tag: a, when: "a \"b\" é === 1"}
      - tag: d
        when: |
          x
            y === 2
exporters:
  splunk_hec: {endpoint: http://h, token: "${env:C}", headers: {a: b}, paths: [a, "${file:C}"]}
  siem_bridge:
    destinations: [{endpoint: $C, token: $$x}]
service:
  telemetry: {logs: {level: info}}
  ledger: none
  pipelines:
    logs: {receivers: [otlp, webhook], processors: [classification], exporters: [splunk_hec, siem_bridge]}
"#;

const PIECES: &[&str] = &[
    "",
    " ",
    "\n",
    "\n  ",
    "\t",
    ":",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "|\n",
    ">\n",
    "&a ",
    "*a",
    "<<: *a",
    "${env:C}",
    "${",
    "}",
    "$$",
    "$C",
    "${file:C}",
    "${env:N:-${env:C}}",
    "${env:D}",
    "${env:M}",
    "!!str ",
    "!x ",
    "#",
    "---\n",
    "...",
    "é",
    "\u{feff}",
    "~",
    "null",
    "0x",
    "1e999",
    "\\",
    "\u{0}",
    "%YAML 1.2\n",
    "? ",
    "token",
    "otlp/",
    "=== ",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_damage_is_answered_and_leaks_nothing(edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, prop::sample::select(PIECES)), 1..6)) {
        let mut text = SAMPLE.to_owned();
        for (at, length, piece) in edits {
            let boundary = |mut at: usize, text: &str| { while !text.is_char_boundary(at) { at -= 1; } at };
            let from = boundary(at.index(text.len() + 1), &text);
            let to = boundary((from + length).min(text.len()), &text).max(from);
            text.replace_range(from..to, piece);
        }
        let lookup = fixed(&[
            ("C", "canary-7f3a"),
            ("D", "canary${canary}${canary:y}$canary"),
            ("M", "{canary-7f3a: {canary 7f3a: canary}, logs: [canary]}"),
        ]);
        let found = match Plan::read(&source(&text), &registry(), &lookup) {
            Ok(plan) => plan.warnings,
            Err(errors) => { prop_assert!(errors.errors() > 0); errors }
        };
        for diagnostic in &found {
            prop_assert!(diagnostic.span.start <= diagnostic.span.end && diagnostic.span.end <= text.len());
        }
        let shown = found.render(Style::Plain) + &found.to_string() + &print(&source(&text), &registry(), &lookup).unwrap_or_else(|errors| errors.to_string());
        prop_assert!(!shown.contains("canary"), "{}", shown);
    }
}
