//! Rules for the words of refusals: every code has some, in every language, and no words are without a code.

use super::{File, documents::codes};
use serde_json::Value;

/// Each language, and whether its script is Hangul.
const LANGUAGES: [(&str, bool); 2] = [("en", false), ("ko", true)];
/// What a viewer is told in each: what happened, and what to do.
const PARTS: [&str; 2] = ["happened", "advice"];

/// What is wrong with `words` for the refusals of `source`.
pub fn check(words: &File, source: &str) -> Vec<String> {
    let path = &words.path;
    let written = match serde_json::from_str(&words.text) {
        Ok(Value::Object(written)) => written,
        Ok(_) => return vec![format!("{path}: is not one object")],
        Err(error) => return vec![format!("{path}: {error}")],
    };
    let real = codes(source);
    let unworded = real.iter().filter(|code| !written.contains_key(**code));
    let mut findings: Vec<_> = unworded.map(|code| format!("{path}: there are no words for `{code}`")).collect();
    for (code, words) in &written {
        if !real.contains(code.as_str()) {
            findings.push(format!("{path}: no refusal has the code `{code}`"));
        }
        for (language, hangul) in LANGUAGES {
            let untold = PARTS.into_iter().filter(|part| !is_told(&words[language][part], hangul));
            findings.extend(untold.map(|part| format!("{path}: `{code}` is not told in `{language}`: {part}")));
        }
    }
    findings
}

/// A sentence, in the right script: words copied from another language are none.
fn is_told(text: &Value, hangul: bool) -> bool {
    let syllable = |c: char| ('\u{ac00}'..='\u{d7a3}').contains(&c);
    text.as_str().is_some_and(|text| text.len() > 1 && text.ends_with('.') && text.contains(syllable) == hangul)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "fn code(&self) { Self::A => \"a\",\n Self::B => \"b\",\n }\nfn advice() {}";

    fn checked(entries: &[String]) -> Vec<String> {
        check(&File { path: "words.json".into(), text: format!("{{ {} }}", entries.join(",")) }, SOURCE)
    }

    fn entry(code: &str, en: &str, ko: &str) -> String {
        let words = |text: &str| format!("{{ \"happened\": \"{text}\", \"advice\": \"{text}\" }}");
        format!("\"{code}\": {{ \"en\": {}, \"ko\": {} }}", words(en), words(ko))
    }

    #[test]
    fn words_for_every_code_in_every_language_are_well() {
        assert_eq!(checked(&[entry("a", "It failed.", "실패했습니다."), entry("b", "Late.", "늦었습니다.")]), [""; 0]);
    }

    #[test]
    fn a_code_without_words_and_words_without_a_code_are_found() {
        let found = checked(&[entry("a", "Yes.", "네."), entry("z", "Yes.", "네.")]);
        assert_eq!(found, ["words.json: there are no words for `b`", "words.json: no refusal has the code `z`"]);
    }

    #[test]
    fn a_language_that_is_missing_empty_or_another_is_found() {
        let english_only = "\"b\": { \"en\": { \"happened\": \"Yes.\", \"advice\": \"No.\" } }".to_owned();
        let found = checked(&[entry("a", "Yes.", "Yes."), english_only]);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found.iter().all(|finding| finding.contains("is not told in `ko`")), "{found:?}");
        assert_eq!(checked(&[entry("a", "Yes.", "네."), entry("b", "", "네.")]).len(), 2);
    }
}
