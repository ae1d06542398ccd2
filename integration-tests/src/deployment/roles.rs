//! What roles may do, changed under a running system.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::deployment::stack::Cli;

/// A statement that was taken out of a role's policy.
pub struct Statement {
    role: String,
    policy: String,
    whole: String,
}

/// The roles of a deployed stack.
pub struct Roles {
    cli: Cli,
}

impl Roles {
    pub(crate) fn new(cli: Cli) -> Self {
        Self { cli }
    }

    /// Takes the statement `sid` out of the policy of the role with this logical id. Its function begins anew,
    /// so that what it keeps in memory, secrets for one, does not serve instead.
    ///
    /// # Errors
    /// When there is no such role or statement, or the emulator refuses.
    pub async fn take_away(&self, role: &str, sid: &str) -> Result<Statement> {
        let function = role.strip_suffix("Role").unwrap_or(role).to_lowercase();
        let resource = ["cloudformation", "describe-stack-resource", "--stack-name", "sopwith"];
        let question = [&resource[..], &["--logical-resource-id", role]].concat();
        let found = self.cli.run(&question).await?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let role = text(&found["StackResourceDetail"]["PhysicalResourceId"]).context("a name")?;
        let policies = self.cli.run(&["iam", "list-role-policies", "--role-name", &role]).await?;
        let policy = text(&policies["PolicyNames"][0]).context("a policy")?;
        let named = ["--role-name", &role, "--policy-name", &policy];
        let answer = self.cli.run(&[&["iam", "get-role-policy"], &named[..]].concat()).await?;
        let mut document = answer["PolicyDocument"].clone();
        let whole = document.to_string();
        let statements = document["Statement"].as_array_mut().context("statements")?;
        let before = statements.len();
        statements.retain(|statement| statement["Sid"] != sid);
        ensure!(statements.len() + 1 == before, "`{role}` has no one statement `{sid}`");
        if statements.is_empty() {
            self.cli.run(&[&["iam", "delete-role-policy"], &named[..]].concat()).await?;
        } else {
            self.put(&role, &policy, &document.to_string()).await?;
        }
        // As it is in the template; being told it is what makes the emulator start it anew.
        const MEMORY_MB: &str = "256";
        let update = ["lambda", "update-function-configuration", "--function-name"];
        let function = format!("sopwith-{function}");
        self.cli.run(&[&update[..], &[&function, "--memory-size", MEMORY_MB]].concat()).await?;
        Ok(Statement { role, policy, whole })
    }

    /// Gives the role its whole policy again.
    ///
    /// # Errors
    /// When the emulator refuses.
    pub async fn put_back(&self, taken: &Statement) -> Result<()> {
        self.put(&taken.role, &taken.policy, &taken.whole).await
    }

    async fn put(&self, role: &str, policy: &str, document: &str) -> Result<()> {
        let put = ["iam", "put-role-policy", "--role-name", role, "--policy-name", policy];
        self.cli.run(&[&put[..], &["--policy-document", document]].concat()).await?;
        Ok(())
    }
}
