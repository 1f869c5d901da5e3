//! Each rule of the guard, and somebody who tries to break it.

use crate::client::{Open, open};
use serde_json::json;

const CHANGES: [(&str, &str); 14] = [
    ("POST", "/api/prompts"),
    ("POST", "/api/compositions"),
    ("DELETE", "/api/compositions/1"),
    ("PATCH", "/api/pieces/1"),
    ("DELETE", "/api/pieces/1"),
    ("POST", "/api/pieces/1/restore"),
    ("POST", "/api/trainings"),
    ("DELETE", "/api/trainings/1"),
    ("PATCH", "/api/trainings/1"),
    ("POST", "/api/trainings/1/files?name=a.mid"),
    ("POST", "/api/trainings/1/start"),
    ("POST", "/api/trainings/1/stop"),
    ("PUT", "/"),
    ("OPTIONS", "/api/pieces"),
];

fn with_open(test: impl FnOnce(&Open)) {
    let folder = tempfile::tempdir().unwrap();
    test(&open(folder.path()));
}

#[test]
fn it_listens_on_this_machine_only() {
    with_open(|studio| assert!(studio.address.ip().is_loopback()));
}

#[test]
fn another_host_is_misdirected() {
    with_open(|studio| {
        let port = studio.address.port();
        for path in ["/", "/api/pieces", "/api/events", "/nothing"] {
            for host in [
                "evil.example".to_owned(),
                format!("evil.example:{port}"),
                "127.0.0.1".to_owned(),
                format!("127.0.0.1:{}", port ^ 1),
                format!("127.0.0.1:{port}.evil.example"),
                format!("localhost.:{port}"),
            ] {
                assert_eq!(studio.raw("GET", path, &[("Host", &host)], b"").status, 421, "{host}");
            }
            let twice = [("Host", studio.host()), ("Host", "evil.example".to_owned())];
            let twice = twice.each_ref().map(|(name, value)| (*name, value.as_str()));
            assert!(matches!(studio.raw("GET", path, &twice, b"").status, 400 | 421));
        }
        studio.raw("GET", "/api/pieces", &[("Host", &format!("localhost:{port}"))], b"").expect(200);
    });
}

#[test]
fn changes_from_elsewhere_are_forbidden() {
    with_open(|studio| {
        let host = studio.host();
        let own = format!("http://{host}");
        let own_tls = format!("https://{host}");
        let forbidden: [&[(&str, &str)]; 9] = [
            &[],
            &[("X-Cantus", "1")],
            &[("Origin", &own)],
            &[("Sec-Fetch-Site", "same-origin")],
            &[("Origin", "http://evil.example"), ("X-Cantus", "1")],
            &[("Origin", "null"), ("X-Cantus", "1")],
            &[("Origin", &own_tls), ("X-Cantus", "1")],
            &[("Origin", &own), ("Sec-Fetch-Site", "cross-site"), ("X-Cantus", "1")],
            &[("Origin", &own), ("Sec-Fetch-Site", "same-site"), ("X-Cantus", "1")],
        ];
        for (method, path) in CHANGES {
            for headers in forbidden {
                let headers: Vec<_> = [("Host", host.as_str())].iter().chain(headers).copied().collect();
                let answer = studio.raw(method, path, &headers, b"{}");
                assert_eq!(answer.status, 403, "{method} {path} {headers:?}");
            }
            let answer = studio.send(method, path, b"{}");
            assert!(answer.status != 403 && answer.status < 500, "{method} {path}: {}", answer.status);
        }
        assert_eq!(studio.get("/api/trainings").json().as_array().map(Vec::len), Some(0));
    });
}

#[test]
fn too_much_is_refused() {
    with_open(|studio| {
        let large = |megabytes: usize| vec![b' '; (megabytes << 20) + 1];
        let training = studio.post("/api/trainings", &json!({ "name": "x" })).expect(201).json();
        let files = format!("/api/trainings/{}/files?name=a.mid", training["id"].as_str().unwrap());
        for (path, megabytes) in
            [("/api/compositions", 1), ("/api/trainings", 1), ("/api/prompts?name=a.mid", 4), (&*files, 16)]
        {
            studio.send("POST", path, &large(megabytes)).expect(413);
        }
    });
}

#[test]
fn every_answer_says_how_it_may_be_used() {
    with_open(|studio| {
        let evil = [("Host", studio.host()), ("Origin", "http://evil.example".to_owned())];
        let evil = evil.each_ref().map(|(name, value)| (*name, value.as_str()));
        for path in ["/", "/api/pieces", "/api/openapi.json", "/nothing", "/api/nothing"] {
            for answer in [studio.get(path), studio.raw("GET", path, &evil, b""), studio.raw("GET", path, &[], b"")] {
                assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
                assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
                assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
                let policy = answer.header("content-security-policy").unwrap();
                assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe-inline"), "{policy}");
                assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("access-control-")), "{answer:?}");
            }
        }
    });
}

#[test]
fn nothing_a_client_sends_becomes_a_path() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret.mid"), b"secret").unwrap();
    let studio = open(folder.path());
    for climb in
        ["..%2f..%2fsecret", "%2e%2e/%2e%2e/secret.mid", "../../secret.mid", "..%5csecret", "%00", "/etc/passwd"]
    {
        for path in [
            format!("/{climb}"),
            format!("/api/pieces/{climb}/midi"),
            format!("/api/pieces/{climb}"),
            format!("/api/trainings/{climb}"),
            format!("/api/trainings/{climb}/samples/{climb}/midi"),
        ] {
            let answer = studio.get(&path);
            assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        }
        let order = json!({ "model": climb });
        studio.post("/api/compositions", &order).expect(400);
        studio.post("/api/compositions", &json!({ "bars": 8, "prompt": { "sha256": climb, "bars": 1 } })).expect(400);
    }
    let training = studio.post("/api/trainings", &json!({ "name": "../../x" })).expect(201).json();
    let id = training["id"].as_str().unwrap();
    studio.send("POST", &format!("/api/trainings/{id}/files?name=..%2F..%2F..%2Fescaped.mid"), b"x").expect(201);
    studio.send("POST", &format!("/api/trainings/{id}/files?name=a.exe"), b"x").expect(415);
    let music = folder.path().join("library/trainings").join(id).join("music");
    let names: Vec<_> = std::fs::read_dir(music).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["0001 _________escaped.mid"]);
}

#[test]
fn one_studio_a_library() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path());
    let config =
        cantus_studio::Config { port: 0, library: folder.path().join("library"), runs: folder.path().join("runs") };
    let second = cantus_studio::Studio::open(&config);
    assert!(matches!(second, Err(cantus_studio::StudioError::Busy(_))));
}

#[test]
fn the_description_names_routes_that_there_are() {
    with_open(|studio| {
        let description = studio.get("/api/openapi.json").expect(200).json();
        for (path, methods) in description["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys().filter(|_| path != "/api/events") {
                let path = path.replace("{form}", "midi").replace(['{', '}'], "");
                let answer = studio.send(&method.to_uppercase(), &path, b"");
                let is_page = answer.status == 404 && answer.json()["error"] == "there is no such page";
                assert!(!is_page && answer.status != 405 && answer.status < 500, "{method} {path}: {}", answer.status);
            }
        }
    });
}
