//! Holds the rules of the API that generated code cannot: names, numbers, and one message per direction and method.

use mujina_proto::DESCRIPTORS;
use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet, field_descriptor_proto::Type,
};

fn files() -> Vec<FileDescriptorProto> {
    let set = FileDescriptorSet::decode(DESCRIPTORS).expect("our own descriptors decode");
    let ours: Vec<_> = set.file.into_iter().filter(|file| file.package().starts_with("mujina.")).collect();
    assert!(ours.len() >= 12, "only {} files", ours.len());
    ours
}

fn messages() -> Vec<(String, DescriptorProto)> {
    let of_file = |file: FileDescriptorProto| {
        let package = file.package().to_owned();
        file.message_type.into_iter().map(move |message| (format!("{package}.{}", message.name()), message))
    };
    files().into_iter().flat_map(of_file).collect()
}

fn is_snake_case(name: &str) -> bool {
    name.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_')) && !name.starts_with('_')
}

fn screaming(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_uppercase());
    }
    text
}

#[test]
fn files_stand_where_their_package_says() {
    for file in files() {
        let folder = file.package().replace('.', "/");
        assert!(file.name().starts_with(&format!("{folder}/")), "{} in {}", file.name(), file.package());
        assert!(file.service.len() <= 1, "{}: one service a file", file.name());
    }
}

#[test]
fn every_method_has_messages_of_its_own() {
    for file in files() {
        for service in &file.service {
            assert!(service.name().ends_with("Service"), "{}", service.name());
            for method in &service.method {
                let at = format!("{}.{}", service.name(), method.name());
                let expected = |suffix: &str| format!(".{}.{}{suffix}", file.package(), method.name());
                assert_eq!(method.input_type(), expected("Request"), "{at}");
                assert_eq!(method.output_type(), expected("Response"), "{at}");
            }
        }
    }
}

#[test]
fn enums_begin_unspecified_and_carry_their_name() {
    let check = |list: &EnumDescriptorProto| {
        let prefix = screaming(list.name());
        let zero = list.value.iter().find(|value| value.number() == 0).expect("a zero value");
        assert_eq!(zero.name(), format!("{prefix}_UNSPECIFIED"));
        assert!(list.value.iter().all(|value| value.name().starts_with(&format!("{prefix}_"))), "{}", list.name());
    };
    for file in files() {
        file.enum_type.iter().for_each(check);
        file.message_type.iter().flat_map(|message| &message.enum_type).for_each(check);
    }
}

/// Its numbers are of many kinds; its `name` ends with the unit.
const NAMES_ITS_UNIT: &str = "mujina.types.v1.BoardConstraint";

#[test]
fn fields_are_snake_case_and_floats_name_their_unit() {
    let units = [
        "_hps",
        "_hashes",
        "_ratio",
        "_celsius",
        "_volts",
        "_watts",
        "_amperes",
        "_megahertz",
        "_percent",
        "difficulty",
        "hashes",
    ];
    for (name, message) in messages() {
        for field in &message.field {
            assert!(is_snake_case(field.name()), "{name}.{}", field.name());
            if matches!(field.r#type(), Type::Double | Type::Float) && name != NAMES_ITS_UNIT {
                assert!(units.iter().any(|unit| field.name().ends_with(unit)), "{name}.{} has no unit", field.name());
            }
        }
    }
}

#[test]
fn no_message_that_is_read_can_hold_a_password() {
    let readable = |name: &str| !name.ends_with("Request") && name != "mujina.types.v1.PoolSpec";
    for (name, message) in messages().into_iter().filter(|(name, _)| readable(name)) {
        let secret = message.field.iter().find(|field| field.name() == "password" || field.name().contains("secret"));
        assert!(secret.is_none(), "{name}");
    }
}

#[test]
fn every_method_that_the_paper_calls_exists() {
    let paper = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).unwrap();
    let all: Vec<_> = files()
        .iter()
        .flat_map(|file| file.service.iter().map(move |service| (file.package(), service)))
        .flat_map(|(package, service)| {
            let path = format!("{package}.{}", service.name());
            service.method.iter().map(move |method| format!("{path}/{}", method.name()))
        })
        .collect();
    let words = paper.split(|c: char| c.is_whitespace() || c == '`' || c == '\'');
    let called: Vec<_> = words.filter(|word| word.starts_with("mujina.") && word.contains("Service/")).collect();
    assert!(called.len() > 15, "{called:?}");
    for method in called {
        assert!(all.iter().any(|known| known == method), "docs/api.md calls {method}");
    }
}
