"""The gateway's official client for Python against the simulator, unchanged but for the base URLs.

`cargo xtask test --clients` runs it.
"""

import http.server
import itertools
import json
import os
import re
import sys
import threading
import time
import unittest
import urllib.request

import midtransclient
from midtransclient.error_midtrans import MidtransAPIError

BASE = os.environ["MIDTRANS_SIM_URL"]
KEYS = {
    "is_production": False,
    "server_key": os.environ["MIDTRANS_SERVER_KEY"],
    "client_key": os.environ["MIDTRANS_CLIENT_KEY"],
}
ITEMS = [{"id": "room-7", "price": 44000, "quantity": 1, "name": "Room 7"}]
NUMBERS = itertools.count(1)


def at_simulator(client):
    client.api_config.CORE_SANDBOX_BASE_URL = BASE
    client.api_config.SNAP_SANDBOX_BASE_URL = f"{BASE}/snap/v1"
    return client


CORE = at_simulator(midtransclient.CoreApi(**KEYS))
SNAP = at_simulator(midtransclient.Snap(**KEYS))


def order(payment_type, **parts):
    details = {"order_id": f"python-{next(NUMBERS)}", "gross_amount": 44000}
    return {"payment_type": payment_type, "transaction_details": details, "item_details": ITEMS, **parts}


def bank(name):
    return order("bank_transfer", bank_transfer={"bank": name})


def sim(path, body=None):
    """One of the simulator's own doors: what a payer, a bank or a person at the dashboard does."""
    request = urllib.request.Request(
        f"{BASE}/sim/{path}", json.dumps(body or {}).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def card_token(number):
    card = {"card_number": number, "card_exp_month": "12", "card_exp_year": "2030", "card_cvv": "123"}
    return CORE.card_token({**card, "client_key": KEYS["client_key"]})["token_id"]


def by_card(number, **parts):
    return order("credit_card", credit_card={"token_id": card_token(number), **parts})


def paid(body):
    charged = CORE.charge(body)
    sim(f"transactions/{charged['transaction_id']}/settle")
    return charged


class Merchant(http.server.BaseHTTPRequestHandler):
    """Takes notifications."""

    heard = []

    def do_POST(self):
        length = int(self.headers["content-length"])
        self.heard.append(json.loads(self.rfile.read(length)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class Story(unittest.TestCase):
    def assert_is(self, answer, code, status, fraud=None):
        self.assertEqual((answer["status_code"], answer["transaction_status"]), (code, status), answer)
        if fraud is not None:
            self.assertEqual(answer["fraud_status"], fraud)

    def assert_refused(self, code, http, call, *arguments):
        """The client reads the body's own code, and keeps the status of HTTP beside it."""
        with self.assertRaises(MidtransAPIError) as caught:
            call(*arguments)
        self.assertEqual(caught.exception.http_status_code, http)
        if code is not None:
            self.assertEqual(caught.exception.api_response_dict["status_code"], code)
        return caught.exception.api_response_dict


class Charges(Story):
    def assert_pays_by(self, body, tells_how):
        answer = CORE.charge(body)
        self.assert_is(answer, "201", "pending")
        self.assertEqual(answer["order_id"], body["transaction_details"]["order_id"])
        self.assertEqual(answer["gross_amount"], "44000.00")
        self.assertRegex(answer["transaction_time"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")
        self.assertNotIn(None, answer.values())
        self.assertTrue(tells_how(answer), answer)

    def test_a_bank_transfer_gives_a_number_of_its_bank(self):
        for name in ["bca", "bni", "bri", "cimb"]:
            with self.subTest(name):
                self.assert_pays_by(
                    bank(name),
                    lambda a: a["va_numbers"][0]["bank"] == name and a["va_numbers"][0]["va_number"].isdigit(),
                )

    def test_permata_gives_a_number_in_a_field_of_its_own(self):
        self.assert_pays_by(order("permata"), lambda a: a["permata_va_number"].isdigit())

    def test_mandiri_gives_a_bill_key(self):
        body = order("echannel", echannel={"bill_info1": "For", "bill_info2": "Room 7"})
        self.assert_pays_by(body, lambda a: a["biller_code"] == "70012" and a["bill_key"].isdigit())

    def test_gopay_gives_a_qr_code_and_a_link(self):
        names = ["generate-qr-code", "generate-qr-code-v2", "deeplink-redirect", "get-status", "cancel"]
        self.assert_pays_by(order("gopay"), lambda a: [action["name"] for action in a["actions"]] == names)

    def test_qris_gives_a_code_of_either_acquirer(self):
        for acquirer in ["gopay", "airpay shopee"]:
            with self.subTest(acquirer):
                body = order("qris", qris={"acquirer": acquirer})
                self.assert_pays_by(body, lambda a: a["acquirer"] == acquirer and a["qr_string"])

    def test_shopeepay_and_dana_give_a_link(self):
        for method in ["shopeepay", "dana"]:
            with self.subTest(method):
                self.assert_pays_by(order(method), lambda a: a["actions"][0]["name"] == "deeplink-redirect")

    def test_ovo_pushes_to_a_phone_it_knows(self):
        body = order("ovo", ovo={"payer_phone_number": "081234567890"})
        self.assert_pays_by(body, lambda a: "actions" not in a)
        self.assert_refused("404", 200, CORE.charge, order("ovo", ovo={"payer_phone_number": "080000000"}))

    def test_stores_give_a_code_and_indomaret_no_fraud_status(self):
        alfamart = order("cstore", cstore={"store": "alfamart"})
        self.assert_pays_by(alfamart, lambda a: a["payment_code"].isdigit() and a["fraud_status"] == "accept")
        indomaret = order("cstore", cstore={"store": "indomaret"})
        self.assert_pays_by(indomaret, lambda a: a["payment_code"].isdigit() and "fraud_status" not in a)

    def test_cardless_credit_gives_a_page(self):
        for method in ["akulaku", "kredivo"]:
            with self.subTest(method):
                self.assert_pays_by(order(method), lambda a: a["redirect_url"].startswith(BASE))

    def test_a_card_is_charged_by_its_token_and_3ds_sends_the_payer_to_the_bank(self):
        captured = CORE.charge(by_card("4811111111111114"))
        self.assert_is(captured, "200", "capture", "accept")
        self.assertEqual(captured["masked_card"], "481111-1114")
        pending = CORE.charge(by_card("4811111111111114", authentication=True))
        self.assert_is(pending, "201", "pending")
        self.assertTrue(pending["redirect_url"].startswith(BASE))
        self.assertEqual(sim(f"transactions/{pending['transaction_id']}/prove")["status"], "capture")

    def test_a_card_that_the_bank_denies_is_no_error_of_the_call(self):
        denied = CORE.charge(by_card("4911111111111113"))
        self.assert_is(denied, "202", "deny", "accept")
        self.assert_is(CORE.transactions.status(denied["order_id"]), "202", "deny")


class Statuses(Story):
    def test_a_status_is_found_by_order_id_and_by_transaction_id(self):
        charged = CORE.charge(bank("bca"))
        for name in ["order_id", "transaction_id"]:
            status = CORE.transactions.status(charged[name])
            self.assert_is(status, "201", "pending")
            self.assertEqual(status["transaction_id"], charged["transaction_id"])
            self.assertTrue(re.fullmatch("[0-9a-f]{128}", status["signature_key"]))

    def test_dana_is_found_by_its_own_id_and_with_a_header_only(self):
        charged = CORE.charge(order("dana"))
        self.assertRegex(charged["transaction_id"], r"^A1\d{14}.{10}ID$")
        self.assert_refused("404", 200, CORE.transactions.status, charged["transaction_id"])
        headers = {"transaction-source": "SNAP_API"}
        of_snap_api = at_simulator(midtransclient.CoreApi(**KEYS, custom_headers=headers))
        self.assert_is(of_snap_api.transactions.status(charged["transaction_id"]), "200", "PENDING")
        self.assert_refused("404", 200, of_snap_api.transactions.status, charged["order_id"])
        self.assert_is(CORE.transactions.expire(charged["transaction_id"]), "407", "expire")

    def test_an_unknown_transaction_is_404_a_wrong_key_401_a_bad_body_400(self):
        self.assert_refused("404", 200, CORE.transactions.status, "nobody")
        stranger = at_simulator(midtransclient.CoreApi(server_key="SB-Mid-server-stranger"))
        self.assert_refused("401", 401, stranger.charge, bank("bca"))
        self.assert_refused("400", 400, CORE.charge, {"payment_type": "gopay"})

    def test_a_notification_that_arrived_is_confirmed_by_the_status(self):
        charged = paid(bank("bca"))
        wanted = (charged["order_id"], "settlement")
        deadline = time.monotonic() + 10
        notification = None
        while notification is None and time.monotonic() < deadline:
            time.sleep(0.01)
            found = (b for b in list(Merchant.heard) if (b["order_id"], b["transaction_status"]) == wanted)
            notification = next(found, None)
        self.assertIsNotNone(notification, "the merchant heard of it")
        for given in [notification, json.dumps(notification)]:
            status = CORE.transactions.notification(given)
            self.assertEqual(status["status_message"], "Success, transaction is found")
            self.assertEqual({**status, "status_message": ""}, {**notification, "status_message": ""})


class Actions(Story):
    def test_an_order_id_that_waits_is_406_and_free_again_after_a_cancel(self):
        body = bank("bca")
        first = CORE.charge(body)
        self.assert_refused("406", 200, CORE.charge, body)
        self.assert_is(CORE.transactions.cancel(first["order_id"]), "200", "cancel")
        second = CORE.charge(body)
        self.assertNotEqual(second["transaction_id"], first["transaction_id"])
        latest = CORE.transactions.status(first["order_id"])
        self.assertEqual(latest["transaction_id"], second["transaction_id"])
        self.assert_is(CORE.transactions.status(first["transaction_id"]), "200", "cancel")

    def test_an_expiry_is_407_and_no_error(self):
        charged = CORE.charge(bank("bca"))
        self.assert_is(CORE.transactions.expire(charged["order_id"]), "407", "expire")
        self.assert_is(CORE.transactions.status(charged["order_id"]), "407", "expire")

    def test_what_is_paid_cannot_be_cancelled_or_expired(self):
        charged = paid(bank("bca"))
        self.assert_refused("412", 200, CORE.transactions.cancel, charged["order_id"])
        self.assert_refused("412", 200, CORE.transactions.expire, charged["order_id"])
        self.assert_is(CORE.transactions.status(charged["order_id"]), "200", "settlement")

    def test_a_challenged_card_is_approved(self):
        charged = CORE.charge(by_card("4511111111111117"))
        self.assert_is(charged, "201", "capture", "challenge")
        self.assert_is(CORE.transactions.approve(charged["order_id"]), "200", "capture", "accept")
        self.assert_refused("412", 200, CORE.transactions.approve, charged["order_id"])

    def test_a_challenged_card_is_denied(self):
        charged = CORE.charge(by_card("4511111111111117"))
        self.assert_is(CORE.transactions.deny(charged["order_id"]), "200", "deny", "deny")

    def test_an_authorised_amount_is_captured_in_part_too(self):
        reserved = CORE.charge(by_card("4811111111111114", type="authorize"))
        self.assert_is(reserved, "200", "authorize")
        wanted = {"transaction_id": reserved["transaction_id"], "gross_amount": 40000}
        sim("faults", {"api": {"deny_captures": True}})
        self.assertEqual(CORE.capture(wanted)["status_code"], "202")
        sim("faults", {"api": {"deny_captures": False}})
        self.assert_is(CORE.transactions.status(reserved["order_id"]), "200", "authorize")
        captured = CORE.capture(wanted)
        self.assert_is(captured, "200", "capture")
        self.assertEqual(captured["gross_amount"], "40000.00")

    def test_one_refund_key_is_one_refund_and_more_than_the_rest_is_414(self):
        order_id = paid(order("gopay"))["order_id"]
        wanted = {"refund_key": f"{order_id}-r", "amount": 4000, "reason": "moved out"}
        first = CORE.transactions.refund(order_id, wanted)
        self.assert_is(first, "200", "partial_refund")
        again = CORE.transactions.refund(order_id, wanted)
        self.assertEqual(again["refund_chargeback_id"], first["refund_chargeback_id"])
        status = CORE.transactions.status(order_id)
        self.assertEqual((status["refund_amount"], len(status["refunds"])), ("4000.00", 1))
        too_much = {"refund_key": "more", "amount": 40001}
        self.assert_refused("414", 200, CORE.transactions.refund, order_id, too_much)

    def test_a_direct_refund_is_approved_or_denied_by_the_bank_at_once(self):
        order_id = paid(order("gopay"))["order_id"]
        sim("faults", {"api": {"deny_direct_refunds": True}})
        denied = CORE.transactions.refundDirect(order_id, {"refund_key": "direct-1"})
        sim("faults", {"api": {"deny_direct_refunds": False}})
        self.assert_is(denied, "202", "settlement")
        self.assertEqual(denied["refund_amount"], "0.00")
        approved = CORE.transactions.refundDirect(order_id, {"refund_key": "direct-2"})
        self.assert_is(approved, "200", "refund")


class Pages(Story):
    def test_a_page_has_a_token_and_an_address_and_no_status_before_somebody_pays(self):
        details = {"order_id": f"python-{next(NUMBERS)}", "gross_amount": 44000}
        wanted = {"transaction_details": details, "item_details": ITEMS, "credit_card": {"secure": True}}
        made = SNAP.create_transaction(wanted)
        self.assertEqual(made["redirect_url"], f"{BASE}/snap/v4/redirection/{made['token']}")
        token = SNAP.create_transaction_token(wanted)
        self.assertRegex(token, "^[0-9a-f-]{36}$")
        self.assertNotEqual(token, made["token"])
        with urllib.request.urlopen(SNAP.create_transaction_redirect_url(wanted), timeout=30) as page:
            self.assertEqual(page.status, 200)
        self.assert_refused("404", 200, CORE.transactions.status, details["order_id"])
        denied = sim(f"pages/{token}/pay", {"card_number": "4911111111111113"})
        captured = sim(f"pages/{token}/pay", {"card_number": "4811111111111114"})
        self.assertEqual((denied["status"], captured["status"]), ("deny", "capture"))
        status = CORE.transactions.status(details["order_id"])
        self.assert_is(status, "200", "capture", "accept")
        self.assertEqual(status["transaction_id"], captured["transaction_id"])
        refusal = self.assert_refused(None, 400, SNAP.create_transaction, wanted)
        taken = "transaction_details.order_id has already been taken"
        self.assertEqual(refusal, {"error_messages": [taken]})


def main():
    merchant = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Merchant)
    threading.Thread(target=merchant.serve_forever, daemon=True).start()
    sim("notification-url", {"url": f"http://127.0.0.1:{merchant.server_port}/"})
    result = unittest.main(exit=False, verbosity=2).result
    sim("notification-url", {"url": None})
    failed = len(result.failures) + len(result.errors)
    sys.stderr.flush()
    print(f"{result.testsRun - failed} passed, {failed} failed", flush=True)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
