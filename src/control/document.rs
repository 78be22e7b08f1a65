//! `GET /openapi.json`: what can be asked here, for programs (OpenAPI 3.1). The document is written by hand, and held to what
//! there is by the tests here and by `tests/control_document.rs`.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// The document.
const DOCUMENT: &str = include_str!("openapi.json");

/// Shows the document.
pub(super) async fn show() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::control::views::event::KINDS;
    use crate::control::views::word::{BOOTS, CONTROLS, DEVICES, LEVELS};

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    /// Methods and paths of the text of `routes.rs`, as in `.route("/a", get(one).put(two))`.
    fn routes() -> BTreeSet<(String, String)> {
        let text = include_str!("routes.rs");
        let mut all = BTreeSet::from([("get".to_owned(), "/".to_owned())]);
        for call in text.split(".route(\"").skip(1) {
            let (path, rest) = call.split_once("\", ").unwrap();
            let methods = rest.split_once("\n").unwrap().0;
            for method in ["get", "put", "post", "delete"] {
                if methods.starts_with(&format!("{method}(")) || methods.contains(&format!(".{method}(")) {
                    all.insert((method.to_owned(), path.to_owned()));
                }
            }
        }
        all
    }

    #[test]
    fn the_document_has_each_route_and_no_other() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let told: BTreeSet<_> = paths
            .iter()
            .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())))
            .collect();
        let routes = routes();
        assert!(routes.len() > 20, "{routes:?}");
        assert_eq!(told, routes);
    }

    #[test]
    fn the_document_has_each_word() {
        let document = document();
        let schema = |path: &str| {
            let words = document.pointer(&format!("/components/schemas/{path}/enum"));
            let words = words.unwrap_or_else(|| panic!("{path}")).as_array().unwrap();
            words.iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect::<Vec<_>>()
        };
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(schema("PowerWanted/properties/control"), words(&CONTROLS.map(|(word, _)| word)));
        assert_eq!(schema("BootWanted/properties/device"), words(&DEVICES.map(|(word, _)| word)));
        assert_eq!(schema("BootWanted/properties/boots"), words(&BOOTS.map(|(word, _)| word)));
        let mut limits = words(&LEVELS.map(|(word, _)| word));
        limits.push("no_access".into());
        assert_eq!(schema("UserWanted/properties/limit"), limits);
        let kinds = document.pointer("/components/schemas/Event/discriminator/mapping").unwrap().as_object().unwrap();
        let kinds: BTreeSet<_> = kinds.keys().map(String::as_str).collect();
        assert_eq!(kinds, KINDS.into_iter().collect());
    }

    #[test]
    fn the_document_has_each_thing_that_it_names() {
        fn names(value: &Value, into: &mut Vec<String>) {
            match value {
                Value::Object(all) => {
                    into.extend(all.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    all.values().for_each(|value| names(value, into));
                }
                Value::Array(all) => all.iter().for_each(|value| names(value, into)),
                _ => {}
            }
        }
        let document = document();
        let mut all = Vec::new();
        names(&document, &mut all);
        assert!(all.len() > 100);
        for name in all {
            assert!(document.pointer(name.strip_prefix('#').unwrap()).is_some(), "{name}");
        }
    }
}
