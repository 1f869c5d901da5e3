//! Model files that cannot be used: what, where, and what to do.

use crate::common::{bytes, cantus, folder, names, trained};
use std::path::Path;

/// The message of `compose -m NAME` after writing `model` there.
fn refusal(folder: &Path, name: &str, model: &[u8]) -> String {
    std::fs::write(folder.join(name), model).unwrap();
    let message = cantus(folder, &["compose", "-m", name]).failed(1);
    assert!(message.contains(&format!("loading the model `{name}`")), "{message}");
    message
}

/// The file with `from` in its header replaced by `to`.
fn changed(model: &[u8], from: &str, to: &str) -> Vec<u8> {
    let (length, rest) = model.split_at(8);
    let (header, tensors) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
    let header = std::str::from_utf8(header).unwrap();
    assert!(header.contains(from), "{header}");
    let mut header = header.replace(from, to);
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), tensors].concat()
}

#[test]
fn a_model_that_is_not_there_is_named() {
    let folder = folder();
    let message = cantus(folder.path(), &["compose", "-m", "none.safetensors"]).failed(1);
    assert!(message.contains("there is no file `none.safetensors`; check its name"), "{message}");
    let message = cantus(folder.path(), &["compose", "-m", "."]).failed(1);
    assert!(message.contains("not a run folder") && message.contains("run.json"), "{message}");
}

#[test]
fn damaged_models_are_refused_wherever_they_were_cut() {
    let folder = folder();
    let model = bytes(trained(), "run/best.safetensors");
    for length in [0, 1, 7, 8, 9, 100, model.len() / 2, model.len() - 1] {
        let message = refusal(folder.path(), "cut.safetensors", &model[..length]);
        assert!(message.contains("damaged") && message.contains("copy or train it again"), "{length}: {message}");
    }
    let longer = [&model[..], b"more"].concat();
    assert!(refusal(folder.path(), "longer.safetensors", &longer).contains("damaged"));
    let mut huge = model.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(refusal(folder.path(), "huge.safetensors", &huge).contains("damaged"));
    assert!(refusal(folder.path(), "text.safetensors", b"this is only a text").contains("damaged"));
    assert!(!names(folder.path()).contains(&"composition.mid".to_owned()));
}

#[test]
fn models_of_other_versions_say_what_to_update() {
    let folder = folder();
    let model = bytes(trained(), "run/best.safetensors");
    let newer = changed(&model, r#"\"format\":1,"#, r#"\"format\":9,"#);
    let message = refusal(folder.path(), "newer.safetensors", &newer);
    assert!(message.contains("format 9") && message.contains("update cantus"), "{message}");
    let other = changed(&model, r#"\"composer\":\"lstm\""#, r#"\"composer\":\"gru2\""#);
    let message = refusal(folder.path(), "other.safetensors", &other);
    assert!(message.contains("composer `gru2`") && message.contains("cantus composers"), "{message}");
    let version = changed(&model, r#"\"composer_version\":1"#, r#"\"composer_version\":8"#);
    let message = refusal(folder.path(), "version.safetensors", &version);
    assert!(message.contains("version 8") && message.contains("train it again"), "{message}");
}

#[test]
fn models_whose_settings_do_not_fit_their_numbers_are_refused() {
    let folder = folder();
    let model = bytes(trained(), "run/best.safetensors");
    let other = changed(&model, r#"\"hidden\":24,"#, r#"\"hidden\":25,"#);
    let message = refusal(folder.path(), "other.safetensors", &other);
    assert!(message.contains("parameter ") && message.contains("expected shape"), "{message}");
    // What would need more memory than there is must not even be tried.
    let vast = changed(&model, r#"\"hidden\":24,"#, r#"\"hidden\":4000000000,"#);
    let message = refusal(folder.path(), "vast.safetensors", &vast);
    assert!(message.contains("hidden = 4000000000"), "{message}");
    let mut rotten = model.clone();
    let end = rotten.len();
    rotten[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let message = refusal(folder.path(), "rotten.safetensors", &rotten);
    assert!(message.contains("not finite") && message.contains("train it again"), "{message}");
    let foreign = [&2u64.to_le_bytes()[..], b"{}"].concat();
    let message = refusal(folder.path(), "foreign.safetensors", &foreign);
    assert!(message.contains("not written by cantus"), "{message}");
}

#[test]
fn inspecting_a_damaged_model_says_the_same() {
    let folder = folder();
    std::fs::write(folder.path().join("x.safetensors"), "text").unwrap();
    let message = cantus(folder.path(), &["inspect", "x.safetensors"]).failed(1);
    assert!(message.contains("loading the model `x.safetensors`") && message.contains("damaged"), "{message}");
}
