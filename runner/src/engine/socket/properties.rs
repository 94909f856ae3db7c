//! What holds for answers of any text.

use proptest::{collection::vec, prelude::*};

use super::{Answer, parse, rootless};
use crate::testing::broken;

const ANSWER: &str = "HTTP/1.0 200 OK\r\nServer: Libpod\r\n\r\n{\"ID\":\"x\",\"Rootless\":true}";

proptest! {
    #[test]
    fn an_answer_is_read_below_any_head(
        headers in vec("[A-Za-z-]{1,9}: [ -~]{0,9}\r\n", 0..4),
        rootless in any::<Option<bool>>(),
    ) {
        let body = rootless.map_or("{}".to_owned(), |is| format!("{{\"Rootless\":{is}}}"));
        let answer = format!("HTTP/1.1 200 OK\r\n{}\r\n{body}", headers.concat());
        prop_assert_eq!(super::rootless(&parse(&answer).unwrap()).unwrap(), rootless);
    }

    #[test]
    fn any_other_status_is_an_error(status in 100_u16..1000, body in any::<String>()) {
        let answer = format!("HTTP/1.0 {status} x\r\n\r\n{body}");
        if status != 200 {
            let answer = parse(&answer).unwrap();
            prop_assert_eq!(&answer, &Answer { status, body });
            let error = rootless(&answer).unwrap_err().to_string();
            prop_assert!(error.contains(&status.to_string()), "{}", error);
        }
    }

    #[test]
    fn any_text_is_an_answer_or_an_error(answer in prop_oneof![broken(ANSWER), any::<String>()]) {
        let _ = parse(&answer).and_then(|answer| rootless(&answer));
    }
}
