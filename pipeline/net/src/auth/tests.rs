use std::fs;

use sluice_component::{Checked as _, ExtensionConfig, Secret};

use super::*;
use crate::test_support::{context, context_with, secret};

fn judge(config: &dyn ExtensionConfig) -> Arc<dyn ServerAuth> {
    config.build(&context()).unwrap().server_auth.unwrap()
}

fn admits(judge: &Arc<dyn ServerAuth>, value: &str) -> bool {
    judge.check(&|name| (name == "authorization").then(|| value.to_owned()))
}

fn bearer(tokens: &[&str]) -> BearerConfig {
    BearerConfig {
        tokens: tokens.iter().map(|token| Secret::new(*token)).collect(),
        ..BearerConfig::default()
    }
}

fn basic(lines: &str) -> BasicConfig {
    BasicConfig {
        htpasswd: Some(HtpasswdConfig {
            file: None,
            inline: secret(lines),
        }),
        client_auth: None,
    }
}

fn header(user: &str, password: &str) -> String {
    use base64::Engine as _;
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))
    )
}

#[test]
fn any_of_the_bearer_tokens_is_admitted_and_nothing_else() {
    let judge = judge(&bearer(&["old", "new"]));
    for good in ["Bearer old", "Bearer new", "bearer new"] {
        assert!(admits(&judge, good), "{good}");
    }
    for bad in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer ne",
        "Bearer newer",
        "Basic new",
        "new",
        "Bearer old new",
    ] {
        assert!(!admits(&judge, bad), "{bad}");
    }
    assert!(!judge.check(&|_| None));
}

#[test]
fn an_empty_token_admits_nobody_even_if_it_slipped_in() {
    assert!(!admits(&judge(&bearer(&[""])), "Bearer "));
}

#[test]
fn header_and_scheme_can_be_chosen() {
    let config = BearerConfig {
        header: "X-Api-Key".to_owned(),
        scheme: String::new(),
        ..bearer(&["k"])
    };
    let judge = judge(&config);
    assert!(judge.check(&|name| (name == "x-api-key").then(|| "k".to_owned())));
    let client = config.build(&context()).unwrap().client_auth.unwrap();
    assert_eq!(
        client.headers(),
        [("x-api-key".to_owned(), Secret::new("k"))]
    );
}

#[test]
fn a_changed_token_file_is_read_again_and_a_broken_one_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens");
    fs::write(&path, "first\n\n second \n").unwrap();
    let config = BearerConfig {
        filename: Some(path.clone()),
        ..BearerConfig::default()
    };
    let extension = config.build(&context()).unwrap();
    let judge = extension.server_auth.unwrap();
    assert!(admits(&judge, "Bearer first") && admits(&judge, "Bearer second"));

    fs::write(&path, "a longer third").unwrap();
    assert!(!admits(&judge, "Bearer first") && admits(&judge, "Bearer a longer third"));
    let sent = extension.client_auth.unwrap().headers();
    assert_eq!(
        sent,
        [(
            "authorization".to_owned(),
            Secret::new("Bearer a longer third")
        )]
    );

    fs::write(&path, "\n").unwrap();
    assert!(admits(&judge, "Bearer a longer third"));
    fs::remove_file(&path).unwrap();
    assert!(admits(&judge, "Bearer a longer third"));
}

#[test]
fn a_token_file_that_is_missing_or_empty_does_not_build() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens");
    let config = BearerConfig {
        filename: Some(path.clone()),
        ..BearerConfig::default()
    };
    assert!(
        config
            .build(&context())
            .unwrap_err()
            .to_string()
            .starts_with("filename `")
    );
    fs::write(&path, " \n").unwrap();
    assert!(
        config
            .build(&context())
            .unwrap_err()
            .to_string()
            .ends_with("no token in it")
    );
}

#[test]
fn passwords_are_known_plain_as_sha_and_as_bcrypt() {
    // `htpasswd -bs` and `htpasswd -bB` of the password "sesame".
    let bcrypt = bcrypt::hash("sesame", 4).unwrap();
    let judge = judge(&basic(&format!(
        "# users\nplain:open:sesame\nsha:{{SHA}}tlkgRDvoZ9C0aN8gfm5aU0h0xaI=\nbcrypt:{bcrypt}\n"
    )));
    assert!(admits(&judge, &header("plain", "open:sesame")));
    for _ in 0..2 {
        assert!(admits(&judge, &header("bcrypt", "sesame")));
        assert!(!admits(&judge, &header("bcrypt", "Sesame")));
    }
    for (user, password) in [
        ("plain", "open"),
        ("sha", "wrong"),
        ("nobody", "sesame"),
        ("", ""),
        ("plain", ""),
    ] {
        assert!(
            !admits(&judge, &header(user, password)),
            "{user}:{password}"
        );
    }
    for malformed in [
        "",
        "Basic",
        "Basic !!!",
        "Basic c2VzYW1l",
        "Bearer cGxhaW46b3BlbjpzZXNhbWU=",
    ] {
        assert!(!admits(&judge, malformed), "{malformed}");
    }
}

#[test]
fn sha_lines_match_the_digest_of_the_password() {
    use base64::Engine as _;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, b"sesame");
    let line = format!(
        "u:{{SHA}}{}",
        base64::engine::general_purpose::STANDARD.encode(digest.as_ref())
    );
    assert!(admits(&judge(&basic(&line)), &header("u", "sesame")));
}

#[test]
fn an_htpasswd_line_that_cannot_be_judged_is_an_error_that_names_its_line_and_no_password() {
    for (lines, expected) in [
        ("ok:x\ns3cret", "line 2: not `user:password`"),
        (
            "u:$apr1$s3cret",
            "line 1: this kind of hash is not supported; make the line with `htpasswd -B`",
        ),
        (
            "u:{SSHA}s3cret",
            "line 1: this kind of hash is not supported; make the line with `htpasswd -B`",
        ),
        ("u:{SHA}!!!", "line 1: {SHA} without valid base64"),
        ("u:", "line 1: empty user or password"),
        ("# nobody", "no user in it"),
    ] {
        let mut problems = Problems::new();
        basic(lines).check(&mut problems);
        assert_eq!(problems.found[0].message, expected);
        assert!(basic(lines).build(&context()).is_err());
    }
}

#[test]
fn a_basic_client_sends_its_pair() {
    let client_auth = BasicClientConfig {
        username: "user".to_owned(),
        password: Secret::new("pass"),
    };
    let config = BasicConfig {
        htpasswd: None,
        client_auth: Some(client_auth),
    };
    let headers = config
        .build(&context())
        .unwrap()
        .client_auth
        .unwrap()
        .headers();
    assert_eq!(
        headers,
        [(
            "authorization".to_owned(),
            Secret::new("Basic dXNlcjpwYXNz")
        )]
    );
}

#[test]
fn configurations_that_would_admit_everybody_or_nobody_are_errors() {
    let checked = |config: &dyn sluice_component::Checked| {
        let mut problems = Problems::new();
        config.check(&mut problems);
        problems.has_errors()
    };
    assert!(checked(&BearerConfig::default()));
    assert!(checked(&bearer(&["a", ""])));
    assert!(checked(&BearerConfig {
        token: secret(""),
        ..BearerConfig::default()
    }));
    assert!(!checked(&bearer(&["a"])));
    assert!(checked(&BasicConfig::default()));
    assert!(checked(&BasicConfig {
        client_auth: Some(BasicClientConfig::default()),
        ..basic("u:p")
    }));
    assert!(!checked(&basic("u:p")));
}

#[test]
fn a_gate_without_its_extension_or_with_a_clients_one_does_not_build() {
    let auth = AuthConfig {
        authenticator: "basicauth/out".to_owned(),
        request_params: Vec::new(),
    };
    let missing = Gate::new(Some(&auth), &context()).unwrap_err().to_string();
    assert_eq!(
        missing,
        "extension `basicauth/out` is not in service.extensions"
    );
    let client = BasicConfig {
        client_auth: Some(BasicClientConfig {
            username: "u".to_owned(),
            password: Secret::new("p"),
        }),
        htpasswd: None,
    };
    let error = Gate::new(Some(&auth), &context_with(&[("basicauth/out", &client)]))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "auth.authenticator: extension `basicauth/out` does not authenticate requests"
    );
    assert!(Gate::default().admit(&HeaderMap::new()).is_ok());
}
