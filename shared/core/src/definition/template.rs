//! The texts of steps that are templates.

use super::diagnostic::Sink;
use super::manifest::Manifest;
use super::step::Written;

/// Checks the templates of the steps: the texts in `with`, and `prompt`.
///
/// `Written::place` says where each key's value stands. Nothing is checked yet: a text is taken as it is.
pub(super) fn check_templates(_sink: &mut Sink<'_>, _manifest: &Manifest, _steps: &[Written]) {}
