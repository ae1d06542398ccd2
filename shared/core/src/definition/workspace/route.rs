//! Routes: where word of a gate is sent.

use super::*;

/// The routes of `key`, without those that were reported.
pub(super) fn read(sink: &mut Sink<'_>, table: &DeTable<'_>, key: &str) -> Vec<Route> {
    let Some(value) = table.get(key) else { return Vec::new() };
    let DeValue::Array(list) = value.get_ref() else {
        let expected = "a list, such as `[{ type = \"mqtt\", topic = \"ops/gates\" }]`";
        fields::wrong_type(sink, key, value.span(), expected, value.get_ref());
        return Vec::new();
    };
    let mut routes = Vec::new();
    for entry in list.iter() {
        if let DeValue::Table(table) = entry.get_ref() {
            routes.extend(one(sink, table, entry.span()));
        } else {
            fields::wrong_type(sink, key, entry.span(), "a list of tables", entry.get_ref());
        }
    }
    routes
}

fn one(sink: &mut Sink<'_>, table: &DeTable<'_>, at: Range<usize>) -> Option<Route> {
    let types: Vec<&str> = keys::ROUTES.iter().map(|(name, _)| *name).collect();
    let Some(kind) = table.get("type") else {
        let help = format!("add `type = \"...\"`, one of {}", listed(&types));
        sink.error_with_help(code::BAD_ROUTE, at, "a route has a `type`".into(), help);
        return None;
    };
    let kind_text = kind.get_ref().as_str().unwrap_or_default();
    let Some((name, own)) = keys::ROUTES.iter().find(|(name, _)| *name == kind_text) else {
        let message = format!("unknown type of route {}", quoted(kind_text));
        sink.error_with_help(code::BAD_ROUTE, kind.span(), message, choices(kind_text, &types));
        return None;
    };
    let known: Vec<&str> = ["type"].into_iter().chain(keys::names(own)).collect();
    check_keys(sink, table, &known, "this route");
    let needed = own[0].name;
    if !table.contains_key(needed) {
        let misspelt = |name: &str| suggest(name, &[needed]).is_some();
        if !table.keys().any(|key| misspelt(key.get_ref())) {
            let message = format!("a route of type `{name}` has a `{needed}`");
            let help = format!("add `{needed} = \"...\"`");
            sink.error_with_help(code::BAD_ROUTE, at, message, help);
        }
        return None;
    }
    let target = fields::some_text(sink, table, needed)?;
    if let Some(help) = problem(name, target.text) {
        let message = format!("nothing can be sent to {}", quoted(target.text));
        sink.error_with_help(code::BAD_ROUTE, target.span, message, help.to_owned());
        return None;
    }
    let target = target.text.to_owned();
    Some(match *name {
        "webhook" => {
            let secret = fields::some_text(sink, table, "secret");
            Route::Webhook { url: target, secret: secret.map(|secret| secret.text.to_owned()) }
        }
        "sns" => Route::Sns { topic_arn: target },
        _ => Route::Mqtt { topic: target },
    })
}

fn problem(kind: &str, target: &str) -> Option<&'static str> {
    let has_space = target.contains(|c: char| c.is_whitespace() || c.is_control());
    match kind {
        "webhook" if !crate::definition::capability::is_http_url(target) => {
            Some("write an address that begins with `http://` or `https://`")
        }
        "sns" if has_space || !is_sns_arn(target) => {
            Some("write the ARN of a topic: `arn:aws:sns:eu-central-1:123456789012:gates`")
        }
        "mqtt" if target.contains(['+', '#', '\0']) || target.starts_with('$') => {
            Some("write one topic, without `+` and `#` and no `$` in front")
        }
        _ => None,
    }
}

fn is_sns_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    parts.len() == 6
        && parts[0] == "arn"
        && parts[1].starts_with("aws")
        && parts[2] == "sns"
        && parts.iter().all(|part| !part.is_empty())
}
