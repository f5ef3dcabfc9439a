//! Any text is answered; any tree prints to text that parses to the same tree.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::{
    Arithmetic, Call, Comparison, Condition, Expr, Field, Function, Path, PathKey, Pattern,
};

fn path() -> impl Strategy<Value = Expr> {
    let key = prop_oneof![
        any::<String>().prop_map(PathKey::Name),
        (0usize..1_000).prop_map(PathKey::Index)
    ];
    let plain = prop_oneof![
        Just(Field::SeverityNumber),
        Just(Field::SeverityText),
        Just(Field::EventName),
        Just(Field::Name),
        Just(Field::TimeUnixNano),
        Just(Field::TraceIdString),
        Just(Field::SpanId),
        Just(Field::ScopeName),
        Just(Field::Flags),
    ]
    .prop_map(|field| Path {
        field,
        keys: Vec::new(),
    });
    let body = vec(key.clone(), 0..3).prop_map(|keys| Path {
        field: Field::Body,
        keys,
    });
    let maps = prop_oneof![
        Just(Field::Attributes),
        Just(Field::ResourceAttributes),
        Just(Field::ScopeAttributes)
    ];
    let attributes =
        (maps, any::<String>(), vec(key, 0..3)).prop_map(|(field, first, rest)| Path {
            field,
            keys: std::iter::once(PathKey::Name(first)).chain(rest).collect(),
        });
    prop_oneof![plain, body, attributes].prop_map(Expr::Path)
}

fn value() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        Just(Expr::Nil),
        any::<bool>().prop_map(Expr::Bool),
        any::<i64>().prop_map(Expr::Int),
        any::<f64>()
            .prop_filter("a literal is finite", |n| n.is_finite())
            .prop_map(Expr::Double),
        any::<String>().prop_map(Expr::Text),
        vec(any::<u8>(), 1..20).prop_map(Expr::Bytes),
        (0..=24).prop_map(Expr::Severity),
        path(),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let op = prop_oneof![
            Just(Arithmetic::Add),
            Just(Arithmetic::Subtract),
            Just(Arithmetic::Multiply),
            Just(Arithmetic::Divide)
        ];
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Expr::List),
            (inner.clone(), op, inner.clone()).prop_map(|(left, op, right)| Expr::Arithmetic {
                left: Box::new(left),
                op,
                right: Box::new(right)
            }),
            inner.clone().prop_map(|a| Expr::Call(Call {
                function: Function::Len,
                arguments: vec![a]
            })),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| Expr::Call(Call {
                function: Function::Substring,
                arguments: vec![a, b, c]
            })),
        ]
    })
}

fn condition() -> impl Strategy<Value = Expr> {
    let op = prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::NotEqual),
        Just(Comparison::Less),
        Just(Comparison::LessOrEqual),
        Just(Comparison::Greater),
        Just(Comparison::GreaterOrEqual),
    ];
    let patterns = prop_oneof![Just("^a\\.b$"), Just("\"\\s"), Just("[a-z]+\t")]
        .prop_map(|text| Expr::Pattern(Pattern::new(text).unwrap()));
    let leaf = prop_oneof![
        any::<bool>().prop_map(Expr::Bool),
        (value(), op, value()).prop_map(|(left, op, right)| Expr::Compare {
            left: Box::new(left),
            op,
            right: Box::new(right)
        }),
        (value(), patterns).prop_map(|(a, b)| Expr::Call(Call {
            function: Function::IsMatch,
            arguments: vec![a, b]
        })),
        (value(), value()).prop_map(|(a, b)| Expr::Call(Call {
            function: Function::HasPrefix,
            arguments: vec![a, b]
        })),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| Expr::Not(Box::new(a))),
            vec(inner.clone(), 2..4).prop_map(Expr::And),
            vec(inner, 2..4).prop_map(Expr::Or),
        ]
    })
}

proptest! {
    #[test]
    fn printing_a_tree_and_parsing_it_gives_the_same_tree(tree in condition()) {
        let text = tree.to_string();
        let parsed = Condition::parse(&text);
        prop_assert_eq!(parsed.as_ref().map(Condition::expr), Ok(&tree), "{}", text);
    }

    #[test]
    fn any_text_is_answered_and_an_error_points_into_it(text in any::<String>()) {
        if let Err(error) = Condition::parse(&text) {
            prop_assert!(error.offset <= text.len());
        }
    }

    #[test]
    fn any_pieces_of_ottl_are_answered(pieces in vec(prop_oneof![
        Just("attributes"), Just("[\"a\"]"), Just("body"), Just("."), Just("["), Just("]"), Just("("), Just(")"), Just("=="), Just("<"),
        Just("and"), Just("or"), Just("not"), Just("-"), Just("*"), Just("1"), Just("1.5"), Just("0x0a"), Just("\"x\""), Just("IsMatch"),
        Just("Len"), Just(","), Just("nil"), Just("true"), Just("resource"), Just("SEVERITY_NUMBER_WARN"), Just("\\"), Just("\""),
    ], 0..40), glue in prop_oneof![Just(""), Just(" ")]) {
        let text = pieces.join(glue);
        match Condition::parse(&text) {
            Ok(condition) => prop_assert_eq!(Condition::parse(&condition.to_string()), Ok(condition)),
            Err(error) => prop_assert!(error.offset <= text.len()),
        }
    }
}
