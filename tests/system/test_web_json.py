"""Documents that are not JSON, or not the right JSON, or just inside the limits.

    test_web_json.py PATH/TO/web_peer [unittest arguments]"""
import json
import re

from web_client import *


class Json(Base):
    """What is no JSON (400), what is not the right JSON (422)."""

    def setUp(self):
        super().setUp()
        self.peer.serving()

    def refused(self, body, status):
        text = self.assert_error(self.peer.sign(body), status)
        start = {400: "Failed to parse the request body as JSON: ", 422: "Failed to deserialize the JSON body into the target type: "}
        self.assertTrue(text.startswith(start[status]), text)
        return text

    def test_syntax(self):
        good = json.dumps(a_request())
        for body in ("", " ", "{", "}", "nul", "{]", "{'a':1}", '{"a":1,}', '{"a" 1}', "[1 2]", '"', '"\\u12"', "01", "1.", "+1", "{}{}", "{} x",
                     good + "x", good + good, good[:-1], "\ufeff" + good, '{"a":"\t"}', "NaN", "//x\n{}", '{"a":"\\ud800"}'):
            self.refused(body.encode(), 400)
        for body in (b"\xff", b'{"\xff":1}', b'{"a":"\xc0\x80"}', b'{"a":"\xed\xa0\x80"}', b"\x00", b"{}\x00", good.encode("utf-16")):
            self.refused(body, 400)

    def test_truncated_at_every_byte(self):
        good = json.dumps(a_request()).encode()
        c = self.peer.connection()
        for n in range(len(good)):
            c.request("POST", "/verify-and-sign", good[:n], {"Content-Type": "application/json"})
            answer = Answer(c.getresponse())
            self.assertEqual(answer.status, 400, n)
        c.close()
        self.assertEqual(self.peer.tell("asked"), "0")

    def test_depth(self):
        for n, status in ((30, 422), (32, 422), (33, 400), (5000, 400), (2_000_000, 400)):
            self.refused(b"[" * n + b"]" * n, status)
        self.refused(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400)
        self.refused(b"[" * 4_000_000, 400)

    def test_number_of_values(self):
        """What would fill memory is refused before it is parsed; the largest transactions are not."""
        for body in (b"{}," * 1_390_000, b"0," * 2_000_000, b'"",' * 1_390_000, b"[]," * 151_000):
            self.assert_error(self.peer.sign(b"[" + body + b"0]"), 413, "The request body has too many values.")
        self.assert_error(self.peer.sign(b"[" + b"0," * 490_000 + b"0]"), 422)
        self.assertLess(self.peak(), 160 << 10)
        answer = self.peer.sign(json.dumps(a_request(outputs=[{"value": 1, "script_pubkey": ""}] * 130_000), separators=(",", ":")))
        self.assertEqual(answer.status, 200)
        self.assertLess(self.peak(), 160 << 10)

    def peak(self):
        """Most memory that the role ever had, in KiB; 0 where a sanitizer's shadow makes that meaningless."""
        with open(f"/proc/{self.peer.process.pid}/task/{self.peer.process.pid}/children") as f:
            child = int(f.read())
        with open(f"/proc/{child}/status") as f:
            status = f.read()
        most, size = (int(re.search(name + r":\s+(\d+)", status).group(1)) for name in ("VmHWM", "VmSize"))
        return 0 if size > 1 << 30 else most

    def test_brackets_in_texts(self):
        # Brackets in a text are no depth, an escaped quote does not end one.
        self.assertEqual(self.peer.sign(dict(a_request(), x='["' * 500)).status, 200)
        self.assertEqual(self.peer.sign(dict(a_request(), x=["\\"] * 3 + ["]" * 100])).status, 200)

    def test_duplicates(self):
        text = json.dumps(a_request())
        for body in ('{"a":1,"a":1}', text[:-1] + ',"backup_merkle_roots":{}}', text.replace('"version": 2', '"version": 2, "version": 2')):
            self.refused(body, 422)

    def test_numbers(self):
        text = json.dumps(a_request())
        for number in ("1e400", "-1e400", "9" * 400, "9223372036854775808", "-9223372036854775809", "2.0", "2e0", "-0.0"):
            self.refused(text.replace('"version": 2', '"version": ' + number), 422)
        self.refused(text.replace("100000", "18446744073709551616", 1), 422)
        for field, low, high in (("version", -2**31, 2**31 - 1), ("lock_time", 0, 2**32 - 1)):
            for value, good in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
                document = a_request()
                document["emulated_tx_to"][field] = value
                answer = self.peer.sign(document)
                self.assertEqual(answer.status, 200 if good else 422, (field, value))
                if good:
                    self.assertEqual(answer.json()["signed_tx"][field], value)

    def test_missing_and_wrong_types(self):
        """Each member in turn: away, and of each other type."""
        others = [None, True, 1, 1.5, "zz", [1], {"a": 1}]

        def places(v, path=()):
            for key, item in v.items() if isinstance(v, dict) else enumerate(v):
                yield path + (key,)
                if isinstance(item, (dict, list)):
                    yield from places(item, path + (key,))

        def changed(path, value, drop):
            document = json.loads(json.dumps(a_request(roots={"0": "ab" * 32})))
            at = document
            for key in path[:-1]:
                at = at[key]
            if drop:
                del at[path[-1]]
            else:
                at[path[-1]] = value
            return document

        tried = 0
        original = a_request(roots={"0": "ab" * 32})
        for path in places(original):
            is_member = isinstance(path[-1], str)
            if is_member and path != ("backup_merkle_roots", "0"):
                self.refused(json.dumps(changed(path, None, True)), 422)
                tried += 1
            was = original
            for key in path:
                was = was[key]
            for value in others:
                same = type(value) is type(was) and not isinstance(was, str)
                if same:
                    continue
                if path == ("emulated_tx_to",) and isinstance(value, str):
                    self.assert_error(self.peer.sign(changed(path, value, False)), 400, "emulated_tx_to is not hex.")   # another form
                    continue
                text = self.refused(json.dumps(changed(path, value, False)), 422)
                self.assertRegex(text, r"[a-z_]+")
                tried += 1
        self.assertGreater(tried, 100)
        self.assertEqual(self.peer.tell("asked"), "0")

    def test_the_place_is_told(self):
        document = a_request(inputs=[an_input(), an_input(sequence=-1)])
        self.assertTrue(self.refused(json.dumps(document), 422).endswith("emulated_tx_to.input[1].sequence: out of range"))
        document = a_request(inputs=[an_input(), an_input(witness=["51", "5"])])
        self.assertTrue(self.refused(json.dumps(document), 422).endswith("emulated_tx_to.input[1].witness[1].item: an odd number of hex digits"))
        document = a_request(spent=[{"value": 1, "script_pubkey": "0g"}])
        self.assertTrue(self.refused(json.dumps(document), 422).endswith("actual_spent_outputs[0].script_pubkey: not hex"))

    def test_outpoints(self):
        for good in (NULL_OUTPOINT, "Ab" * 32 + ":0", "00" * 32 + ":10"):
            answer = self.peer.sign(a_request(inputs=[an_input(outpoint=good)]))
            self.assertEqual(answer.json()["signed_tx"]["input"][0]["previous_output"], good.lower())
        for bad in ("", ":", "00" * 32, "00" * 32 + ":", "00" * 32 + ":01", "00" * 32 + ":+1", "00" * 32 + ":-1", "00" * 32 + ":4294967296",
                    "00" * 32 + ": 1", "00" * 32 + ":1 ", "00" * 31 + ":1", "00" * 33 + ":1", "zz" * 32 + ":1", "00" * 32 + ":1:1", "00" * 32 + ";1",
                    "00" * 32 + ":0x1", "00" * 32 + ":99999999999999999999999"):
            self.refused(json.dumps(a_request(inputs=[an_input(outpoint=bad)])), 422)

    def test_roots(self):
        for good in ({}, {"0": "ab" * 32}, {"7": "AB" * 32}, {str(2**64 - 1): "00" * 32}):
            self.assertEqual(self.peer.sign(a_request(roots=good)).status, 200, good)
        many = a_request(inputs=[an_input() for _ in range(12)], roots={str(i): "%064x" % i for i in (11, 2, 10, 0, 9)})
        self.assertEqual(self.peer.sign(many).status, 200)
        for bad in ({"": "00" * 32}, {"00": "00" * 32}, {"-1": "00" * 32}, {"x": "00" * 32}, {" 0": "00" * 32}, {"0": "00" * 31},
                    {"0": "00" * 33}, {"0": "zz" * 32}, {"0": None}, {str(2**64): "00" * 32}, {"9": "0"}, [], None):
            document = a_request()
            document["backup_merkle_roots"] = bad
            self.refused(json.dumps(document), 422)

    def test_no_inputs(self):
        self.refused(json.dumps(a_request(inputs=[], spent=[])), 422)

    def test_largest_body(self):
        limit = 4 << 20
        text = json.dumps(a_request()).encode()
        answer = self.peer.sign(b" " * (limit - len(text)) + text)
        self.assertEqual(answer.status, 200)
        self.assert_error(self.peer.sign(b" " * (limit + 1 - len(text)) + text), 413, "Failed to buffer the request body: length limit exceeded")
        item = "ab" * ((limit - 2000) // 2)
        answer = self.peer.sign(a_request(inputs=[an_input(witness=[item])]))
        self.assertEqual(answer.json()["signed_tx"]["input"][0]["witness"], [item])

    def test_many_small_things(self):
        empty = ["" for _ in range(300_000)]
        answer = self.peer.sign(a_request(inputs=[an_input(witness=["51"]), an_input(witness=empty + ["51"])]))
        self.assertEqual(answer.json()["inputs"], [{"index": 0, "signed": False, "skipped": "key path"}, {"index": 1, "signed": True}])
        outputs = [{"value": i, "script_pubkey": ""} for i in range(60_000)]
        answer = self.peer.sign(a_request(outputs=outputs))
        self.assertEqual(answer.json()["signed_tx"]["output"], outputs)
        inputs = [an_input(witness=["", ""]) for _ in range(20_000)]
        answer = self.peer.sign(a_request(inputs=inputs, spent=[]))
        self.assertEqual(len(answer.json()["signed_tx"]["input"][19_999]["witness"][0]), 128)
        self.assert_alive()


if __name__ == "__main__":
    main()
