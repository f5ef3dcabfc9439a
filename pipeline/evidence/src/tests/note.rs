use proptest::prelude::*;

use super::{ORIGIN, counting, log_key};
use crate::{KeyError, MAX_SIGNATURES, Note, NoteError, Signature, SigningKey, VerifyingKey};

fn key(name: &str, first: u8) -> SigningKey {
    SigningKey::from_seed(name, &counting(first)).unwrap()
}

fn signed(text: &str, keys: &[&SigningKey]) -> Note {
    let mut note = Note::new(text).unwrap();
    keys.iter().for_each(|key| note.sign(key).unwrap());
    note
}

fn parse(text: &str) -> Result<Note, NoteError> {
    Note::parse(text.as_bytes())
}

#[test]
fn a_note_reads_back_to_its_bytes() {
    let (a, b) = (key("a", 1), key("b", 2));
    for text in [
        "one\n",
        "\n",
        "one\n\ntwo\n",
        "one\n\n— a AAAA\n",
        "ä\u{7f}\n",
    ] {
        let note = signed(text, &[&a, &b]);
        assert_eq!(parse(&note.to_string()), Ok(note.clone()), "{text:?}");
        assert_eq!(note.text(), text);
    }
}

#[test]
fn malformed_notes_are_refused() {
    let good = signed("one\ntwo\n", &[&key("a", 1)]).to_string();
    let line = good.lines().last().unwrap();
    for (bad, error) in [
        (good.replace('\n', "\r\n"), NoteError::ControlCharacter),
        (good.replace("one", "o\te"), NoteError::ControlCharacter),
        (good.replace("one", "o\0e"), NoteError::ControlCharacter),
        (good.trim_end().to_owned(), NoteError::NoSignatures),
        (good.replace("\n\n", "\n"), NoteError::NoSignatures),
        ("one\n\n".to_owned(), NoteError::NoSignatures),
        ("one\n".to_owned(), NoteError::NoSignatures),
        (String::new(), NoteError::NoSignatures),
        (format!("{good}\n"), NoteError::NoSignatures),
        (good.replace('—', "-"), NoteError::SignatureLine(1)),
        (good.replace("— ", "—"), NoteError::SignatureLine(1)),
        (good.replace("— ", "—  "), NoteError::SignatureLine(1)),
        (good.replace("— a ", "— a  "), NoteError::SignatureLine(1)),
        (good.replace("— a", "— a+"), NoteError::SignatureLine(1)),
        (
            good.replace("— a", "— a\u{a0}b"),
            NoteError::SignatureLine(1),
        ),
        (good.replace(line, "— a"), NoteError::SignatureLine(1)),
        (good.replace(line, "— a "), NoteError::SignatureLine(1)),
        (
            good.replace(line, "— a AAAAAA=="),
            NoteError::SignatureLine(1),
        ),
        (
            good.replace(line, "— a AAAAAAB"),
            NoteError::SignatureLine(1),
        ),
        (
            good.replace(line, "— a AAAAAAB="),
            NoteError::SignatureLine(1),
        ),
        (
            good.replace(line, "— a AAAAAAA"),
            NoteError::SignatureLine(1),
        ),
        (format!("{good}{line} \n"), NoteError::SignatureLine(2)),
    ] {
        assert_eq!(parse(&bad), Err(error), "{bad:?}");
    }
    assert_eq!(Note::parse(b"\xff\n\n"), Err(NoteError::Encoding));
    assert_eq!(Note::new("one"), Err(NoteError::UnfinishedText));
    assert_eq!(Note::new(""), Err(NoteError::UnfinishedText));
    assert_eq!(Note::new("a\r\n"), Err(NoteError::ControlCharacter));
}

#[test]
fn sixteen_signatures_are_read_and_a_flood_is_not() {
    let keys: Vec<_> = (0..16).map(|n| key(&format!("k{n}"), n)).collect();
    let note = signed("one\n", &keys.iter().collect::<Vec<_>>());
    let known: Vec<_> = keys.iter().map(SigningKey::verifying_key).collect();
    let note = parse(&note.to_string()).unwrap();
    assert_eq!(note.verify(&known).unwrap().len(), 16);

    let line = note.signatures()[0].to_string();
    let many = |count| format!("one\n\n{}", format!("{line}\n").repeat(count));
    assert!(parse(&many(MAX_SIGNATURES)).is_ok());
    let flood = parse(&many(MAX_SIGNATURES + 1));
    assert_eq!(flood, Err(NoteError::TooManySignatures));
}

#[test]
fn unknown_keys_are_passed_over() {
    let (mine, theirs) = (key("mine", 1), key("theirs", 2));
    let note = signed("one\n", &[&theirs, &mine]);
    let known = [mine.verifying_key()];
    let signers = note.verify(&known).unwrap();
    assert_eq!(signers.len(), 1);
    assert_eq!(signers[0].key, &known[0]);
    assert_eq!(signers[0].witnessed_seconds, None);

    // The same name with another key is another key.
    let namesake = key("mine", 9);
    let note = signed("one\n", &[&namesake]);
    assert_eq!(note.verify(&known), Err(NoteError::NoKnownSignature));
    assert_eq!(note.verify(&[]), Err(NoteError::NoKnownSignature));
}

#[test]
fn a_false_signature_of_a_known_key_rejects_the_note_whatever_stands_beside_it() {
    let (a, b) = (key("a", 1), key("b", 2));
    let known = [a.verifying_key(), b.verifying_key()];
    let elsewhere = signed("two\n", &[&b]).signatures()[0].clone();
    let error = NoteError::FalseSignature {
        name: "b".to_owned(),
        id: b.id(),
    };

    let mut note = signed("one\n", &[&a]);
    note.add(elsewhere.clone()).unwrap();
    assert_eq!(note.verify(&known), Err(error.clone()));
    assert_eq!(note.verify(&known[..1]).unwrap().len(), 1);

    // Also behind a good one of the same key.
    let mut note = signed("one\n", &[&b]);
    note.add(elsewhere).unwrap();
    assert_eq!(note.verify(&known), Err(error));
}

#[test]
fn a_key_that_signs_twice_counts_once() {
    let a = key("a", 1);
    let known = [a.verifying_key(), a.verifying_key()];
    let signers = signed("one\n", &[&a, &a]);
    assert_eq!(signers.verify(&known).unwrap().len(), 1);
}

#[test]
fn the_public_key_of_the_contract_reads_and_prints() {
    let text = "example.com/audit/node1+33452353+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    let key: VerifyingKey = text.parse().unwrap();
    assert_eq!(key, log_key().verifying_key());
    assert_eq!(key.to_string(), text);
    assert_eq!((key.name(), key.id()), (ORIGIN, 0x3345_2353));
    assert!(!key.is_witness());
}

#[test]
fn a_plus_in_the_base64_of_a_key_parts_nothing() {
    let plus = |text: &String| text.matches('+').count() > 2;
    let text = (0..200)
        .map(|first| key("a", first).verifying_key().to_string())
        .find(plus)
        .unwrap();
    assert_eq!(text.parse::<VerifyingKey>().unwrap().to_string(), text);
}

#[test]
fn malformed_public_keys_are_refused() {
    let good = "example.com/audit/node1+33452353+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    for (bad, error) in [
        (String::new(), KeyError::Form),
        ("a+33452353".to_owned(), KeyError::Form),
        (good.replace("node1", "node2"), KeyError::Id),
        (good.replace("33452353", "33452354"), KeyError::Id),
        (good.replace("33452353", "3345235"), KeyError::Id),
        (good.replace("33452353", "zzzzzzzz"), KeyError::Id),
        (good.replace("AQOh", "AQOi"), KeyError::Id),
        (good.replace("AQOh", "AgOh"), KeyError::Type(2)),
        (good.replace("VTG4", "VQ=="), KeyError::Bytes),
        (good.replace("VTG4", "VTG"), KeyError::Bytes),
        (format!("{good}\n"), KeyError::Bytes),
        (good.replace("example.com", ""), KeyError::Id),
        (
            "+33452353+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4".to_owned(),
            KeyError::Name,
        ),
        (good.replace("audit", "au dit"), KeyError::Name),
    ] {
        assert_eq!(bad.parse::<VerifyingKey>(), Err(error), "{bad}");
    }
}

#[test]
fn a_signing_key_reads_back_from_its_file_and_hides_in_logs() {
    let key = log_key();
    let text = key.to_secret_text().unwrap();
    let seed = "AAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    let seed = format!("AQ{}", &seed[2..]);
    assert_eq!(
        text,
        format!("PRIVATE+KEY+example.com/audit/node1+33452353+{seed}")
    );
    let read = SigningKey::from_secret_text(&text).unwrap();
    assert_eq!(read.verifying_key(), key.verifying_key());
    assert_eq!(
        format!("{read:?}"),
        "SigningKey(example.com/audit/node1+33452353)"
    );

    for (bad, error) in [
        (text.replace("PRIVATE", "PUBLIC"), KeyError::Form),
        (text.replace("33452353", "33452354"), KeyError::Id),
        (text.replace("+AQ", "+BA"), KeyError::Type(4)),
        (text[..text.len() - 4].to_owned(), KeyError::Bytes),
        ("PRIVATE+KEY+a".to_owned(), KeyError::Form),
    ] {
        assert_eq!(
            SigningKey::from_secret_text(&bad).unwrap_err(),
            error,
            "{bad}"
        );
    }
}

#[test]
fn generated_keys_differ_and_sign() {
    let (one, two) = (
        SigningKey::generate("a").unwrap(),
        SigningKey::generate("a").unwrap(),
    );
    assert_ne!(one.verifying_key(), two.verifying_key());
    let note = signed("one\n", &[&one]);
    assert!(note.verify(&[one.verifying_key()]).is_ok());
    for name in ["", "a b", "a+b", "a\nb", "a\u{2003}b"] {
        assert_eq!(SigningKey::generate(name).unwrap_err(), KeyError::Name);
    }
}

proptest! {
    #[test]
    fn arbitrary_text_is_read_or_refused(text in "[—ab AQ=+\n\r]{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(note) = parse(&text) {
            prop_assert_eq!(note.to_string(), text.clone());
        }
        let _ = Note::parse(&bytes);
        let _ = Signature::from_line(&text);
        let _ = text.parse::<VerifyingKey>();
        let _ = SigningKey::from_secret_text(&format!("PRIVATE+KEY+{text}"));
    }

    #[test]
    fn no_changed_character_of_a_note_passes(place in 0usize..200, bit in 0u8..7) {
        let a = key("a", 1);
        let mut bytes = signed("one\ntwo\n", &[&a]).to_string().into_bytes();
        let place = place % bytes.len();
        bytes[place] ^= 1 << bit;
        let verified = Note::parse(&bytes).and_then(|note| note.verify(&[a.verifying_key()]).map(|_| ()));
        prop_assert!(verified.is_err());
    }
}
