//! Several files as one configuration, and one plan against another.

use super::fake::{fixed, plan, registry, with_exporter};
use crate::{Class, Fate, Plan, Reason, Source, Style};

fn merged(files: &[(&str, &str)]) -> Result<Plan, String> {
    let files: Vec<Source> = files
        .iter()
        .map(|(name, text)| Source::new(*name, *text))
        .collect();
    Plan::read(&Source::merged(&files), &registry(), &fixed(&[]))
        .map_err(|errors| errors.render(Style::Plain))
}

#[test]
fn a_later_file_wins_key_by_key() {
    let base = with_exporter("    endpoint: http://base\n    token: t");
    let over = "exporters:\n  splunk_hec:\n    endpoint: http://over\n";
    let both = merged(&[("base.yaml", &base), ("over.yaml", over)]).unwrap();
    let alone = plan(
        &with_exporter("    endpoint: http://over\n    token: t"),
        &[],
    );
    assert!(both.changes_from(&alone, &|_| false).is_empty());
    let empty = merged(&[("base.yaml", &base), ("empty.yaml", "exporters:\n")]).unwrap();
    assert!(
        empty.changes_from(&plan(&base, &[]), &|_| false).is_empty(),
        "a key without a value says nothing"
    );
}

#[test]
fn a_finding_names_the_file_that_it_is_in_and_its_own_lines() {
    let base = with_exporter("    endpoint: http://base\n    token: t");
    let over = "# two\n# lines\nexporters:\n  splunk_hec:\n    endpiont: http://over\n";
    let errors = merged(&[("base.yaml", &base), ("over.yaml", over)]).unwrap_err();
    assert!(errors.contains("over.yaml:5:5"), "{errors}");
    assert!(errors.contains("5 |     endpiont"), "{errors}");
    let syntax = merged(&[("base.yaml", &base), ("over.yaml", "a: [\n")]).unwrap_err();
    assert!(syntax.contains("over.yaml:"), "{syntax}");
}

#[test]
fn what_differs_between_two_plans_is_told_component_by_component() {
    let text = with_exporter("    endpoint: http://h\n    token: t");
    let old = plan(&text, &[]);
    assert!(plan(&text, &[]).changes_from(&old, &|_| false).is_empty());
    let moved = format!("# another line\n{text}");
    assert!(
        plan(&moved, &[]).changes_from(&old, &|_| false).is_empty(),
        "where it stands makes no difference"
    );
    let new = plan(&text.replace("token: t", "token: u"), &[]);
    let changes = new.changes_from(&old, &|_| false);
    let changed: Vec<_> = changes
        .components
        .iter()
        .filter(|(_, fate)| **fate != Fate::Kept)
        .map(|((class, id), fate)| (*class, id.to_string(), fate.clone()))
        .collect();
    assert_eq!(
        changed,
        [(
            Class::Exporter,
            "splunk_hec".to_owned(),
            Fate::Changed(Reason::Settings)
        )]
    );
    assert!(changes.pipelines.values().all(|fate| *fate == Fate::Kept));
    let admin = plan(
        &text.replace("service:\n", "service:\n  admin: none\n"),
        &[],
    );
    assert!(admin.changes_from(&old, &|_| false).service);
}
