//! HTML in which only our own text can be markup: names of models and folders are hostile.

use untrusted::escape;

/// HTML. What is not a literal of this program is text, and escaped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Adds markup of this program.
    pub(super) fn raw(&mut self, html: &'static str) -> &mut Self {
        self.0.push_str(html);
        self
    }

    /// Adds a text, whatever is in it, without what nobody sees.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.escaped(&escape(text))
    }

    /// Adds a sentence of ours, what is quoted in it as code.
    pub(super) fn prose(&mut self, text: &str) -> &mut Self {
        let parts: Vec<_> = text.split('`').collect();
        if parts.len() % 2 == 0 {
            // A quote that does not end is none.
            return self.text(text);
        }
        for (index, part) in parts.into_iter().enumerate() {
            if index % 2 == 0 {
                self.text(part);
            } else {
                self.element("code", &[], part);
            }
        }
        self
    }

    /// Begins an element.
    pub(super) fn open(
        &mut self,
        tag: &'static str,
        attributes: &[(&'static str, &str)],
    ) -> &mut Self {
        self.raw("<").raw(tag);
        for (name, value) in attributes {
            self.raw(" ").raw(name).raw("=\"").text(value).raw("\"");
        }
        self.raw(">")
    }

    /// Ends an element.
    pub(super) fn close(&mut self, tag: &'static str) -> &mut Self {
        self.raw("</").raw(tag).raw(">")
    }

    /// Adds an element that holds a text.
    pub(super) fn element(
        &mut self,
        tag: &'static str,
        attributes: &[(&'static str, &str)],
        text: &str,
    ) -> &mut Self {
        self.open(tag, attributes).text(text).close(tag)
    }

    /// The HTML.
    pub(super) fn into_string(self) -> String {
        self.0
    }

    fn escaped(&mut self, text: &str) -> &mut Self {
        for char in text.chars() {
            match char {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                char => self.0.push(char),
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Markup;

    #[test]
    fn text_is_text_wherever_it_stands() {
        let mut markup = Markup::default();
        markup.element("a", &[("title", "\" onload='x'>")], "</a><script>&\u{202e}");
        assert_eq!(
            markup.into_string(),
            "<a title=\"&quot; onload=&#39;x&#39;&gt;\">&lt;/a&gt;&lt;script&gt;&amp;\\u{202e}</a>"
        );
    }

    #[test]
    fn what_a_sentence_quotes_is_code() {
        let prose = |text: &str| {
            let mut markup = Markup::default();
            markup.prose(text);
            markup.into_string()
        };
        assert_eq!(prose("`<a>` is `b`"), "<code>&lt;a&gt;</code> is <code>b</code>");
        assert_eq!(prose("a ` b"), "a ` b");
    }

    proptest! {
        #[test]
        fn no_text_ends_its_element_or_attribute(text in any::<String>()) {
            let mut markup = Markup::default();
            markup.element("p", &[("title", &text)], &text);
            let html = markup.into_string();
            prop_assert_eq!(html.matches('<').count(), 2);
            prop_assert_eq!(html.matches('>').count(), 2);
            prop_assert_eq!(html.matches('"').count(), 2);
        }
    }
}
