//! How two values compare (LANGUAGE.md of the Collector's OTTL, "Comparison Rules").

use std::cmp::Ordering;

use crate::Comparison;
use crate::evaluate::Datum;

/// Compares two values. Integers and doubles compare as numbers, other types only with their own; values of different
/// types are unequal and in no order. `nil` equals only `nil`. Lists and maps are equal or not.
pub(crate) fn compare(left: &Datum<'_>, op: Comparison, right: &Datum<'_>) -> bool {
    let order = match (left, right) {
        (Datum::Nil, Datum::Nil) => Some(Ordering::Equal),
        (Datum::Bool(a), Datum::Bool(b)) => Some(a.cmp(b)),
        (Datum::Int(a), Datum::Int(b)) => Some(a.cmp(b)),
        (Datum::Int(a), Datum::Double(b)) => (*a as f64).partial_cmp(b),
        (Datum::Double(a), Datum::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Datum::Double(a), Datum::Double(b)) => a.partial_cmp(b),
        (Datum::Text(a), Datum::Text(b)) => Some(a.cmp(b)),
        (Datum::Bytes(a), Datum::Bytes(b)) => Some(a.cmp(b)),
        (Datum::Map(_), Datum::Map(_))
        | (Datum::Array(_) | Datum::List(..), Datum::Array(_) | Datum::List(..)) => {
            return match op {
                Comparison::Equal => same_content(left, right),
                Comparison::NotEqual => !same_content(left, right),
                _ => false,
            };
        }
        _ => None,
    };
    match op {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// Whether two lists, or two maps in any order of their keys, hold equal values.
fn same_content(left: &Datum<'_>, right: &Datum<'_>) -> bool {
    match (left, right) {
        (Datum::Map(a), Datum::Map(b)) => {
            let mut a: Vec<_> = a.iter().collect();
            let mut b: Vec<_> = b.iter().collect();
            a.sort_by_key(|(key, _)| *key);
            b.sort_by_key(|(key, _)| *key);
            a.len() == b.len()
                && a.into_iter().zip(b).all(|((a_key, a), (b_key, b))| {
                    a_key == b_key && compare(&a.into(), Comparison::Equal, &b.into())
                })
        }
        _ => {
            let (mut a, mut b) = (left.items(), right.items());
            loop {
                match (a.next(), b.next()) {
                    (None, None) => return true,
                    (Some(a), Some(b)) if compare(&a, Comparison::Equal, &b) => {}
                    _ => return false,
                }
            }
        }
    }
}
