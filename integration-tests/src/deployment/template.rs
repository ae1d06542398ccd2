//! The template without what LocalStack's free edition lacks, and the routes that went with it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde_yaml_ng::{Mapping, Value};

use crate::deployment::root;

/// Services whose resources are left out.
/// Source: the answers of LocalStack 4.14.0 itself, `not included in your current license plan`.
const PAID: [&str; 2] = ["AWS::ApiGatewayV2::", "AWS::IoT::"];

/// A route of the HTTP API that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// `POST`, `ANY`.
    pub(crate) method: String,
    /// `/sop/{proxy+}`, `/pair`.
    pub(crate) path: String,
    /// The function's name after the prefix.
    pub(crate) function: String,
}

/// The template's free part, and what its doors were.
pub(crate) struct Reduced {
    /// The template, in YAML.
    pub(crate) text: String,
    /// The routes, in the template's order.
    pub(crate) routes: Vec<Route>,
    /// Logical ids that were left out.
    pub(crate) left_out: BTreeSet<String>,
}

/// Reads `infra/template.yaml` and takes out what is not free, and all that refers to it.
///
/// # Errors
/// When the template is not what it was, or a function would have to go.
pub(crate) fn reduced() -> Result<Reduced> {
    let text = std::fs::read_to_string(root().join("infra/template.yaml"))?;
    let mut template: Value = serde_yaml_ng::from_str(&text)?;
    let resources = template["Resources"].as_mapping().context("resources")?.clone();
    let routes = routes(&resources)?;
    let kind = |resource: &Value| resource["Type"].as_str().unwrap_or_default().to_owned();
    let mut left_out = BTreeSet::new();
    for (id, resource) in &resources {
        if PAID.iter().any(|prefix| kind(resource).starts_with(prefix)) {
            left_out.insert(id.as_str().context("an id")?.to_owned());
        }
    }
    // Until nothing is left that refers to what is not there.
    loop {
        let before = left_out.len();
        for (id, resource) in &resources {
            if refers(resource, &left_out) {
                if kind(resource) == "AWS::Serverless::Function" {
                    bail!("the function {id:?} refers to what LocalStack's free edition lacks");
                }
                left_out.insert(id.as_str().context("an id")?.to_owned());
            }
        }
        if left_out.len() == before {
            break;
        }
    }
    let keep = |values: &mut Mapping, gone: &dyn Fn(&str, &Value) -> bool| {
        values.retain(|id, value| !gone(id.as_str().unwrap_or_default(), value));
    };
    let part = template["Resources"].as_mapping_mut().context("resources")?;
    keep(part, &|id, _| left_out.contains(id));
    let part = template["Outputs"].as_mapping_mut().context("outputs")?;
    keep(part, &|_, value| refers(value, &left_out));
    Ok(Reduced { text: serde_yaml_ng::to_string(&template)?, routes, left_out })
}

fn routes(resources: &Mapping) -> Result<Vec<Route>> {
    let mut routes = Vec::new();
    for resource in resources.values() {
        if resource["Type"] != "AWS::ApiGatewayV2::Route" {
            continue;
        }
        let properties = &resource["Properties"];
        let key = properties["RouteKey"].as_str().context("a route's key")?;
        let (method, path) = key.split_once(' ').context("a method and a path")?;
        let target = text(&properties["Target"]);
        let integration = target
            .strip_prefix("integrations/${")
            .and_then(|id| id.strip_suffix('}'))
            .with_context(|| format!("the target of `{key}` is `{target}`"))?;
        let uri = text(&resources[integration]["Properties"]["IntegrationUri"]);
        let function = uri.split('.').next().unwrap_or_default();
        let name = text(&resources[function]["Properties"]["FunctionName"]);
        let name = name.strip_prefix("${Prefix}-").with_context(|| format!("`{name}`"))?;
        routes.push(Route {
            method: method.to_owned(),
            path: path.to_owned(),
            function: name.to_owned(),
        });
    }
    Ok(routes)
}

/// The text of a value, of one with a tag too.
fn text(value: &Value) -> String {
    match value {
        Value::Tagged(tagged) => text(&tagged.value),
        Value::String(text) => text.clone(),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Sequence(_)
        | Value::Mapping(_) => String::new(),
    }
}

/// Whether `value` names one of `ids` by `!Ref`, `!GetAtt` or `!Sub`, or depends on it.
fn refers(value: &Value, ids: &BTreeSet<String>) -> bool {
    match value {
        Value::Tagged(tagged) => {
            let named = text(&tagged.value);
            let tag = tagged.tag.to_string();
            let here = match tag.as_str() {
                "!Ref" => ids.contains(&named),
                "!GetAtt" => named.split('.').next().is_some_and(|id| ids.contains(id)),
                "!Sub" => named
                    .split("${")
                    .skip(1)
                    .any(|rest| rest.split(['}', '.']).next().is_some_and(|id| ids.contains(id))),
                _ => false,
            };
            here || refers(&tagged.value, ids)
        }
        Value::Sequence(values) => values.iter().any(|value| refers(value, ids)),
        Value::Mapping(values) => values.iter().any(|(key, value)| {
            let named = |value: &Value| ids.contains(&text(value));
            let depends = key.as_str() == Some("DependsOn")
                && (named(value) || value.as_sequence().is_some_and(|all| all.iter().any(named)));
            depends || refers(value, ids)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_refers_to_nothing_that_went() {
        let reduced = reduced().expect("it can be reduced");
        let template: Value = serde_yaml_ng::from_str(&reduced.text).expect("YAML");
        for id in ["HttpApi", "SopRoute", "WebhookHttpPermission", "PeripheralRule"] {
            assert!(reduced.left_out.contains(id), "{id} is in: {:?}", reduced.left_out);
        }
        assert!(!refers(&template, &reduced.left_out));
        let ids = template["Resources"].as_mapping().expect("resources");
        for id in ["Table", "EventsQueue", "WebhookFunction", "EventsMapping", "ApiRole"] {
            assert!(ids.contains_key(id), "{id} went");
        }
    }

    #[test]
    fn routes_name_their_functions() {
        let routes = reduced().expect("it can be reduced").routes;
        let of = |method: &str, path: &str| {
            let route = routes.iter().find(|route| route.method == method && route.path == path);
            route.map(|route| route.function.as_str())
        };
        assert_eq!(of("ANY", "/sop/{proxy+}"), Some("webhook"));
        assert_eq!(of("POST", "/pair"), Some("api"));
    }
}
