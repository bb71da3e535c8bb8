"""What the routes of the role `web` answer.

    test_web_api.py PATH/TO/web_peer [unittest arguments]"""
import base64
import hashlib
import json
import threading
import time

from web_client import *


class Gets(Base):
    def test_before_any_word_of_the_keeper(self):
        self.assert_alive()
        status = self.peer.ask("GET", "/status").json()
        self.assertEqual(status["phase"], "starting")
        self.assertIsNone(status["simulated"])
        self.assertIsNone(status["disk"])
        self.assertIsNone(status["requests"])
        self.assert_error(self.peer.sign(a_request()), 503)
        self.assert_error(self.peer.post("/setup", SETUP), 503)
        self.assert_error(self.peer.ask("POST", "/seal"), 409)
        self.assert_error(self.peer.ask("GET", "/requests"), 503)

    def test_before_setup(self):
        self.peer.tell(f"state {AWAITING}")
        self.assert_alive()
        self.assert_error(self.peer.ask("GET", "/public-key"), 404, "Secret not found. Make sure to call `/setup` first.")
        self.assert_error(self.peer.ask("GET", "/settings"), 404, "Settings not set.")
        self.assert_error(self.peer.sign(a_request()), 400, "Secret not found. Make sure to call `/setup` first.")
        # The body is looked at before the key, as in the earlier systems.
        self.assert_error(self.peer.sign({}), 422)
        self.assertEqual(self.peer.ask("GET", "/status").json()["phase"], "awaiting-setup")
        self.peer.tell(f"state {DERIVING}")
        self.assert_error(self.peer.sign(a_request()), 400, "Secret not found. Make sure to call `/setup` first.")

    def test_a_restart_is_not_a_fresh_start(self):
        for phase in (DERIVING, RESTORING):
            self.peer.tell(f"state {phase}")
            answer = self.peer.sign(a_request())
            self.assert_error(answer, 503)
            self.assertEqual(answer.headers["Retry-After"], "1")

    def test_serving(self):
        self.peer.serving()
        key = self.peer.ask("GET", "/public-key")
        self.assertEqual((key.status, key.headers["Content-Type"]), (200, "application/json"))
        self.assertEqual(key.json(), {"public_key": "02" + "ab" * 32})
        self.assertEqual(self.peer.ask("GET", "/settings").json(),
                         {"max_weight": 400000, "key_id": "arn:aws:kms:x", "blockhash": "00" * 31 + "6f", "blockhash_check": "unverified"})
        status = self.peer.ask("GET", "/status").json()
        self.assertEqual((status["phase"], status["simulated"], status["freshness"], status["epoch"]), ("serving", True, "none", 3))
        self.assertEqual((status["service_id"], status["public_key"]), ("cd" * 32, "02" + "ab" * 32))
        self.assertEqual(status["profile"], "confidential-script-2")
        self.assertEqual(status["accepted"], ["policy-unreadable", "derive-not-allowed"])
        self.assertEqual(status["requests"], 7)
        self.assertEqual(status["disk"]["backend"], "loop")
        self.assertIsNone(status["disk"]["sealed_at"])
        self.assertEqual(status["limits"]["weight"], 400000)

    def test_attestation(self):
        self.peer.tell(f"state {AWAITING}")
        text = '{"s":"\\\\"}'
        for path, doc in (("/attestation", b"doc"), ("/attestation?nonce=61Ab", b"doca\xab"),
                          ("/attestation?format=json&nonce=" + "62" * 512, b"doc" + b"b" * 512)):
            answer = self.peer.ask("GET", path)
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
            self.assertEqual(answer.json(), {"document": base64.b64encode(doc).decode(), "statement": text,
                                             "statement_sha256": hashlib.sha256(text.encode()).hexdigest()})
        answer = self.peer.ask("GET", "/attestation?nonce=00ff&format=cose")
        self.assertEqual((answer.status, answer.headers["Content-Type"], answer.body), (200, "application/cose", b"doc\0\xff"))
        answer = self.peer.ask("GET", "/statement")
        self.assertEqual((answer.status, answer.headers["Content-Type"], answer.body), (200, "application/json", text.encode()))
        for query in ("nonce=", "nonce=6", "nonce=zz", "nonce=0x61", "nonce=" + "61" * 513, "format=cbor", "format=", "format=JSON", "nonce=%36%31"):
            self.assert_error(self.peer.ask("GET", "/attestation?" + query), 400)
        self.assert_error(self.peer.ask("GET", "/attestation?nonce=00"), 500)      # the keeper could not
        self.assert_error(self.peer.ask("POST", "/attestation"), 405)
        self.assert_alive()

    def test_key_evidence(self):
        self.peer.tell(f"state {AWAITING}")
        text = '{"key":"\\u00e9"}'
        for path, doc in (("/key-evidence", b"doc"), ("/key-evidence?nonce=61Ab", b"doca\xab"), ("/key-evidence?nonce=" + "62" * 512, b"doc" + b"b" * 512)):
            answer = self.peer.ask("GET", path)
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
            self.assertEqual(answer.json(), {"document": base64.b64encode(doc).decode(), "evidence": text,
                                             "evidence_sha256": hashlib.sha256(text.encode()).hexdigest()})
        for query in ("nonce=", "nonce=6", "nonce=zz", "nonce=" + "61" * 513):
            self.assert_error(self.peer.ask("GET", "/key-evidence?" + query), 400)
        self.assert_error(self.peer.ask("GET", "/key-evidence?nonce=00"), 404)     # no key yet
        self.assert_error(self.peer.ask("GET", "/key-evidence?nonce=01"), 502)     # KMS is not to be had
        self.assert_error(self.peer.ask("POST", "/key-evidence"), 405)
        self.assert_alive()

    def test_setup_may_accept_findings(self):
        self.peer.tell(f"state {AWAITING}")
        refused = dict(SETUP, key_id="verdict:9")
        words = "The KMS key is not accepted: {}. GET /key-evidence explains; setup may name what it accepts."
        names = ["metadata-unreadable", "policy-unreadable", "derive-not-allowed"]       # bits 0, 12, 31
        for accept, shown in ((None, ""), ([], ""), (names[1:2], names[1]), (names[::-1], ", ".join(names)), (names + names, ", ".join(names))):
            self.assert_error(self.peer.post("/setup", dict(refused, accept=accept)), 403, words.format(shown))   # the peer echoes them
        for accept in ("policy-unreadable", {}, 1, True, [1], ["all"], ["policy"], [""], [None], ["policy-unreadable", "*"], [names], ["Policy-Unreadable"]):
            text = self.assert_error(self.peer.post("/setup", dict(SETUP, accept=accept)), 422)
            self.assertIn("accept: ", text)
        self.assertEqual(self.peer.post("/setup", dict(SETUP, accept=names)).status, 200)

    def test_health_is_text(self):
        answer = self.peer.ask("GET", "/health")
        self.assertEqual(answer.headers["Content-Type"], "text/plain; charset=utf-8")
        self.assertRegex(answer.headers["X-Request-Id"], r"^[0-9a-f]{16}$")

    def test_requests(self):
        self.peer.serving()
        listed = self.peer.ask("GET", "/requests?limit=3").json()
        self.assertEqual(listed["total"], 7)
        self.assertEqual([r["row"] for r in listed["requests"]], [7, 6, 5])
        first = listed["requests"][0]
        self.assertEqual(first["txid"], "00" * 31 + "11")          # as displayed
        self.assertEqual(first["request_hash"], "22" + "00" * 31)
        self.assertEqual(first["text"], 'words "quoted" \\ and ?')
        listed = self.peer.ask("GET", "/requests?before=3&limit=1000").json()
        self.assertEqual([r["row"] for r in listed["requests"]], [2, 1])
        self.assertEqual(len(self.peer.ask("GET", "/requests").json()["requests"]), 7)
        for bad in ("limit=0", "limit=1001", "limit=-1", "limit=01", "limit=x", "limit=", "before=99999999999999999999",
                    "limit=18446744073709551617", "limit=%31"):
            self.assert_error(self.peer.ask("GET", "/requests?" + bad), 400)

    def test_status_does_not_hang_on_the_book(self):
        self.peer.serving()
        self.peer.tell("silent book")
        before = time.monotonic()
        status = self.peer.ask("GET", "/status")
        self.assertEqual((status.status, status.json()["requests"]), (200, None))
        self.assertLess(time.monotonic() - before, 5)
        self.peer.tell("loud book")
        deadline = time.monotonic() + 5
        while self.peer.ask("GET", "/status").json()["requests"] != 7:
            self.assertLess(time.monotonic(), deadline)

    def test_head(self):
        self.peer.serving()
        for path in ("/health", "/public-key", "/settings", "/status", "/requests"):
            get, head = self.peer.ask("GET", path), self.peer.ask("HEAD", path)
            self.assertEqual((head.status, head.body), (200, b""), path)
            self.assertEqual(head.headers["Content-Length"], str(len(get.body)), path)
        self.assertEqual(self.peer.ask("HEAD", "/setup").status, 405)
        self.assertEqual(self.peer.ask("HEAD", "/nothing").status, 404)


class Routes(Base):
    def test_no_such_path(self):
        for path in ("/", "/nothing", "/health/", "//health", "/Health", "/%68ealth", "/health%00", "/retrieve-public-key", "/" + "a" * 4000):
            self.assert_error(self.peer.ask("GET", path), 404)
        self.assert_error(self.peer.post("/nothing", {}), 404)

    def test_wrong_method(self):
        for path, allow, methods in (("/health", "GET, HEAD", ("POST", "PUT", "DELETE", "OPTIONS", "PATCH")),
                                     ("/setup", "POST", ("GET", "PUT", "OPTIONS")), ("/verify-and-sign", "POST", ("GET", "DELETE")),
                                     ("/seal", "POST", ("GET",))):
            for method in methods:
                answer = self.peer.ask(method, path)
                self.assert_error(answer, 405)
                self.assertEqual(answer.headers["Allow"], allow)

    def test_content_type(self):
        self.peer.tell(f"state {AWAITING}")
        for kind in (None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/+json",
                     "application", "application/", "text/json", "json", "application/json,text/plain", ";application/json"):
            for path in ("/setup", "/verify-and-sign"):
                self.assert_error(self.peer.post(path, b"{}", kind), 415, "Expected request with `Content-Type: application/json`")
        for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json", "application/json;x",
                     "application/geo+JSON ; a=b"):
            self.assert_error(self.peer.post("/setup", b"{}", kind), 422)

    def test_seal(self):
        self.peer.tell("disk 0")
        self.assert_error(self.peer.ask("POST", "/seal"), 409)
        self.peer.serving()
        answer = self.peer.ask("POST", "/seal")
        self.assertEqual((answer.status, answer.json()["generation"]), (200, 1))
        self.assertEqual(self.peer.post("/seal", {}).json()["generation"], 2)
        self.assertEqual(self.peer.ask("GET", "/status").json()["disk"]["generation"], 2)
        self.peer.tell("fail 1")
        self.assert_error(self.peer.ask("POST", "/seal"), 500)
        self.peer.tell("fail 0")
        self.assertEqual(self.peer.ask("POST", "/seal").status, 200)


DONE, BUSY, AWAY, LATE, ODD, OUT_OF_RANGE, MALFORMED = range(7)


class Log(Base):
    ENTRIES = [bytes([i]) * (i + 1) for i in range(8)]

    def setUp(self):
        super().setUp()
        self.peer.serving()

    def begun(self):
        """Disk says that there is a log, and web has heard it: a turn of its loop takes one word of each peer."""
        self.peer.tell("log")
        while self.peer.ask("GET", "/log/checkpoint").status == 404:
            time.sleep(0.01)

    def log(self, path):
        answer = self.peer.ask("GET", "/log/" + path)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"), answer.body)
        return answer.json()

    def test_before_there_is_one(self):
        for path in ("entries", "proof?old=0&size=1", "checkpoint"):
            self.assert_error(self.peer.ask("GET", "/log/" + path), 404)

    def test_entries(self):
        self.begun()
        self.assertEqual(self.peer.ask("GET", "/log/checkpoint").body, b"note")
        for query, at, limit in (("", 0, 100), ("?from=0&limit=1", 0, 1), ("?limit=1000", 0, 1000), ("?from=3&limit=2", 3, 2), ("?from=8", 8, 100), ("?from=9223372036854775807", 2 ** 63 - 1, 100)):
            self.assertEqual(self.log("entries" + query), {"size": 8, "from": at, "entries": [base64.b64encode(e).decode() for e in self.ENTRIES[at:at + limit]]})
        for bad in ("from=", "from=-1", "from=01", "from=x", "from=9223372036854775808", "limit=0", "limit=1001", "limit=", "limit=1e2"):
            self.assert_error(self.peer.ask("GET", "/log/entries?" + bad), 400)

    def test_proof(self):
        self.begun()
        for query, what, old in (("old=3&size=5", 0, 3), ("size=7&index=6", 1, 6), ("old=0&size=0", 0, 0)):
            self.assertEqual(self.log("proof?" + query), {"hashes": [base64.b64encode(bytes([n]) * 32).decode() for n in (what, old)]})
        for bad in ("", "size=1", "old=1", "index=1", "old=1&index=1&size=2", "old=&size=2", "old=1&size=-2", "old=1&size=18446744073709551615"):
            self.assert_error(self.peer.ask("GET", "/log/proof?" + bad), 400)

    def test_what_disk_says_instead(self):
        self.begun()
        for outcome, status in ((BUSY, 503), (AWAY, 502), (LATE, 503), (ODD, 502), (OUT_OF_RANGE, 400)):
            self.peer.tell(f"outcome {outcome}")
            for path in ("entries", "proof?old=1&size=2"):
                self.assert_error(self.peer.ask("GET", "/log/" + path), status)
        self.peer.tell(f"outcome {DONE}")
        self.log("entries")

    def test_a_malformed_answer_ends_the_role(self):
        self.begun()
        self.peer.tell(f"outcome {MALFORMED}")
        self.assert_error(self.peer.ask("GET", "/log/entries"), 503)
        self.assertEqual(self.peer.ended(), 65)

    def test_a_seal_passes_a_slow_read(self):
        """What is asked of the log waits its turn; what is asked of the disk does not wait for it."""
        self.begun()
        self.peer.tell("log-hold")
        got = []
        threads = [threading.Thread(target=lambda: got.append(self.log("entries?limit=1"))) for _ in range(3)]
        for t in threads:
            t.start()
        while self.peer.tell("log-held") != "1":
            time.sleep(0.01)
        self.assertEqual([self.peer.ask("POST", "/seal").status for _ in range(3)], [200] * 3)
        self.assertEqual(got, [])
        self.peer.tell("log-go")
        for t in threads:
            t.join()
        self.assertEqual([g["entries"] for g in got], [["AA=="]] * 3)


class Setup(Base):
    def setUp(self):
        super().setUp()
        self.peer.tell(f"state {AWAITING}")

    def test_good(self):
        answer = self.peer.post("/setup", dict(SETUP, max_weight=5, more={"any": ["thing"]}))
        self.assertEqual((answer.status, answer.body), (200, b"Secret generated successfully."))
        self.assertEqual(answer.headers["Content-Type"], "text/plain; charset=utf-8")
        self.assertEqual(self.peer.ask("GET", "/public-key").status, 200)

    def test_weights(self):
        for good in (None, 0, 1, 2**63 - 1):
            self.assertEqual(self.peer.post("/setup", dict(SETUP, max_weight=good)).status, 200, good)
        for bad in (-1, 2**63, 2**64 - 1, 10**30, 1.0, 1.5, "1", True, [], {}):
            self.assert_error(self.peer.post("/setup", dict(SETUP, max_weight=bad)), 422)

    def test_verdicts(self):
        for number, status, text in ((1, 409, "Settings already set."), (2, 500, "KMS operation failed."), (3, 500, "KMS returned no secret."),
                                     (4, 500, "Invalid secret length from KMS."), (5, 403, None), (6, 503, None), (7, 400, None), (8, 500, None)):
            self.assert_error(self.peer.post("/setup", dict(SETUP, key_id=f"verdict:{number}")), status, text)

    def test_headers(self):
        """They go to the keeper as they came; its words about them come back."""
        run, anchor = bytes(range(80)) * 3, {"height": 7, "hash": "5a" + "00" * 31}
        for coded in ({"hex": run.hex()}, {"base64": base64.b64encode(run).decode()}):
            answer = self.peer.post("/setup", dict(SETUP, key_id="verdict:10", headers={"network": "signet", "anchor": anchor, **coded}))
            self.assert_error(answer, 422, "headers: 240 bytes, network 2, anchor 7 5a, last byte 4f")
        many = {"network": "regtest", "base64": base64.b64encode(bytes(52428 * 80)).decode()}
        self.assert_error(self.peer.post("/setup", dict(SETUP, key_id="verdict:10", headers=many)), 422, "headers: 4194240 bytes, network 3, anchor 0 00, last byte 00")
        many["base64"] = base64.b64encode(bytes(52429 * 80)).decode()
        self.assert_error(self.peer.post("/setup", dict(SETUP, headers=many)), 413, "headers: more than 52428 of them.")
        self.assertEqual(self.peer.post("/setup", dict(SETUP, headers=None)).status, 200)

    def test_shape(self):
        wrong = [[], 1, "x", None, True, {}, {"key_id": "k"}, {"blockhash": "00" * 32}]
        wrong += [dict(SETUP, key_id=v) for v in (1, None, "", "x" * 256, "a b", "é", "a\u0007", ["k"], "a\u0000")]
        wrong += [dict(SETUP, blockhash=v) for v in ("", "00" * 31, "00" * 33, "0" * 63, "zz" * 32, 0, None, "0x" + "0" * 62, " " + "0" * 63)]
        for document in wrong:
            text = self.assert_error(self.peer.post("/setup", json.dumps(document)), 422)
            self.assertTrue(text.startswith("Failed to deserialize the JSON body into the target type: "), text)
        self.assertEqual(self.peer.post("/setup", dict(SETUP, key_id="x" * 255, blockhash="Ab" * 32)).status, 200)

    def test_too_large(self):
        self.assert_error(self.peer.post("/setup", b" " * (6 << 20) + b"{}"), 413, "Failed to buffer the request body: length limit exceeded")
        filler = b" " * ((6 << 20) - len(json.dumps(SETUP)))
        self.assertEqual(self.peer.post("/setup", filler + json.dumps(SETUP).encode()).status, 200)

    def test_keeper_answers_late(self):
        """One question at a time; a second client waits for its own answer."""
        self.peer.tell("silent keeper")
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.peer.post("/setup", SETUP).status)) for _ in range(4)]
        for t in threads:
            t.start()
        time.sleep(0.3)
        self.assert_alive()
        self.peer.tell("loud keeper")
        for t in threads:
            t.join()
        self.assertEqual(answers, [200] * 4)


class Signing(Base):
    def setUp(self):
        super().setUp()
        self.peer.serving()

    def test_answer(self):
        document = a_request(inputs=[an_input(), an_input(witness=[]), an_input(witness=["AA"], sequence=0),
                                     an_input(witness=["51", CONTROL, "5000010203"]), an_input(witness=["51", CONTROL, "50010203"])],
                             outputs=[{"value": 2**63 - 1, "script_pubkey": "6A00"}, {"value": 0, "script_pubkey": ""}])
        document["emulated_tx_to"]["input"][1]["script_sig"] = "ABCD"
        document["unknown"] = [1, {"a": None}]
        document["emulated_tx_to"]["unknown"] = "x"
        answer = self.peer.sign(document)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
        said = answer.json()
        signed = [i["signed"] for i in said["inputs"]]
        self.assertEqual([i["index"] for i in said["inputs"]], [0, 1, 2, 3, 4])
        self.assertEqual(signed, [True, False, False, True, True])
        tx = said["signed_tx"]
        self.assertEqual(set(tx), {"version", "lock_time", "input", "output"})
        self.assertEqual([i["witness"] for i in tx["input"]],
                         [["01" * 64], [], ["aa"], ["04" * 64, "5000010203"], ["05" * 64]])
        self.assertEqual([i["script_sig"] for i in tx["input"]], ["", "abcd", "", "", ""])
        self.assertEqual(tx["input"][2]["sequence"], 0)
        self.assertEqual(tx["output"], [{"value": 2**63 - 1, "script_pubkey": "6a00"}, {"value": 0, "script_pubkey": ""}])

    def test_refused_by_the_judge(self):
        self.assert_error(self.peer.sign(a_request(version=1002)), 400, "Unable to sign: Verification failed: Error!")
        self.assert_error(self.peer.sign(a_request(version=1007)), 400, 'a "quote", a \\, a ?, ??')
        self.assert_error(self.peer.sign(a_request(version=1001)), 413)

    def test_a_judge_dies(self):
        for _ in range(3):
            answer = self.peer.sign(a_request(version=1000))
            self.assert_error(answer, 503)
            self.assertEqual(answer.headers["Retry-After"], "1")
            self.assertEqual(self.peer.sign(a_request()).status, 200)   # the other one
            self.peer.tell("judges")
        # Both gone: a request waits for the next, and gets its answer there.
        self.peer.sign(a_request(version=1000))
        self.peer.sign(a_request(version=1000))
        statuses = []
        t = threading.Thread(target=lambda: statuses.append(self.peer.sign(a_request()).status))
        t.start()
        time.sleep(0.3)
        self.assertEqual(statuses, [])
        self.peer.tell("judges")
        t.join()
        self.assertEqual(statuses, [200])
        self.assertEqual(self.peer.tell("asked"), "9")

    def test_a_judge_is_replaced_while_it_works(self):
        """init hands over a new channel before web saw the old one end."""
        self.peer.tell("hold")
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(self.peer.sign(a_request()).status)) for _ in range(3)]
        for t in threads:
            t.start()
        time.sleep(0.3)
        self.peer.tell("drop judge")
        self.peer.tell("judges")
        self.peer.tell("go")
        for t in threads:
            t.join()
        self.assertEqual(sorted(statuses), [200, 200, 503])

    def test_queue_overflow(self):
        """2 judges have one question each, 256 wait, the rest hears 503 at once."""
        self.peer.tell("hold")
        connections = [self.peer.connection() for _ in range(300)]
        for c in connections:
            c.request("POST", "/verify-and-sign", json.dumps(a_request()), {"Content-Type": "application/json"})
        refused = [Answer(c.getresponse()) for c in connections[258:]]
        for answer in refused:
            self.assert_error(answer, 503)
            self.assertEqual(answer.headers["Retry-After"], "1")
        self.assert_alive()
        self.peer.tell("go")
        self.assertEqual([c.getresponse().status for c in connections[:258]], [200] * 258)
        for c in connections:
            c.close()
        self.assertEqual(self.peer.tell("asked"), "258")

    def test_clients_that_leave(self):
        """A client that does not wait for its answer harms nobody."""
        self.peer.tell("hold")
        for _ in range(50):
            c = self.peer.connection()
            c.request("POST", "/verify-and-sign", json.dumps(a_request()), {"Content-Type": "application/json"})
            c.close()
        self.peer.tell("go")
        self.assertEqual(self.peer.sign(a_request()).status, 200)
        self.assert_alive()

    def test_in_parallel(self):
        wrong = []

        def client(n):
            c = self.peer.connection()
            for i in range(20):
                c.request("POST", "/verify-and-sign", json.dumps(a_request(version=n * 20 + i + 10000)), {"Content-Type": "application/json"})
                if Answer(c.getresponse()).json()["signed_tx"]["version"] != n * 20 + i + 10000:
                    wrong.append((n, i))
            c.close()

        threads = [threading.Thread(target=client, args=(n,)) for n in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])
        self.assertEqual(self.peer.tell("asked"), "320")


class DryRun(Base):
    """POST /verify, and its trace (what the peer tells: web_trial_peer.h)."""
    FIRST = {"index": 0, "pc": 0, "op": "OP_DUP", "executed": True, "stack": ["abcd"], "alt": []}
    SECOND = {"index": 1, "pc": 1, "op": "OP_VERIFY", "executed": False, "stack": ["abcd" + "00" * 78 + "...520"], "below": 19, "alt": [""]}

    def setUp(self):
        super().setUp()
        self.peer.serving()

    def verify(self, version=2, inputs=2, **more):
        return self.peer.post("/verify", dict(a_request(version=version, inputs=[an_input()] * inputs), **more))

    def test_without_a_trace(self):
        for more in ({}, {"trace": False}):
            self.assertEqual(self.verify(**more).json(), {"valid": True, "inputs": [{"index": i, "emulated": True} for i in range(2)]})
            self.assert_error(self.verify(version=1002, **more), 400, "Unable to sign: no")
        self.assertEqual(self.peer.tell("asked"), "0")           # no judge that could sign

    def test_with_a_trace(self):
        answer = self.verify(trace=True)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
        self.assertEqual(answer.json(), {"valid": True, "inputs": [{"index": i, "emulated": True} for i in range(2)],
                                         "trace": {"truncated": False, "inputs": [{"index": i, "steps": [self.FIRST, self.SECOND]} for i in range(2)]}})

    def test_of_what_is_refused(self):
        answer = self.verify(version=1002, inputs=1, trace=True)
        said = answer.json()
        self.assertEqual((answer.status, said["status"], said["error"], said["request_id"]), (400, 400, "Unable to sign: no", answer.headers["X-Request-Id"]))
        self.assertEqual(said["trace"], {"truncated": True, "inputs": [{"index": 0, "steps": [self.FIRST, dict(self.SECOND, error="VERIFY")]}]})

    def test_never_with_a_signature(self):
        for path in ("/sign", "/verify-and-sign"):
            text = self.assert_error(self.peer.post(path, dict(a_request(), trace=True)), 400)
            self.assertTrue(text.startswith("trace goes with /verify only"), text)
            self.assertEqual(self.peer.post(path, dict(a_request(), trace=False)).status, 200)
        for path in ("/sign", "/verify"):
            for value in (None, 1, "true", [], {}):
                self.assert_error(self.peer.post(path, dict(a_request(), trace=value)), 400, "trace is true or false.")
        self.assertEqual(self.peer.tell("asked"), "2")

    def test_a_trial_breaks_the_rules(self):
        for version, trace in ((1010, True), (1010, False), (1011, True), (1012, True), (1013, False), (1014, False)):
            peer = Peer().serving()
            self.addCleanup(peer.close)
            try:
                status = peer.post("/verify", dict(a_request(version=version, inputs=[an_input()] * 2), trace=trace)).status
            except (http.client.HTTPException, OSError):
                status = None
            self.assertIn(status, (None, 503), version)
            self.assertEqual(peer.ended(), 64 + 1, version)      # E_FORMAT


if __name__ == "__main__":
    main()
