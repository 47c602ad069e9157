//! The few pieces of HTML that a report is made of.

/// Text as it stands in a page, in attributes too.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            c => safe.push(c),
        }
    }
    safe
}

/// A row of a table: its cells, not yet escaped, and whether something went wrong in it.
pub(super) struct Row {
    pub cells: Vec<String>,
    pub is_bad: bool,
}

/// A table that scrolls by itself where the screen is narrow. `class` is for its looks.
pub(super) fn table(class: &str, header: &[String], rows: &[Row]) -> String {
    let cells = |cells: &[String], tag: &str| -> String {
        cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect()
    };
    let row = |row: &Row| {
        let bad = if row.is_bad { " class=\"bad\"" } else { "" };
        format!("<tr{bad}>{}</tr>\n", cells(&row.cells, "td"))
    };
    let body: String = rows.iter().map(row).collect();
    let head = cells(header, "th");
    format!(
        "<div class=\"table\"><table class=\"{class}\"><thead><tr>{head}</tr></thead>\n\
         <tbody>\n{body}</tbody></table></div>\n"
    )
}

/// Sentences as a list; nothing where there are none.
pub(super) fn notes(sentences: &[String]) -> String {
    if sentences.is_empty() {
        return String::new();
    }
    let items: String = sentences.iter().map(|sentence| format!("<li>{}</li>\n", escaped(sentence))).collect();
    format!("<ul class=\"notes\">\n{items}</ul>\n")
}

/// Bytes as text, four letters for three of them (RFC 4648).
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, encoded) in vectors {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn what_a_record_says_is_text_and_no_markup() {
        assert_eq!(escaped("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
        let bad = Row { cells: vec!["<script>".into()], is_bad: true };
        assert!(table("", &["a".into()], &[bad]).contains("<tr class=\"bad\"><td>&lt;script&gt;</td></tr>"));
    }
}
