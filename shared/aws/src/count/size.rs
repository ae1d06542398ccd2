//! How big an item is, as DynamoDB counts.
//!
//! Source: Amazon DynamoDB developer guide, item sizes and formats.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// Bytes that a list or a map takes beside what is in it.
const CONTAINER_BYTES: usize = 3;

/// Bytes that each element of a list or a map takes beside itself.
const ELEMENT_BYTES: usize = 1;

/// Bytes of an item: its names and its values.
pub fn item_bytes(item: &HashMap<String, AttributeValue>) -> usize {
    item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

/// Bytes of one value.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the SDK's variant for unknown kinds is private"
)]
pub fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number_bytes(number),
        AttributeValue::B(blob) => blob.as_ref().len(),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        AttributeValue::Ss(set) => set.iter().map(String::len).sum(),
        AttributeValue::Ns(set) => set.iter().map(|number| number_bytes(number)).sum(),
        AttributeValue::Bs(set) => set.iter().map(|blob| blob.as_ref().len()).sum(),
        AttributeValue::L(list) => {
            CONTAINER_BYTES + list.iter().map(|v| ELEMENT_BYTES + value_bytes(v)).sum::<usize>()
        }
        AttributeValue::M(map) => CONTAINER_BYTES + map.len() * ELEMENT_BYTES + item_bytes(map),
        // A kind that this SDK does not know is not in our items.
        _ => 0,
    }
}

/// About one byte for two significant digits, and one more.
fn number_bytes(number: &str) -> usize {
    let negative = number.starts_with('-');
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_matches('0').len();
    if significant == 0 { 1 } else { 1 + significant.div_ceil(2) + usize::from(negative) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_documented_rules() {
        let item = HashMap::from([
            ("PK".to_owned(), AttributeValue::S("RUN#1".to_owned())),
            ("n".to_owned(), AttributeValue::N("1772352000123".to_owned())),
            ("b".to_owned(), AttributeValue::Bool(true)),
        ]);
        assert_eq!(item_bytes(&item), (2 + 5) + (1 + 8) + (1 + 1));
        assert_eq!(value_bytes(&AttributeValue::N("0".to_owned())), 1);
        assert_eq!(value_bytes(&AttributeValue::N("-100".to_owned())), 3);
        assert_eq!(value_bytes(&AttributeValue::L(vec![AttributeValue::Null(true)])), 5);
    }
}
