//! The generated parts of a document: each between two markers, replaced as a whole.
//!
//! ```text
//! <!-- generated: farms -->
//! …
//! <!-- /generated -->
//! ```

use crate::{durability, storage, table::Sweep};

/// Every part of `docs/storage.md`: the name in its marker, and its text.
pub fn storage_parts() -> Vec<(&'static str, String)> {
    let comparisons = storage::table::compare();
    let scaling = [
        ("scaling", storage::table::scaling(&comparisons)),
        ("scaling-by-seed", storage::table::by_seed(&comparisons)),
    ];
    scaling.into_iter().chain(durability::table::parts()).collect()
}

/// Every part of `docs/security.md`: the name in its marker, and its text.
pub fn parts(sweep: &Sweep) -> [(&'static str, String); 8] {
    [
        ("farms", sweep.farms()),
        ("by-size", sweep.by_size()),
        ("by-population", sweep.by_population()),
        ("by-rule", sweep.by_rule()),
        ("by-parameter", sweep.by_parameter()),
        ("by-price", sweep.by_price()),
        ("household", sweep.household()),
        ("by-proposal", sweep.by_proposal()),
    ]
}

/// Puts the parts into a document.
///
/// # Errors
/// The name of a part that the document has no place for.
pub fn refresh(document: &str, parts: &[(&'static str, String)]) -> Result<String, MissingPart> {
    let mut text = document.to_owned();
    for (name, part) in parts {
        let missing = MissingPart { name };
        let (before, _, after) = split(&text, name).ok_or(missing)?;
        text = format!("{before}\n\n{}\n\n{after}", part.trim_end());
    }
    Ok(text)
}

/// The text of one part as a document has it.
pub fn part<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    split(document, name).map(|(_, part, _)| part.trim())
}

/// A document without the markers of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no `<!-- generated: {name} -->` with its end")]
pub struct MissingPart {
    /// Which part.
    pub name: &'static str,
}

/// Before, inside and after a part; the markers stay outside.
fn split<'a>(document: &'a str, name: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let marker = format!("<!-- generated: {name} -->");
    let start = document.find(&marker)? + marker.len();
    let end = start + document[start..].find("<!-- /generated -->")?;
    Some((&document[..start], &document[start..end], &document[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Page\n\n<!-- generated: a -->\nold\n<!-- /generated -->\n\nend\n";

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let fresh = refresh(PAGE, &[("a", "new\n".into())]).unwrap();
        assert_eq!(fresh, "# Page\n\n<!-- generated: a -->\n\nnew\n\n<!-- /generated -->\n\nend\n");
        assert_eq!(part(&fresh, "a"), Some("new"));
        assert_eq!(refresh(PAGE, &[("b", String::new())]), Err(MissingPart { name: "b" }));
    }
}
