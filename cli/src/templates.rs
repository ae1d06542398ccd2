//! The two files that `sop new` writes.

use sop_core::SopName;

use crate::args::Door;

/// Folder beside the SOPs' that holds the JSON Schemas for editors; a hidden one is no SOP's.
pub(crate) const SCHEMAS: &str = ".schemas";

/// `SOP.toml` of a new SOP called `name`, started through `door`.
pub(crate) fn manifest(name: &SopName, door: Door) -> String {
    let trigger = match door {
        Door::Manual => "type = \"manual\"\n".to_owned(),
        Door::Webhook => format!(
            "type = \"webhook\"\npath = \"/sop/{name}\"\nmethod = \"POST\"\n# condition = \"$.env == \\\"prod\\\"\"\n"
        ),
        Door::Mqtt => format!(
            "type = \"mqtt\"\ntopic = \"ops/{name}\"\n# condition = \"$.severity >= 2\"\n"
        ),
        Door::Cron => {
            "type = \"cron\"\n# second minute hour day month weekday\nexpression = \"0 0 8 * * *\"\n".to_owned()
        }
        Door::Peripheral => "type = \"peripheral\"\nboard = \"board-1\"\nsignal = \"level\"\n# condition = \"$.value > 85\"\n".to_owned(),
        Door::Event => "type = \"event\"\nsource = \"aws.s3\"\ndetail_type = \"Object Created\"\n# condition = \"$.detail.object.size > 0\"\n".to_owned(),
    };
    format!(
        "#:schema ../{SCHEMAS}/sop.schema.json\n\
         [sop]\n\
         name = \"{name}\"\n\
         description = \"What {name} is for, in one line\"\n\
         version = \"0.1.0\"\n\
         priority = \"normal\"            # low | normal | high | critical\n\
         execution_mode = \"supervised\"  # auto | supervised | step_by_step | priority_based | deterministic\n\
         \n\
         [[triggers]]\n\
         {trigger}"
    )
}

/// `SOP.md` of a new SOP called `name`.
pub(crate) fn steps(name: &SopName) -> String {
    format!(
        "# {name}\n\
         \n\
         Why this procedure exists, and who may change it.\n\
         \n\
         ## Steps\n\
         \n\
         1. **Look** — Say what is to be looked at, and what good looks like.\n\
         \n\
         2. **Act** — Say what is to be done. This step waits for a yes before it begins.\n   \
            - requires_confirmation: true\n\
         \n\
         3. **Report** — Say who is told, and where it is written down.\n"
    )
}
