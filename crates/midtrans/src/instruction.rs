//! Where the gateway's answers hide what the payer needs (the table in contract §2).

use domain::{ChargeAs, Instruction, Method};

use crate::fields::Fields;

/// What the payer needs, by the fields that are there rather than by `payment_type`: a Permata account is answered
/// as `bank_transfer`, and new types come. `method` is what was charged, if this is the answer to a charge.
pub(crate) fn read(fields: &Fields, method: Option<Method>) -> Option<Instruction> {
    account(fields)
        .or_else(|| bill(fields))
        .or_else(|| code(fields, method))
        .or_else(|| qr(fields))
        .or_else(|| action(fields, "deeplink-redirect").map(|url| Instruction::Deeplink { url }))
        .or_else(|| fields.text("redirect_url").map(|url| Instruction::Redirect { url, token: None }))
}

fn account(fields: &Fields) -> Option<Instruction> {
    let listed = fields.objects("va_numbers").into_iter().find_map(|entry| {
        Some(Instruction::VirtualAccount { bank: entry.word("bank")?, number: entry.text("va_number")? })
    });
    let permata = || {
        let number = fields.text("permata_va_number")?;
        Some(Instruction::VirtualAccount { bank: "permata".to_owned(), number })
    };
    listed.or_else(permata)
}

fn bill(fields: &Fields) -> Option<Instruction> {
    Some(Instruction::MandiriBill {
        biller_code: fields.text("biller_code")?,
        bill_key: fields.text("bill_key")?,
    })
}

fn code(fields: &Fields, method: Option<Method>) -> Option<Instruction> {
    // Indomaret's older answers leave the store out; then only the charge knows it.
    let charged = || match method?.profile().charge {
        ChargeAs::Store(store) => Some(store.to_owned()),
        _ => None,
    };
    let store = fields.word("store").or_else(charged)?;
    Some(Instruction::PaymentCode { store, code: fields.text("payment_code")? })
}

fn qr(fields: &Fields) -> Option<Instruction> {
    let image_url = action(fields, "generate-qr-code").or_else(|| action(fields, "generate-qr-code-v2"));
    let qr_string = fields.text("qr_string");
    if image_url.is_none() && qr_string.is_none() {
        return None;
    }
    Some(Instruction::Qr { image_url, qr_string, deeplink_url: action(fields, "deeplink-redirect") })
}

/// The URL of an action. Their order is not part of the contract, their names are.
fn action(fields: &Fields, name: &str) -> Option<String> {
    fields
        .objects("actions")
        .into_iter()
        .find(|action| action.text("name").as_deref() == Some(name))?
        .text("url")
}
