//! Requests generated from the description of the API, fitting and misfitting: whatever comes, the answer is one that is described, and
//! never that something went wrong inside.

use crate::client::{Open, open};
use serde_json::{Map, Value, json};

/// The same numbers in every run (SplitMix64; Steele, Lea and Flood, OOPSLA 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    fn in_ten(&mut self, times: usize) -> bool {
        self.below(10) < times
    }
}

/// Values that a reader may stumble over.
fn odd(dice: &mut Dice) -> Value {
    let all = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1),
        json!(1e308),
        json!(u64::MAX),
        json!(0.5),
        json!(""),
        json!("\u{0}"),
        json!("../../etc/passwd"),
        json!("\u{202e}é𝄞"),
        json!("x".repeat(300)),
        json!([]),
        json!([[[[]]]]),
        json!({}),
        json!({ "a": { "b": [null] } }),
    ];
    dice.one(&all).clone()
}

/// The description, with what it refers to.
struct Description(Value);

impl Description {
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str().and_then(|name| name.strip_prefix('#')) {
            Some(pointer) => self.0.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not described")),
            None => schema,
        }
    }

    /// A value that fits the schema more often than not.
    fn value(&self, schema: &Value, dice: &mut Dice) -> Value {
        let schema = self.resolve(schema);
        if dice.in_ten(1) {
            return odd(dice);
        }
        if let Some(all) = schema["enum"].as_array() {
            return dice.one(all).clone();
        }
        if let Some(any) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
            return self.value(dice.one(any), dice);
        }
        if let Some(examples) = schema["examples"].as_array().filter(|_| dice.in_ten(8)) {
            return dice.one(examples).clone();
        }
        let low = schema["minimum"].as_f64().unwrap_or(0.0);
        // Small, so that what fits is quickly done.
        let high = schema["maximum"].as_f64().unwrap_or(low + 20.0).min(low + 20.0);
        match schema["type"].as_str() {
            Some("integer") => json!(low as i64 + dice.below((high - low) as usize + 1) as i64),
            Some("number") => json!(low + (high - low) * dice.below(1001) as f64 / 1000.0),
            Some("null") => Value::Null,
            Some("boolean") => json!(dice.in_ten(5)),
            Some("string") => json!(dice.one(&["hymns", "a", "b c", "tune.mid", "x.abc"])),
            Some("array") => (0..dice.below(4)).map(|_| self.value(&schema["items"], dice)).collect(),
            Some("object") => {
                let mut object = Map::new();
                for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                    if dice.in_ten(7) {
                        object.insert(name.clone(), self.value(property, dice));
                    }
                }
                if dice.in_ten(1) {
                    object.insert("unknown".to_owned(), odd(dice));
                }
                Value::Object(object)
            }
            _ => odd(dice),
        }
    }
}

/// A part of an address: mostly something that there is.
fn part(name: &str, ids: &[String], dice: &mut Dice) -> String {
    const ODD: [&str; 8] = ["0", "..", "%2e%2e", "%00", "%ff", "a%2fb", "%F0%9D%84%9E", "nothing"];
    const FORMS: [&str; 6] = ["midi", "wav", "flac", "musicxml", "abc", "notes"];
    match name {
        _ if dice.in_ten(2) => (*dice.one(&ODD)).to_owned(),
        "form" => (*dice.one(&FORMS)).to_owned(),
        _ if ids.is_empty() => "0".to_owned(),
        _ => dice.one(ids).clone(),
    }
}

/// Queries of an upload.
const NAMES: [&str; 11] = [
    "?name=a.mid",
    "?name=b.abc",
    "?name=",
    "?name=%ff",
    "?nome=x",
    "?name=a.exe",
    "?parts=0",
    "?parts=9,x",
    "?sound=choir&parts=0",
    "?sound=quire",
    "?composer=x",
];

/// The ids of all that there is.
fn ids(studio: &Open) -> Vec<String> {
    let of = |path: &str| studio.get(path).expect(200).json();
    let lists = ["/api/pieces", "/api/trainings", "/api/compositions"].map(of);
    lists.iter().flat_map(|list| list.as_array().unwrap()).map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn generated_requests_are_answered_as_described() {
    let folder = tempfile::tempdir().unwrap();
    let studio = open(folder.path());
    let description = Description(studio.get("/api/openapi.json").expect(200).json());
    let dice = &mut Dice(7);
    let mut operations = Vec::new();
    for (path, methods) in description.0["paths"].as_object().unwrap() {
        // The stream of events never ends.
        for (method, operation) in methods.as_object().unwrap().iter().filter(|_| path != "/api/events") {
            if ["get", "post", "patch", "delete"].contains(&method.as_str()) {
                operations.push((path, method, operation));
            }
        }
    }
    let mut answers: Vec<std::collections::BTreeSet<u16>> = vec![Default::default(); operations.len()];
    let mut known = Vec::new();
    for round in 0..90 {
        if round % 5 == 0 {
            known = ids(&studio);
        }
        for (k, (path, method, operation)) in operations.iter().enumerate() {
            let mut address = String::new();
            for piece in path.split('/').skip(1) {
                address.push('/');
                match piece.strip_prefix('{').and_then(|piece| piece.strip_suffix('}')) {
                    Some(name) => address.push_str(&part(name, &known, dice)),
                    None => address.push_str(piece),
                }
            }
            if operation["parameters"].to_string().contains("query") && dice.in_ten(9) {
                let name: &&str = dice.one(&NAMES);
                address.push_str(name);
            }
            let content = &operation["requestBody"]["content"];
            let body = if let Some(schema) = content["application/json"].get("schema") {
                description.value(schema, dice).to_string().into_bytes()
            } else if content.is_object() && dice.in_ten(5) {
                crate::training::tune(48 + dice.below(12) as u8)
            } else {
                odd(dice).to_string().into_bytes()
            };
            let answer = studio.send(&method.to_uppercase(), &address, &body);
            assert!(answer.status < 500, "{method} {address} {}: {answer:?}", String::from_utf8_lossy(&body));
            let described = operation["responses"].get(answer.status.to_string()).is_some();
            assert!(described, "{method} {address}: {} is not described, {answer:?}", answer.status);
            if answer.status >= 400 {
                assert!(answer.json()["error"].is_string(), "{answer:?}");
            }
            answers[k].insert(answer.status);
        }
    }
    // What is described can be done: each operation succeeded at least once, but for those that need what chance seldom makes.
    for (answers, (path, method, _)) in answers.iter().zip(&operations) {
        let seldom = path.contains("{id}");
        assert!(seldom || answers.iter().any(|status| *status < 300), "{method} {path}: {answers:?}");
    }
}
