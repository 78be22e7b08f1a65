//! The parser of both languages, made from `grammar/words.pest`, `grammar/lan_conf.pest` and
//! `grammar/command.pest`.

/// The grammar of single statements; [`Rule`] names its rules.
#[derive(pest_derive::Parser)]
#[grammar = "../grammar/words.pest"]
#[grammar = "../grammar/lan_conf.pest"]
#[grammar = "../grammar/command.pest"]
pub(super) struct Grammar;
