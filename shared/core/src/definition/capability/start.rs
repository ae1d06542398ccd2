//! `sop.start`: a run of another SOP, whose result the step waits for.

use super::*;
use crate::id::SopName;

pub(super) fn check(with: &Map<String, Value>) -> Result<(), Misfit> {
    only_keys(with, &["sop", "payload"])?;
    let help = "write the name of an SOP: `{\"sop\": \"deploy\"}`";
    match with.get("sop") {
        None => Err(Misfit::new("`sop.start` needs a `sop`", help)),
        Some(Value::String(name)) if SopName::parse(name).is_ok() => Ok(()),
        Some(_) => Err(Misfit::of("sop", "`sop` is not the name of an SOP", help.to_owned())),
    }
}
